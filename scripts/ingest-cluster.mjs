// npm run ingest-cluster: sets up what is missing, then runs the example with the arguments that follow `--`.

import { spawn } from 'node:child_process'
import { compileTests } from './ava.mjs'
import { setup } from './setup.mjs'
import { at, main } from './steps.mjs'

await main(
  () => {
    setup({ servers: ['mosquitto', 'postgresql', 'nats-server'] })
    // It starts its servers as the tests do.
    compileTests()
    const child = spawn(
      process.execPath,
      [at('examples/ingest-cluster/staging/main.mjs'), ...process.argv.slice(2)],
      { stdio: 'inherit' },
    )
    // The terminal sends Ctrl-C to both; the example decides what it means.
    process.on('SIGINT', () => {})
    process.on('SIGTERM', () => child.kill('SIGTERM'))
    child.on('exit', (code, signal) => {
      process.exitCode = code ?? (signal ? 1 : 0)
    })
  },
  { hasOwnHelp: true },
)
