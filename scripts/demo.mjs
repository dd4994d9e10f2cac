// npm run demo: sets up what is missing, then runs the demo with the arguments that follow `--`.

import { spawn } from 'node:child_process'
import { setup } from './setup.mjs'
import { at, main } from './steps.mjs'

await main(
  () => {
    setup()
    const child = spawn(process.execPath, [at('examples/demo/main.mjs'), ...process.argv.slice(2)], {
      stdio: 'inherit',
    })
    // The terminal sends Ctrl-C to both; the demo decides what it means.
    process.on('SIGINT', () => {})
    process.on('SIGTERM', () => child.kill('SIGTERM'))
    child.on('exit', (code, signal) => {
      process.exitCode = code ?? (signal ? 1 : 0)
    })
  },
  { hasOwnHelp: true },
)
