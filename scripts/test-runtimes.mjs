// npm run test:runtimes: the core of the integration tests, over every way to the broker, and the tests of the store, on
// the other runtimes that load Node's native addons. Needs the npm packages of these, which it fetches.
//
//   node scripts/test-runtimes.mjs [bun|deno] [way ...]

import { pathToFileURL } from 'node:url'
import { addCounts, CORE, compileTests, observeAva, printCounts } from './ava.mjs'
import { provideRuntime } from './runtimes.mjs'
import { setup } from './setup.mjs'
import { at, main, say } from './steps.mjs'

const PRELOAD = at('scripts/runtime-preload.mjs')
const STORE = 'build/test/store/*.test.js'

/**
 * How each is started, and the tests that it fails for reasons of its own; docs/works-with.md says what that means for
 * users.
 */
const RUNTIMES = {
  bun: {
    command: (bun) => [bun, '--preload', PRELOAD],
    flags: ['--worker-threads'],
    // Bun's stacks have a frame more.
    lacks: { all: ['a stack starts at the line that called'] },
  },
  deno: {
    command: (deno) => [deno, 'run', '--allow-all', '--node-modules-dir=manual', '--preload', PRELOAD],
    flags: [],
    lacks: {},
  },
}

await main(async () => {
  setup({ servers: true })
  compileTests()
  const { ways } = await import(pathToFileURL(at('build/test/helpers/ways.js')))
  const asked = process.argv.slice(2)
  const counts = { passed: 0, failed: 0 }
  for (const [name, { command, flags, lacks }] of Object.entries(RUNTIMES)) {
    if (asked.some((word) => word in RUNTIMES) && !asked.includes(name)) continue
    const program = command(provideRuntime(name))
    const results = { passed: 0, failed: 0 }
    for (const way of Object.keys(ways)) {
      if (asked.some((word) => word in ways) && !asked.includes(way)) continue
      say(`${name} over ${way}`)
      const files = way === 'tcp' ? [...CORE, STORE] : CORE
      const without = [...(lacks.all ?? []), ...(lacks[way] ?? [])].map((title) => `--match=!${title}`)
      const environment = { AIOMQTT_TEST_WAY: way, AIOMQTT_TEST_SLOWNESS: '3' }
      addCounts(
        results,
        await observeAva(program, [...files, ...flags, ...without, '--timeout=3m'], environment),
      )
    }
    console.log(`${name}: ${results.passed} passed, ${results.failed} failed`)
    addCounts(counts, results)
  }
  printCounts(counts)
})
