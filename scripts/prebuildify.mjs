// npm run prebuildify: prebuilt addons, stripped, as prebuilds/<platform>-<arch>/aiomqtt.node. Those for
// Linux serve glibc and musl.
//
//   node scripts/prebuildify.mjs [--arch x64|arm64|arm|all] [--out <folder>]
//
// --arch: for which architectures; this machine's by default. On Debian all are made by one clang, against an old C
// library (deps/sysroot.mjs); elsewhere this machine's compiler makes this machine's.
// --out: the folder that gets prebuilds/; the repository by default.

import { spawnSync } from 'node:child_process'
import { mkdirSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { hasApt, multiarchTriplet } from '../deps/debian.mjs'
import { provideSysroot } from '../deps/sysroot.mjs'
import { provideClang } from './clang.mjs'
import { addonInputs, setup } from './setup.mjs'
import { at, Failure, isMain, main, markDone, root, runPackage, say } from './steps.mjs'

/** The architectures of Linux that binaries are made for: Node's own. */
export const LINUX = ['x64', 'arm64', 'arm']

/** The newest glibc that a binary for Linux may ask for; Node 20 itself asks for 2.28. */
const NEWEST_GLIBC = '2.17'
/** The only libraries that a binary for Linux may need. All are glibc's; musl's loader takes their names for its own. */
const LIBRARIES = /^(libc|libm|libpthread|libdl)\.so\.\d$/

/**
 * Makes prebuilt addons.
 *
 * @param {string[]} architectures Node's names
 * @param {string} [out] the folder that gets prebuilds/
 * @throws {Failure} when one cannot be made here, or needs more than it may
 */
export function prebuildify(architectures, out = root) {
  setup()
  for (const arch of architectures) {
    say(`Making the prebuilt binary for ${process.platform}-${arch}`)
    const [addon, strip] = hasApt() ? buildForDebian(arch) : buildHere(arch)
    // prebuildify moves the binary that it is given out of <cwd>/build/Release, so it gets a folder of its own.
    const cwd = at('build/prebuildify', arch)
    mkdirSync(cwd, { recursive: true })
    const args = ['--napi', '--strip', '--name', 'aiomqtt', '--arch', arch, '--cwd', cwd, '--out', out]
    runPackage('prebuildify/bin.js', args, {
      env: {
        ...process.env,
        AIOMQTT_PREBUILT: addon,
        PREBUILD_NODE_GYP: at('scripts/prebuildify-build.mjs'),
        ...(strip && { PREBUILD_STRIP_BIN: strip }),
      },
    })
  }
  if (out === root && architectures.includes(process.arch)) {
    markDone('prebuild', `${addonInputs()} ${process.platform}-${process.arch}`)
  }
}

function buildHere(arch) {
  if (arch !== process.arch) {
    throw new Failure(
      `A binary for ${arch} cannot be made here: on ${process.platform} each is made on its own kind.`,
    )
  }
  return [at('build/Release/aiomqtt.node'), null]
}

function buildForDebian(arch) {
  if (!LINUX.includes(arch))
    throw new Failure(`Unknown architecture ${arch}. It can be ${LINUX.join(', ')} or all.`)
  const { compiler, tool } = provideClang()
  const folder = at('build/cross', arch)
  const settings = {
    AIOMQTT_OUTPUT: folder,
    CMAKE_CXX_COMPILER: compiler,
    CMAKE_CXX_COMPILER_TARGET: multiarchTriplet(arch),
    CMAKE_EXE_LINKER_FLAGS: '-fuse-ld=lld',
    CMAKE_MODULE_LINKER_FLAGS: '-fuse-ld=lld',
    CMAKE_SYSROOT: provideSysroot(arch, say),
    CMAKE_SYSTEM_NAME: 'Linux',
  }
  runPackage(
    'cmake-js/bin/cmake-js',
    [
      'build',
      ...['--directory', root],
      ...['--out', `${folder}/cmake`],
      ...['--arch', arch],
      ...['--parallel', '2'],
      ...['--log-level', 'error'],
      ...Object.entries(settings).map(([name, value]) => `--CD${name}=${value}`),
    ],
    // deps/prepare.mjs takes its tools from here.
    { env: { ...process.env, AR: tool('llvm-ar'), NM: tool('llvm-nm'), OBJCOPY: tool('llvm-objcopy') } },
  )
  const addon = `${folder}/aiomqtt.node`
  checkNeeds(addon, tool('llvm-readelf'))
  return [addon, tool('llvm-strip')]
}

function checkNeeds(addon, readelf) {
  const { stdout, status } = spawnSync(readelf, ['--dynamic', '--version-info', addon], { encoding: 'utf8' })
  if (status !== 0) throw new Failure(`${readelf} could not read ${addon}.`)
  const libraries = [...stdout.matchAll(/\(NEEDED\)\s+Shared library: \[(.+)\]/g)].map(([, name]) => name)
  const versions = [...stdout.matchAll(/Name: GLIBC_([\d.]+)/g)].map(([, version]) => version)
  const strangers = libraries.filter((name) => !LIBRARIES.test(name))
  const newest = versions.sort((a, b) => a.localeCompare(b, 'en', { numeric: true })).at(-1)
  console.log(`needs glibc ${newest} and ${libraries.join(', ')}`)
  if (libraries.length === 0 || newest === undefined)
    throw new Failure(`${addon} does not say what it needs.`)
  if (strangers.length > 0) throw new Failure(`${addon} may not need ${strangers.join(', ')}.`)
  if (newest.localeCompare(NEWEST_GLIBC, 'en', { numeric: true }) > 0) {
    throw new Failure(`${addon} needs glibc ${newest}; ${NEWEST_GLIBC} is the newest that it may need.`)
  }
}

if (isMain(import.meta.url)) {
  await main(() => {
    const { values } = parseArgs({
      options: { arch: { type: 'string', default: process.arch }, out: { type: 'string', default: root } },
    })
    prebuildify(values.arch === 'all' ? LINUX : [values.arch], values.out)
  })
}
