// npm run test:windows: the addon for Windows, cross-compiled, with a Node for Windows under Wine, against Mosquitto. Needs
// Debian's wine and MinGW, and Paho C for Windows in build/vcpkg/x64-windows-static, where vcpkg puts it (deps/README.md).

import { spawn } from 'node:child_process'
import { openSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { parseArgs } from 'node:util'
import { compileTests, printCounts } from './ava.mjs'
import { setup } from './setup.mjs'
import { at, main, say } from './steps.mjs'
import { buildForWindows, checkWindowsTools, provideWindowsNode, wineEnvironment } from './windows.mjs'

const PATIENCE = 300_000

/** Wine's name of a path. */
const windows = (path) => `Z:${path.replaceAll('/', '\\')}`

/** Runs a program under Wine. Its output goes to a file: Node does not write to Wine's pipes. */
async function underWine(args, environment, file) {
  const output = openSync(file, 'w')
  const child = spawn('wine', args, {
    env: { ...process.env, ...environment },
    stdio: ['ignore', output, output],
    timeout: PATIENCE,
  })
  const [code] = await new Promise((resolve, reject) => {
    child.on('error', reject)
    child.on('exit', (...end) => resolve(end))
  })
  return { code, output: readFileSync(file, 'utf8') }
}

await main(async () => {
  const { values } = parseArgs({ options: { help: { type: 'boolean', default: false } } })
  if (values.help) {
    console.log('npm run test:windows\n\nThe core of what the package does, on Node for Windows under Wine.')
    return
  }
  checkWindowsTools()
  setup({ servers: ['mosquitto'] })
  compileTests()
  const addon = buildForWindows()
  const node = provideWindowsNode('20')
  const environment = wineEnvironment()
  const { listenEverywhere } = await import(pathToFileURL(at('build/test/helpers/listeners.js')))
  const listeners = await listenEverywhere()
  const { folder, broker, tls, webSocket, root } = listeners
  try {
    writeFileSync(join(folder, 'root'), root.certificate)
    const brokers = { tcp: broker.port, tls, webSocket, certificate: windows(join(folder, 'root')) }
    say('Node for Windows, under Wine')
    const program = [node, at('test/windows/program.mjs'), at('dist'), folder].map((path) => windows(path))
    const { code, output } = await underWine(
      [...program, JSON.stringify(brokers)],
      { ...environment, AIOMQTT_ADDON: windows(addon) },
      join(folder, 'output'),
    )
    console.log(output)
    if (code !== 0) console.log(`It ended with ${code ?? `a signal, after ${PATIENCE / 1000} s`}.`)
    const passed = output.match(/^ok /gm)?.length ?? 0
    const failed = (output.match(/^not ok /gm)?.length ?? 0) + (code === 0 ? 0 : 1)
    printCounts({ passed, failed })
  } finally {
    await listeners.stop()
  }
})
