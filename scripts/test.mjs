// npm test: sets up what is missing, then everything that must hold: lint and format, the native tests under
// AddressSanitizer and UndefinedBehaviorSanitizer, and the AVA suite, with its integration tests over every way to the
// broker. The last line says `N passed, N failed`, the ones before it name what has failed; a step that fails as a whole
// counts as one.
//
//   node scripts/test.mjs [--core]
//
// --core: the native tests and the integration tests over TCP alone, for what depends on the system.

import { parseArgs } from 'node:util'
import { addCounts, CORE, compileTests, printCounts, runAva, runWays } from './ava.mjs'
import { lint } from './lint.mjs'
import { runNativeTests } from './native-tests.mjs'
import { setup } from './setup.mjs'
import { Failure, main, say } from './steps.mjs'

const counts = { passed: 0, failed: 0 }

/** Runs a step; what it throws is shown and counted, and the next step runs all the same. */
async function step(name, action) {
  try {
    addCounts(counts, await action())
  } catch (error) {
    console.error(error instanceof Failure ? error.message : error)
    console.error(`✘ ${name}`)
    addCounts(counts, { failed: 1, failures: [name] })
  }
}

await main(async () => {
  const { values } = parseArgs({ options: { core: { type: 'boolean', default: false } } })
  await step('Setup', () => setup({ servers: true }))
  if (counts.failed === 0) {
    if (!values.core) await step('Lint and format', () => lint())
    await step('Native tests', () => {
      say('Native tests, with AddressSanitizer and UndefinedBehaviorSanitizer')
      return runNativeTests('native-tests', 'address,undefined')
    })
    await step('Compiling the tests', compileTests)
    await step('Tests', () => runAva(process.execPath, values.core ? CORE : []))
    if (!values.core) await step('Integration tests over every way', runWays)
  }
  printCounts(counts)
})
