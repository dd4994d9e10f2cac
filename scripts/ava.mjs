// The AVA suite: compiling it, running it, counting its results.

import { existsSync } from 'node:fs'
import { pathToFileURL } from 'node:url'
import { compileTypeScript } from './compile.mjs'
import { at, filesBelow, hashFiles, isDone, markDone, observe, say } from './steps.mjs'

/**
 * What a run has come to. Each failure is a title, as the runner shows it.
 *
 * @typedef {{ passed: number, failed: number, failures?: string[] }} Counts
 */

/** What has to hold over every way to the broker, and for every binary. */
export const CORE = ['brokers', 'calls', 'messages', 'properties', 'queues', 'sessions', 'wills'].map(
  (name) => `build/test/integration/${name}.test.js`,
)

/** Compiles test/ to build/test/, where AVA finds it. */
export function compileTests() {
  const declarations = filesBelow('dist', (file) => file.endsWith('.d.ts'))
  const inputs = hashFiles(['tsconfig.json', 'package-lock.json', ...declarations, ...filesBelow('test')])
  if (existsSync(at('build/test')) && isDone('tests', inputs)) return
  say('Compiling the tests')
  compileTypeScript('test/tsconfig.json', 'test', 'build/test')
  markDone('tests', inputs)
}

/**
 * Runs the compiled suite, or some of its files.
 *
 * @param {string} [node] the Node to run it with
 * @param {string[]} [files] arguments of AVA's
 * @returns {Promise<Counts>}
 */
export async function runAva(node = process.execPath, files = []) {
  say(`AVA on ${node}`)
  return await observeAva([node], files, {})
}

/** So many runs go on at a time: each waits for most of its time. */
const WAYS_AT_ONCE = 2

/**
 * Runs the integration tests over every way to the broker but TCP, which `runAva()` has.
 *
 * @returns {Promise<Counts>}
 */
export async function runWays() {
  const { ways } = await import(pathToFileURL(at('build/test/helpers/ways.js')))
  const left = Object.keys(ways).filter((name) => name !== 'tcp')
  const counts = { passed: 0, failed: 0 }
  const runSome = async () => {
    for (let way = left.shift(); way !== undefined; way = left.shift()) {
      const heading = `The integration tests over ${way}`
      const environment = { AIOMQTT_TEST_WAY: way }
      const results = await observeAva([process.execPath], CORE, environment, heading)
      addCounts(counts, { ...results, failures: results.failures.map((title) => `${way}: ${title}`) })
    }
  }
  await Promise.all(Array.from({ length: WAYS_AT_ONCE }, runSome))
  return counts
}

/**
 * Runs AVA and counts its results.
 *
 * @param {string[]} command Node, after the program that runs it if there is one
 * @param {string[]} files arguments of AVA's
 * @param {Record<string, string>} environment added to this process's
 * @param {string} [heading] as for `observe()`
 * @returns {Promise<Counts>}
 */
export async function observeAva(command, files, environment, heading) {
  const [program, ...before] = command
  const node = command.at(-1)
  const { code, output } = await observe(
    program,
    [...before, at('node_modules/ava/entrypoints/cli.mjs'), ...files],
    {
      env: { ...process.env, ...environment, npm_node_execpath: node, NODE: node },
    },
    heading,
  )
  // AVA sums up what passed only when nothing failed; its line for each test is there in either case.
  const passed = output.match(/^\s*✔ /gm)?.length ?? 0
  const failed = number(
    output,
    /^\s*(\d+) (?:(?:hooks?|tests?) failed|uncaught exceptions?|unhandled rejections?)/gm,
  )
  const failures = [...output.matchAll(FAILURE)].map(([, title, file]) => title ?? file)
  return { passed, failed: code !== 0 && failed === 0 ? 1 : failed, failures }
}

/** A failed test, a file that ended badly, or a test that was pending when its time was up. */
const FAILURE = /^\s*(?:✘(?: \[fail\]:)?|◌) (.*)$|^\s*((?:Uncaught exception|Unhandled rejection) in .*)$/gm

function number(text, pattern) {
  return [...text.matchAll(pattern)].reduce((sum, [, digits]) => sum + Number(digits), 0)
}

/** Adds results, where a step has any. */
export function addCounts(counts, results) {
  counts.passed += results?.passed ?? 0
  counts.failed += results?.failed ?? 0
  counts.failures = [...(counts.failures ?? []), ...(results?.failures ?? [])]
}

/** The last lines of a run, what has failed before the counts, and its exit code. */
export function printCounts({ passed, failed, failures = [] }) {
  for (const title of failures) console.log(`✘ ${title}`)
  console.log(`${passed} passed, ${failed} failed`)
  process.exitCode = failed === 0 && passed > 0 ? 0 : 1
}
