#!/usr/bin/env node
// The command `aiomqtt`. The library loads nothing of this folder, nor the packages that only this folder needs.

import { loadOptional } from '../transports/optional-package.js'
import { lineOf } from './command-error.js'

for (const stream of [process.stdout, process.stderr]) {
  stream.on('error', (error: NodeJS.ErrnoException) => {
    // Nobody reads any longer: no reason to make a noise.
    if (error.code !== 'EPIPE') throw error
  })
}

try {
  await loadOptional('commander', 'the command aiomqtt', () => import('commander'))
  const { runProgram } = await import('./program.js')
  await runProgram(process.argv)
} catch (error) {
  process.stderr.write(`${lineOf(error)}\n`)
  process.exitCode = 1
}
