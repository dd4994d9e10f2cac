import { spawnSync } from 'node:child_process'
import { existsSync, readFileSync, rmSync } from 'node:fs'
import { dirname, join } from 'node:path'
import test from 'ava'
import { allowMinutes } from '../helpers/deadline.js'
import { node, onlyFile, PackageCopy, platform, root } from './package-copy.js'

/** Kept between runs, so that node-gyp compiles only what has changed. */
const gypFolder = join(root, 'build/gyp-test')
const prebuildFolder = join(root, 'build/prebuild-test')
const prebuilt = join(prebuildFolder, 'prebuilds', platform)

test.before('prebuildify makes a binary for this platform', (t) => {
  allowMinutes(t, 5)
  rmSync(prebuildFolder, { recursive: true, force: true })
  const { status, stdout, stderr } = node(['scripts/prebuildify.mjs', '--out', prebuildFolder])
  t.is(status, 0, stdout + stderr)
})

test('node-gyp builds the addon from the same sources, without a warning', (t) => {
  allowMinutes(t, 5)
  const { status, stdout, stderr } = node(['scripts/build-gyp.mjs', '--folder', gypFolder], {
    env: { ...process.env, CXXFLAGS: '-Werror' },
  })
  t.is(status, 0, stdout + stderr)
  const { stdout: version } = node([
    '--print',
    'require(process.argv[1]).pahoVersion',
    join(gypFolder, addonPath),
  ])
  t.regex(version, /^\d+\.\d+\.\d+\n$/)
})

const addonPath = 'build/Release/aiomqtt.node'

test('a prebuilt binary is preferred to one that was built here', (t) => {
  const copy = new PackageCopy()
  t.teardown(() => copy.remove())
  copy.put(addonPath, 'not a binary')
  copy.addPrebuilds(join(prebuildFolder, 'prebuilds'))
  t.regex(copy.load().pahoVersion ?? '', /^\d+\.\d+\.\d+$/)
})

const binaries: Array<[builder: string, path: () => string]> = [
  ['prebuildify', () => onlyFile(prebuilt, '.node')],
  ['cmake-js', () => join(root, addonPath)],
]

for (const [builder, path] of binaries) {
  const elf = process.platform === 'linux' ? test : test.skip

  elf(`the binary of ${builder} needs nothing but libc at run time`, (t) => {
    const needed = [...readElf('--dynamic', path()).matchAll(/\(NEEDED\).*\[(.+)\]/g)].map(([, name]) => name)
    t.true(needed.length > 0)
    t.deepEqual(
      needed.filter(
        (name) => !/^(libc|libm|libpthread|libdl|librt|ld-[\w-]+|libc\.musl-\w+)\.so/.test(name ?? ''),
      ),
      [],
    )
  })

  elf(`the binary of ${builder} stays in memory when the worker that loaded it ends`, (t) => {
    t.regex(readElf('--dynamic', path()), /FLAGS_1.*NODELETE/)
  })

  elf(
    `the binary of ${builder} is hardened: read-only relocations, bound at once, no executable stack`,
    (t) => {
      const dynamic = readElf('--dynamic', path())
      t.regex(dynamic, /\(FLAGS\).*BIND_NOW|\(BIND_NOW\)/)
      t.regex(dynamic, /\(FLAGS_1\).*NOW/)
      t.notRegex(dynamic, /TEXTREL|RPATH|RUNPATH/)
      const segments = readElf('--program-headers', path())
      t.regex(segments, /^\s*GNU_RELRO\s/m)
      t.regex(segments, /^\s*GNU_STACK\s+(0x\w+\s+)+RW\s/m)
      t.notRegex(segments, /^\s*LOAD\s.*\bRWE\b/m)
    },
  )

  elf(`the binary of ${builder} exports only what Node looks for`, (t) => {
    const symbols = readElf('--dyn-syms', path())
      .split('\n')
      .map((line) => line.trim().split(/\s+/))
      .filter(
        ([, , , , binding, , section]) =>
          binding !== 'LOCAL' && section !== 'UND' && /^\d+$/.test(section ?? ''),
      )
      .map(([, , , , , , , name]) => name)
    t.deepEqual(symbols.sort(), ['napi_register_module_v1', 'node_api_module_get_api_version_v1'])
  })
}

/** Debian's musl, when the setup could have it. */
const musl = toolPath('musl')
const withMusl = process.platform === 'linux' && process.arch === 'x64' && musl !== null ? test : test.skip

withMusl('the prebuilt binary asks for nothing that only glibc has: musl takes it, too', (t) => {
  const binary = onlyFile(prebuilt, '.node')
  const libraries = [...readElf('--dynamic', binary).matchAll(/\(NEEDED\).*\[(.+)\]/g)].map(
    ([, name]) => name,
  )
  // musl's loader takes these names for its own.
  t.deepEqual(
    libraries.filter((name) => !/^lib(c|m|pthread|dl)\.so\./.test(name ?? '')),
    [],
  )
  const has = new Set(symbols(musl as string, (section) => section !== 'UND'))
  t.true(has.has('malloc'))
  const wants = symbols(binary, (section, binding) => section === 'UND' && binding !== 'WEAK')
  t.true(wants.includes('malloc'))
  t.deepEqual(
    wants.filter((name) => !has.has(name) && !/^(napi|node_api)_/.test(name)),
    [],
  )
})

/** The names of a binary's dynamic symbols, without the versions that glibc gives to them. */
function symbols(path: string, accept: (section: string, binding: string) => boolean): string[] {
  return readElf('--dyn-syms', path)
    .split('\n')
    .map((line) => line.trim().split(/\s+/))
    .filter(([number, , , , binding = '', , section = '', name]) => {
      return /^\d+:$/.test(number ?? '') && name !== undefined && accept(section, binding)
    })
    .map(([, , , , , , , name = '']) => name.replace(/@.*/, ''))
}

function toolPath(name: string): string | null {
  const file = join(root, 'build/tools.json')
  const path = existsSync(file) ? JSON.parse(readFileSync(file, 'utf8'))[name] : undefined
  if (path === undefined) return null
  const library = 'lib/x86_64-linux-musl/libc.so'
  // Debian 13 has it in /usr/lib, and /lib is a link to that.
  return (
    ['/', dirname(path), join(dirname(path), 'usr')].map((place) => join(place, library)).find(existsSync) ??
    null
  )
}

function readElf(what: string, path: string): string {
  const { status, stdout, stderr } = spawnSync('readelf', ['--wide', what, path], { encoding: 'utf8' })
  if (status !== 0) throw new Error(stderr)
  return stdout
}
