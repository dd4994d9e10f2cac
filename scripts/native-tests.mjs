// The engine's tests, which need no Node: building them with sanitizers, running them, counting their results.

import { at, Failure, findProgram, observe, run } from './steps.mjs'

/**
 * Builds part of CMakeLists.txt outside Node, in a folder of its own below build/.
 *
 * @param {string} name the folder
 * @param {string} sanitizers as `-fsanitize=` takes them
 * @param {Record<string, string>} [settings] further CMake variables
 * @returns {string} the folder's path
 * @throws {Failure}
 */
export function buildNative(name, sanitizers, settings = {}) {
  const folder = at('build', name)
  const generator = findProgram('ninja') ? ['-G', 'Ninja'] : []
  const all = {
    CMAKE_BUILD_TYPE: 'Debug',
    AIOMQTT_SANITIZE: sanitizers,
    AIOMQTT_WARNINGS_AS_ERRORS: 'ON',
    ...settings,
  }
  const flags = Object.entries(all).map(([variable, value]) => `-D${variable}=${value}`)
  run('cmake', ['-S', at('.'), '-B', folder, ...generator, ...flags, '--log-level=WARNING'])
  run('cmake', ['--build', folder, '--parallel', '2'])
  return folder
}

/**
 * Builds the native tests and runs them. They print a line of TAP a test.
 *
 * @param {string} name the folder, as for `buildNative()`
 * @param {string} sanitizers
 * @returns {Promise<import('./ava.mjs').Counts>}
 * @throws {Failure}
 */
export async function runNativeTests(name, sanitizers) {
  const folder = buildNative(name, sanitizers, { AIOMQTT_TESTS: 'ON' })
  const { code, output } = await observe('ctest', ['--test-dir', folder, '--verbose', '--parallel', '2'])
  const passed = output.match(/^\d+: ok\b/gm)?.length ?? 0
  const failures = [...matches(output, /^\d+: not ok \d+ - (.*)$/gm), ...brokenOff(output)]
  if (passed === 0 && failures.length === 0) throw new Failure('The native tests printed no result.')
  return { passed, failed: code !== 0 && failures.length === 0 ? 1 : failures.length, failures }
}

/** Where a program ended in the middle of a test, as a sanitizer ends it. */
function brokenOff(output) {
  const failures = []
  for (const [, program, planned] of output.matchAll(/^(\d+): 1\.\.(\d+)$/gm)) {
    const results = matches(output, new RegExp(`^${program}: ((?:not )?ok \\d+ - .*)$`, 'gm'))
    const last = results.at(-1) ?? 'the start'
    if (results.length < planned && !last.startsWith('not')) failures.push(`the native test after: ${last}`)
  }
  return failures
}

function matches(text, pattern) {
  return [...text.matchAll(pattern)].map(([, match]) => match)
}
