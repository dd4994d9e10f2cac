// npm run test:prebuilds: the binaries for Linux, each with a Node of its own architecture (under qemu where that is not
// this machine's), run the core of the integration tests over TCP and TLS, with Mosquitto. Where binaries are made for
// this machine alone (not on Debian), that one, with this Node.
//
//   node scripts/test-prebuilds.mjs [x64|arm64|arm ...]

import { existsSync } from 'node:fs'
import { fetchProgram, hasApt } from '../deps/debian.mjs'
import { provideSysroot } from '../deps/sysroot.mjs'
import { addCounts, CORE, compileTests, observeAva, printCounts } from './ava.mjs'
import { provideNode } from './nodes.mjs'
import { LINUX, prebuildify } from './prebuildify.mjs'
import { setup } from './setup.mjs'
import { at, findProgram, main, say } from './steps.mjs'

/** Node's oldest version that is supported; the newer ones are no longer made for arm. */
const NODE = '20'

/** What qemu calls the architectures. */
const EMULATORS = { arm64: 'qemu-aarch64', arm: 'qemu-arm' }

function provideEmulator(name) {
  const found = findProgram(name)
  if (found) return found
  const program = at('build/tools/qemu-user', name)
  if (!existsSync(program)) {
    say("Fetching Debian's qemu-user, into build/tools")
    fetchProgram('qemu-user', {
      path: `usr/bin/${name}`,
      probe: '--version',
      helpers: Object.values(EMULATORS),
    })
  }
  return program
}

/** The command that runs a Node of this architecture here. */
function commandOf(arch) {
  if (!hasApt()) return [process.execPath]
  const node = provideNode(NODE, arch)
  return arch === process.arch
    ? [node]
    : [provideEmulator(EMULATORS[arch]), '-L', provideSysroot(arch, say), node]
}

await main(async () => {
  setup({ servers: ['mosquitto'] })
  compileTests()
  const asked = process.argv.slice(2)
  const architectures = asked.length > 0 ? asked : hasApt() ? LINUX : [process.arch]
  const { platform } = process
  const missing = architectures.filter((arch) => !existsSync(at('prebuilds', `${platform}-${arch}`)))
  if (missing.length > 0) prebuildify(missing)
  const counts = { passed: 0, failed: 0 }
  for (const arch of architectures) {
    const command = commandOf(arch)
    const started = Date.now()
    const results = { passed: 0, failed: 0 }
    for (const way of ['tcp', 'tls']) {
      say(`${platform}-${arch} over ${way}`)
      // Under qemu a process cannot start another one of its kind.
      const files = [
        ...CORE,
        '--timeout=5m',
        ...(arch === process.arch ? [] : ['--worker-threads', '--serial']),
      ]
      addCounts(
        results,
        await observeAva(command, files, {
          AIOMQTT_TEST_WAY: way,
          AIOMQTT_TEST_SLOWNESS: arch === process.arch ? '1' : '5',
        }),
      )
    }
    const seconds = Math.round((Date.now() - started) / 1000)
    console.log(`${platform}-${arch}: ${results.passed} passed, ${results.failed} failed, ${seconds} s`)
    addCounts(counts, results)
  }
  printCounts(counts)
})
