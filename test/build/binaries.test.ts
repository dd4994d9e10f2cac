import { spawnSync } from 'node:child_process'
import { rmSync } from 'node:fs'
import { join } from 'node:path'
import test from 'ava'
import { node, onlyFile, PackageCopy, platform, root } from './package-copy.js'

const minutes = 60_000

/** Kept between runs, so that node-gyp compiles only what has changed. */
const gypFolder = join(root, 'build/gyp-test')
const prebuildFolder = join(root, 'build/prebuild-test')
const prebuilt = join(prebuildFolder, 'prebuilds', platform)

test.before('prebuildify makes a binary for this platform', (t) => {
  t.timeout(10 * minutes)
  rmSync(prebuildFolder, { recursive: true, force: true })
  const { status, stdout, stderr } = node(['scripts/prebuildify.mjs', '--out', prebuildFolder])
  t.is(status, 0, stdout + stderr)
})

test('node-gyp builds the addon from the same sources, without a warning', (t) => {
  t.timeout(10 * minutes)
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

function readElf(what: string, path: string): string {
  const { status, stdout, stderr } = spawnSync('readelf', ['--wide', what, path], { encoding: 'utf8' })
  if (status !== 0) throw new Error(stderr)
  return stdout
}
