// npm run lint: Biome over TypeScript, JavaScript and JSON, clang-format over the native code.
//
//   node scripts/lint.mjs [--write] [--tidy]
//
// --write puts in order what tools can; --tidy also runs clang-tidy, which takes minutes.

import { existsSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { fetchProgram, hasApt } from '../deps/debian.mjs'
import { checkBoundary } from './boundary.mjs'
import { setup } from './setup.mjs'
import { at, Failure, filesBelow, findProgram, isMain, main, run, runPackage, say } from './steps.mjs'

/**
 * @param {{ write?: boolean }} [options]
 * @throws {Failure} when something is not in order
 */
export function lint({ write = false } = {}) {
  say('Biome')
  runPackage('@biomejs/biome/bin/biome', ['check', '--error-on-warnings', ...(write ? ['--write'] : []), '.'])
  say('The native boundary')
  checkBoundary({ write })
  say('clang-format')
  const mode = write ? ['-i'] : ['--dry-run', '--Werror']
  runPackage('clang-format-node/build/cli.js', [...mode, ...nativeFiles(/\.(cpp|h)$/)])
}

/** clang-tidy over all native sources, as the developers' build compiles them. */
function tidy() {
  setup()
  const program = findTidy()
  say('clang-tidy')
  run(program, [
    '-p',
    at('build/cmake'),
    '--quiet',
    '--warnings-as-errors=*',
    ...nativeFiles(/native.(?!tests|bench).*\.cpp$/),
  ])
}

function findTidy() {
  const found = findProgram('clang-tidy') ?? findProgram('clang-tidy-14')
  if (found) return found
  const fetched = at('build/tools/clang-tidy-14/run')
  if (existsSync(fetched)) return fetched
  const advice = 'Install the package clang-tidy: sudo apt-get install clang-tidy'
  if (!hasApt()) throw new Failure(`clang-tidy was not found.\n${advice}`)
  say("Fetching Debian's clang-tidy-14, into build/tools")
  try {
    return fetchProgram('clang-tidy-14', {
      path: 'usr/lib/llvm-14/bin/clang-tidy',
      probe: '--version',
      release: 'bookworm',
    })
  } catch (error) {
    throw new Failure(`clang-tidy could not be fetched: ${error.message}\n${advice}`)
  }
}

function nativeFiles(pattern) {
  return filesBelow('native', (file) => pattern.test(file))
}

if (isMain(import.meta.url)) {
  await main(() => {
    const options = { write: { type: 'boolean', default: false }, tidy: { type: 'boolean', default: false } }
    const { values } = parseArgs({ options })
    lint(values)
    if (values.tidy) tidy()
  })
}
