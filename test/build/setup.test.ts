import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { node, root } from './package-copy.js'

/** A clone in a temporary folder, with the packages and the downloads of this one. */
function clone(t: ExecutionContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'aiomqtt-clone-'))
  t.teardown(() => rmSync(folder, { recursive: true, force: true }))
  for (const name of ['scripts', 'deps', 'native', 'package.json', 'package-lock.json', 'CMakeLists.txt']) {
    cpSync(join(root, name), join(folder, name), { recursive: true })
  }
  symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'), 'junction')
  mkdirSync(join(folder, 'build'))
  const downloads = join(root, 'build/downloads')
  if (existsSync(downloads)) cpSync(downloads, join(folder, 'build/downloads'), { recursive: true })
  return folder
}

/** Changes a text file. */
function edit(path: string, from: string | RegExp, to: string): void {
  const before = readFileSync(path, 'utf8')
  const after = before.replace(from, to)
  if (after === before) throw new Error(`${path} has nothing like ${from}`)
  writeFileSync(path, after)
}

test('a second setup finds nothing to do, and takes well under two seconds of work', (t) => {
  // Processor time, since other tests are busy at the same time.
  const program = `
    import { setup } from './scripts/setup.mjs'
    setup({ servers: true })
    const { user, system } = process.cpuUsage()
    console.log((user + system) / 1e6)`
  const { status, stdout, stderr } = node(['--input-type=module', '--eval', program])
  t.is(status, 0, stderr)
  t.regex(stdout, /^\d+\.\d+\n$/)
  t.true(Number(stdout) < 1, `it took ${stdout} s`)
})

test('without CMake and a compiler, setup names the packages and the command to type', (t) => {
  const folder = clone(t)
  cpSync(join(root, 'build/paho'), join(folder, 'build/paho'), { recursive: true })
  const { status, stderr } = node(['scripts/setup.mjs'], { cwd: folder, env: { PATH: '/nowhere' } })
  t.is(status, 1)
  t.regex(stderr, /CMake, A C\+\+ compiler, make not found/)
  if (process.platform === 'linux') t.regex(stderr, /sudo apt-get install cmake g\+\+ make/)
})

test('a Paho that lacks what the table names is refused, with the version that is supported', (t) => {
  const folder = clone(t)
  edit(join(folder, 'native/paho/symbols.json'), '"symbol": "usleep"', '"symbol": "sleep_softly"')
  const { status, stderr } = node(['deps/prepare.mjs'], { cwd: folder })
  t.is(status, 1)
  t.regex(
    stderr,
    /its member MQTTAsyncUtils does not refer to sleep_softly\.\nOnly version 1\.3\.14 is supported\./,
  )
  t.false(existsSync(join(folder, 'build/paho', process.arch)))
})

test('a Paho that refers to something unknown is refused', (t) => {
  const folder = clone(t)
  edit(join(folder, 'native/paho/symbols.json'), '"qsort",', '')
  const { status, stderr } = node(['deps/prepare.mjs'], { cwd: folder })
  t.is(status, 1)
  t.regex(stderr, /it also refers to qsort\./)
})

test('a package whose checksum is not the pinned one is refused and deleted', (t) => {
  const folder = clone(t)
  const downloads = join(folder, 'build/downloads')
  if (!existsSync(downloads)) {
    t.log('Paho was not downloaded on this machine')
    t.pass()
    return
  }
  edit(join(folder, 'deps/paho.json'), /"[0-9a-f]{64}"/g, `"${'0'.repeat(64)}"`)
  const { status, stderr } = node(['deps/prepare.mjs'], { cwd: folder })
  t.is(status, 1)
  t.regex(
    stderr,
    /has the SHA-256 [0-9a-f]{64}, but deps\/paho\.json pins 0{64}\. It was deleted and not used\./,
  )
})
