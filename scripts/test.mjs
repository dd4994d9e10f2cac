// npm test: sets up what is missing, then everything that must hold: lint and format, the native tests under
// AddressSanitizer and UndefinedBehaviorSanitizer, and the AVA suite. The last line says `N passed, N failed`;
// a step that fails as a whole counts as one.

import { addCounts, compileTests, printCounts, runAva } from './ava.mjs'
import { lint } from './lint.mjs'
import { setup } from './setup.mjs'
import { at, Failure, findProgram, main, observe, run, say } from './steps.mjs'

const counts = { passed: 0, failed: 0 }

/** Runs a step; what it throws is shown and counted, and the next step runs all the same. */
async function step(name, action) {
  try {
    addCounts(counts, await action())
  } catch (error) {
    console.error(error instanceof Failure ? error.message : error)
    console.error(`✘ ${name}`)
    counts.failed += 1
  }
}

/** The engine's tests, which need no Node. They print a line of TAP a test. */
async function nativeTests() {
  say('Native tests, with AddressSanitizer and UndefinedBehaviorSanitizer')
  const folder = at('build/native-tests')
  const generator = findProgram('ninja') ? ['-G', 'Ninja'] : []
  const settings = {
    CMAKE_BUILD_TYPE: 'Debug',
    AIOMQTT_TESTS: 'ON',
    AIOMQTT_SANITIZE: 'address,undefined',
    AIOMQTT_WARNINGS_AS_ERRORS: 'ON',
  }
  const flags = Object.entries(settings).map(([name, value]) => `-D${name}=${value}`)
  run('cmake', ['-S', at('.'), '-B', folder, ...generator, ...flags, '--log-level=WARNING'])
  run('cmake', ['--build', folder, '--parallel', '2'])
  const { code, output } = await observe('ctest', ['--test-dir', folder, '--verbose'])
  const passed = output.match(/^\d+: ok\b/gm)?.length ?? 0
  const failed = output.match(/^\d+: not ok\b/gm)?.length ?? 0
  if (passed === 0 && failed === 0) throw new Failure('The native tests printed no result.')
  return { passed, failed: code !== 0 && failed === 0 ? 1 : failed }
}

await main(async () => {
  await step('Setup', () => setup({ servers: true }))
  if (counts.failed === 0) {
    await step('Lint and format', () => lint())
    await step('Native tests', nativeTests)
    await step('Compiling the tests', compileTests)
    await step('Tests', () => runAva())
  }
  printCounts(counts)
})
