// One clang for everything that the system's compiler cannot do: fuzzers, and binaries for other architectures.

import { existsSync, writeFileSync } from 'node:fs'
import { fetchProgram, hasApt } from '../deps/debian.mjs'
import { at, Failure, say } from './steps.mjs'

/** The oldest clang that compiles our sources with Debian's C++ library, and the release of Debian that has it. */
const VERSION = 16
const RELEASE = 'bookworm'

/** What has to be there beside the compiler. */
const TOOLS = ['ld.lld', 'llvm-ar', 'llvm-nm', 'llvm-objcopy', 'llvm-readelf', 'llvm-strip']

/** Debian's packages of it all: compiler, headers, runtime of fuzzers and sanitizers, linker, tools. */
const PACKAGES = ['libclang-common-N-dev', 'libclang-rt-N-dev', 'lld-N', 'llvm-N'].map((name) =>
  name.replace('N', String(VERSION)),
)

/**
 * Finds or fetches clang with its linker and tools.
 *
 * @returns {{ compiler: string, tool: (name: string) => string }} the path of clang++, and those of its tools
 * @throws {Failure} that names the packages and the command to type
 */
export function provideClang() {
  const system = `/usr/lib/llvm-${VERSION}`
  const runtime = `${system}/lib/clang/${VERSION}/lib/linux`
  const isInstalled = [...['clang++', ...TOOLS].map((name) => `${system}/bin/${name}`), runtime].every(
    existsSync,
  )
  const folder = isInstalled ? `${system}/bin` : at(`build/tools/clang-${VERSION}`)
  if (!isInstalled && !['clang++', ...TOOLS].every((name) => existsSync(`${folder}/${name}`)))
    fetchClang(folder)
  return { compiler: `${folder}/clang++`, tool: (name) => `${folder}/${name}` }
}

function fetchClang(folder) {
  const name = `clang-${VERSION}`
  const advice = `Install the packages: sudo apt-get install ${[name, ...PACKAGES].join(' ')}`
  if (!hasApt()) throw new Failure(`${name} with its linker and tools was not found.\n${advice}`)
  say(`Fetching Debian's ${name}, into build/tools`)
  try {
    const clang = fetchProgram(name, {
      path: `usr/lib/llvm-${VERSION}/bin/clang`,
      probe: '--version',
      others: PACKAGES,
      helpers: TOOLS,
      release: RELEASE,
    })
    writeFileSync(`${folder}/clang++`, `#!/bin/sh\nexec '${clang}' --driver-mode=g++ "$@"\n`, { mode: 0o755 })
  } catch (error) {
    throw new Failure(`${name} could not be fetched: ${error.message}\n${advice}`)
  }
}
