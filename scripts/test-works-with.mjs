// npm run test:works-with: the package as users have it, packed and installed into empty folders, with the tools of
// scripts/works-with.mjs, against Mosquitto. Needs npm's packages of these tools, which it fetches; everything is in
// build/works-with.
//
//   node scripts/test-works-with.mjs [--help] [--nodes] [part of a tool's name ...]
//
// --nodes: the tools that need no package besides, on each Node that is supported, the oldest one too.

import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { parseArgs } from 'node:util'
import { compileTests, printCounts } from './ava.mjs'
import { provideNode } from './nodes.mjs'
import { prebuildify } from './prebuildify.mjs'
import { setup } from './setup.mjs'
import { at, Failure, main, observe, runNpm, say } from './steps.mjs'
import { TOOLS } from './works-with.mjs'

const NODES = ['20.0', '20', '22', '24', '26']
const folder = at('build/works-with')

/** Ten minutes: Next.js builds slowly. */
const PATIENCE = 600_000

function pack() {
  if (!existsSync(at('prebuilds', `${process.platform}-${process.arch}`))) prebuildify([process.arch])
  for (const name of existsSync(folder) ? readdirSync(folder) : []) {
    if (name.endsWith('.tgz')) rmSync(join(folder, name))
  }
  mkdirSync(folder, { recursive: true })
  const { status, stdout, stderr } = spawnSync(
    'npm',
    ['pack', '--ignore-scripts', '--json', '--pack-destination', folder],
    { cwd: at(), encoding: 'utf8', shell: process.platform === 'win32' },
  )
  if (status !== 0) throw new Failure(`npm pack failed:\n${stderr}`)
  return join(folder, JSON.parse(stdout)[0].filename)
}

/** A folder with the package, the tool's packages and its files. */
function prepare(name, { packages = [], files, manifest = {} }, tarball) {
  const place = join(folder, name.toLowerCase().replaceAll(/[^a-z0-9]+/g, '-'))
  rmSync(place, { recursive: true, force: true })
  const all = {
    'package.json': JSON.stringify({ name: 'application', version: '1.0.0', private: true, ...manifest }),
    ...files,
  }
  for (const [path, text] of Object.entries(all)) {
    mkdirSync(dirname(join(place, path)), { recursive: true })
    writeFileSync(join(place, path), text)
  }
  const flags = ['--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error', '--prefer-offline']
  runNpm(['install', '--prefix', place, ...flags, tarball, ...packages])
  return place
}

/** Runs a tool's commands; null, or what went wrong. */
async function attempt({ commands, environment = {}, lines = 1 }, place, node, port) {
  const env = {
    ...process.env,
    PATH: `${dirname(node)}:${process.env.PATH}`,
    PORT: String(port),
    ...environment,
  }
  let last = ''
  for (const command of commands) {
    const { code, output } = await observe('sh', ['-c', command], { cwd: place, env, timeout: PATIENCE })
    if (code !== 0) return `${command} ended with code ${code}`
    last = output
  }
  const works = last.match(/^works$/gm)?.length ?? 0
  return works === lines ? null : `the last command printed \`works\` ${works} times, not ${lines}`
}

await main(async () => {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { nodes: { type: 'boolean', default: false }, help: { type: 'boolean', default: false } },
  })
  if (values.help) {
    console.log(
      `npm run test:works-with -- [--nodes] [part of a tool's name ...]\n\n${Object.keys(TOOLS).join('\n')}`,
    )
    return
  }
  setup({ servers: ['mosquitto'] })
  compileTests()
  const { Mosquitto } = await import(pathToFileURL(at('build/test/helpers/mosquitto.js')))
  const broker = await Mosquitto.start()
  const tarball = pack()
  const results = []
  try {
    for (const [name, tool] of Object.entries(TOOLS)) {
      const isWanted =
        positionals.length === 0 ||
        positionals.some((part) => name.toLowerCase().includes(part.toLowerCase()))
      if (!isWanted || (values.nodes && tool.packages !== undefined)) continue
      const nodes = values.nodes && tool.node === undefined ? NODES : [tool.node ?? null]
      say(name)
      const place = prepare(name, tool, tarball)
      for (const version of nodes) {
        const node = version === null ? process.execPath : provideNode(version)
        const fault = await attempt(tool, place, node, broker.port)
        results.push([version === null ? name : `${name}, Node ${version}`, fault])
      }
      if (results.at(-1)[1] === null) rmSync(place, { recursive: true, force: true })
    }
  } finally {
    await broker.stop()
  }
  for (const [name, fault] of results)
    console.log(`${fault === null ? '✔' : '✘'} ${name}${fault === null ? '' : `: ${fault}`}`)
  const failed = results.filter(([, fault]) => fault !== null).length
  printCounts({ passed: results.length - failed, failed })
})
