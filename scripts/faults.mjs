// npm run faults: the long forms of the tests that make faults. npm run soak -- --minutes N: random operations among
// faults, with the ledger and the memory checked.
//
//   node scripts/faults.mjs [--soak] [--minutes N]

import { parseArgs } from 'node:util'
import { compileTests, printCounts, runAva } from './ava.mjs'
import { setup } from './setup.mjs'
import { Failure, main } from './steps.mjs'

await main(async () => {
  const { values } = parseArgs({
    options: { soak: { type: 'boolean', default: false }, minutes: { type: 'string', default: '10' } },
  })
  if (!(Number(values.minutes) > 0)) throw new Failure('--minutes takes a number above 0.')
  setup({ servers: true })
  compileTests()
  if (values.soak) process.env.AIOMQTT_SOAK_MINUTES = values.minutes
  else process.env.AIOMQTT_FAULTS = 'long'
  // The tests say themselves how long they may take.
  const long = [
    'build/test/faults/*.test.js',
    ...['kill', 'damage', 'power-loss'].map((name) => `build/test/store/${name}.test.js`),
    '--serial',
  ]
  const files = values.soak ? ['build/test/faults/soak.test.js'] : long
  printCounts(await runAva(process.execPath, [...files, '--timeout=30m']))
})
