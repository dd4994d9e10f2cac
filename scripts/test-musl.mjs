// npm run test:musl: the prebuilt binary for Linux x64 in a process of musl, which no glibc is part of: the core of the
// integration tests on Bun for musl, loaded by Debian's musl. Needs npm's and Debian's packages of these, and a C compiler.
//
//   node scripts/test-musl.mjs [way ...]

import { copyFileSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { multiarchTriplet } from '../deps/debian.mjs'
import { addCounts, CORE, compileTests, observeAva, printCounts } from './ava.mjs'
import { prebuildify } from './prebuildify.mjs'
import { provideRuntime } from './runtimes.mjs'
import { setup } from './setup.mjs'
import { at, Failure, main, readTools, run, say } from './steps.mjs'

/** Bun needs a C++ runtime, and Debian's is for glibc. */
function provideRuntimeLibraries() {
  const folder = at('build/musl')
  mkdirSync(folder, { recursive: true })
  for (const name of ['libstdc++.so.6', 'libgcc_s.so.1']) {
    const places = [`/usr/lib/${multiarchTriplet()}`, `/lib/${multiarchTriplet()}`]
    const place = places.map((parent) => join(parent, name)).find(existsSync)
    if (place === undefined)
      throw new Failure(`${name} not found. Install the packages libstdc++6 and libgcc-s1.`)
    copyFileSync(place, join(folder, name))
  }
  const loader = 'ld-linux-x86-64.so.2'
  const flags = ['-shared', '-fPIC', '-O1', '-nostdlib', '-U_FORTIFY_SOURCE', `-Wl,-soname,${loader}`]
  run('cc', [...flags, '-o', join(folder, loader), at('native/tests/musl/glibc_names.c')])
  return folder
}

/**
 * Bun for musl refuses a binary by the names of the libraries that it needs, which musl's loader takes for itself. A copy
 * without the names is the same binary to musl.
 */
function withoutNames(binary, copy) {
  const bytes = readFileSync(binary)
  const [PT_DYNAMIC, DT_NEEDED, DT_DEBUG] = [2, 1n, 21n]
  const [headers, size, count] = [
    Number(bytes.readBigUInt64LE(32)),
    bytes.readUInt16LE(54),
    bytes.readUInt16LE(56),
  ]
  for (let header = headers; header < headers + count * size; header += size) {
    if (bytes.readUInt32LE(header) !== PT_DYNAMIC) continue
    const start = Number(bytes.readBigUInt64LE(header + 8))
    const end = start + Number(bytes.readBigUInt64LE(header + 32))
    for (let entry = start; entry < end; entry += 16) {
      if (bytes.readBigUInt64LE(entry) === DT_NEEDED) bytes.writeBigUInt64LE(DT_DEBUG, entry)
    }
  }
  writeFileSync(copy, bytes)
  return copy
}

function loaderOfMusl() {
  const path = '/lib/x86_64-linux-musl/libc.so'
  const tool = readTools().musl
  // Debian 13 has it in /usr/lib, and /lib is a link to that.
  const fetched = tool ? [path, `usr${path}`].map((place) => join(dirname(tool), place)) : []
  const found = [path, ...fetched].find(existsSync)
  if (found === undefined)
    throw new Failure('musl not found.\nInstall the package: sudo apt-get install musl')
  return found
}

await main(async () => {
  setup({ servers: ['mosquitto', 'musl'] })
  compileTests()
  if (!existsSync(at('prebuilds/linux-x64'))) prebuildify(['x64'])
  const libraries = provideRuntimeLibraries()
  const addon = withoutNames(at('prebuilds/linux-x64/aiomqtt.node'), join(libraries, 'aiomqtt.node'))
  const command = [
    loaderOfMusl(),
    ...['--library-path', libraries],
    provideRuntime('bun', 'musl'),
    ...['--preload', at('scripts/runtime-preload.mjs')],
  ]
  const asked = process.argv.slice(2)
  const counts = { passed: 0, failed: 0 }
  for (const way of asked.length > 0 ? asked : ['tcp', 'tls']) {
    say(`musl over ${way}`)
    const flags = ['--worker-threads', '--timeout=3m', '--match=!a stack starts at the line that called']
    addCounts(
      counts,
      await observeAva(command, [...CORE, ...flags], {
        AIOMQTT_ADDON: addon,
        AIOMQTT_TEST_WAY: way,
        AIOMQTT_TEST_SLOWNESS: '3',
      }),
    )
  }
  printCounts(counts)
})
