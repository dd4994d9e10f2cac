// Brings a fresh clone to where the package runs, and does only what is missing: the packages of the lock file,
// Paho C, the addon, the compiled TypeScript. Plain Node: works without node_modules.
//
//   node scripts/setup.mjs [--with-servers]

import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { parseArgs } from 'node:util'
import { fetchProgram, hasApt } from '../deps/debian.mjs'
import { PrepareError, preparePaho } from '../deps/prepare.mjs'
import { compile } from './compile.mjs'
import * as steps from './steps.mjs'
import { at, Failure, say } from './steps.mjs'

/**
 * @param {{ servers?: boolean | string[] }} [options] servers: also find or fetch the servers that the tests start, all
 *   or some
 * @throws {Failure} that names what is missing and the command to type
 */
export function setup({ servers = false } = {}) {
  checkNode()
  installPackages()
  prepareLibrary()
  buildAddon()
  compile()
  if (servers) provideServers(servers === true ? ordinaryServers() : servers)
}

function checkNode() {
  const [major] = process.versions.node.split('.')
  if (Number(major) < 20)
    throw new Failure(`aiomqtt needs Node 20 or later; this is Node ${process.versions.node}.`)
}

// --- Packages of the lock file ---------------------------------------------------------------------------------

/** @param {string} [folder] a part of the repository that has packages of its own */
export function installPackages(folder = '') {
  if (packagesMatchLock(folder)) return
  say(`Installing the packages of ${join(folder, 'package-lock.json')}`)
  const where = folder === '' ? [] : ['--prefix', at(folder)]
  steps.runNpm(['ci', '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error', ...where])
}

/** Compares the lock file with the record that npm keeps of what it installed. */
function packagesMatchLock(folder) {
  const record = at(folder, 'node_modules/.package-lock.json')
  if (!existsSync(record)) return false
  const locked = JSON.parse(readFileSync(at(folder, 'package-lock.json'), 'utf8')).packages
  const installed = JSON.parse(readFileSync(record, 'utf8')).packages
  return Object.entries(locked).every(([path, { version, optional }]) => {
    if (path === '') return true
    return installed[path] ? installed[path].version === version : optional === true
  })
}

// --- The addon -------------------------------------------------------------------------------------------------

function prepareLibrary() {
  try {
    preparePaho({ log: say })
  } catch (error) {
    throw error instanceof PrepareError ? new Failure(error.message) : error
  }
}

/** A hash of everything that the addon is made of. */
export function addonInputs() {
  return steps.hashFiles([
    'CMakeLists.txt',
    'deps/paho.json',
    'deps/prepare.mjs',
    ...steps.filesBelow('native', (file) => !/native.(tests|bench)/.test(file)),
  ])
}

function buildAddon() {
  const inputs = `${addonInputs()} ${process.platform}-${process.arch}`
  dropOldPrebuild(inputs)
  if (existsSync(at('build/Release/aiomqtt.node')) && steps.isDone('addon', inputs)) return
  checkCompiler()
  say('Building the addon')
  steps.runPackage('cmake-js/bin/cmake-js', [
    'build',
    ...['--directory', steps.root],
    ...['--out', at('build/cmake')],
    ...['--parallel', '2'],
    ...['--log-level', 'error'],
  ])
  steps.markDone('addon', inputs)
}

/** The loader prefers prebuilt binaries, so one that was made here from older sources must go. */
function dropOldPrebuild(inputs) {
  const folder = `prebuilds/${process.platform}-${process.arch}`
  const madeHere = existsSync(at('build/stamps/prebuild'))
  if (!existsSync(at(folder)) || !madeHere || steps.isDone('prebuild', inputs)) return
  say(`Removing ${folder}, built from other sources`)
  rmSync(at(folder), { recursive: true })
}

function checkCompiler() {
  const missing = []
  if (!steps.findProgram('cmake')) missing.push(['CMake', 'cmake'])
  if (process.platform !== 'win32') {
    if (!['c++', 'g++', 'clang++'].some((name) => steps.findProgram(name)))
      missing.push(['A C++ compiler', 'g++'])
    if (!['make', 'ninja'].some((name) => steps.findProgram(name))) missing.push(['make', 'make'])
  }
  if (missing.length === 0) return
  const packages = missing.map(([, name]) => name).join(' ')
  const command = {
    linux: `sudo apt-get install ${packages}`,
    darwin: 'xcode-select --install && brew install cmake',
    win32: 'winget install Kitware.CMake',
  }[process.platform]
  throw new Failure(
    `${missing.map(([what]) => what).join(', ')} not found, which the native addon is built with.\n` +
      `Install the package ${packages}: ${command}`,
  )
}

// --- Servers for the tests -------------------------------------------------------------------------------------

/**
 * The servers that the tests start: Debian's package, the program's path in it, an argument that it answers, further
 * packages, programs that are needed beside it, and the release of Debian that has it where others do not. The tests of
 * what an optional one serves are skipped without it; what is only for a command of its own is not fetched for the others.
 */
const SERVERS = {
  mosquitto: { path: 'usr/sbin/mosquitto', probe: '-h' },
  'mosquitto-clients': { path: 'usr/bin/mosquitto_sub', probe: '--help', helpers: ['mosquitto_pub'] },
  nginx: { path: 'usr/sbin/nginx', probe: '-v', others: ['libnginx-mod-stream'] },
  tinyproxy: { path: 'usr/bin/tinyproxy', probe: '-v' },
  microsocks: { path: 'usr/bin/microsocks', probe: '-h' },
  'nats-server': { path: 'usr/sbin/nats-server', probe: '--version' },
  // Debian 13 has it no more.
  'dante-server': { path: 'usr/sbin/danted', probe: '-v', release: 'bookworm' },
  // Not a server: the C library whose symbols the addon is compared with.
  musl: { path: 'lib/x86_64-linux-musl/libc.so', probe: '--help', isOptional: true },
  postgresql: {
    path: 'usr/lib/postgresql/*/bin/postgres',
    probe: '--version',
    helpers: ['initdb'],
    isOptional: true,
  },
  'rabbitmq-server': {
    path: 'usr/lib/erlang/erts-*/bin/erlexec',
    probe: '-version',
    helpers: ['epmd'],
    isSpecial: true,
  },
  ejabberd: { path: 'usr/lib/erlang/erts-*/bin/erlexec', probe: '-version', isSpecial: true },
}

function ordinaryServers() {
  return Object.keys(SERVERS).filter((name) => !SERVERS[name].isSpecial)
}

/** Writes where they are to build/tools.json, for the tests. */
function provideServers(names) {
  const file = at('build/tools.json')
  const known = steps.readTools()
  const missing = names.filter((name) => !known[name] || !existsSync(known[name]))
  if (missing.length === 0) return
  for (const name of missing) {
    try {
      known[name] = findServer(name) ?? fetchServer(name)
    } catch (error) {
      if (!SERVERS[name].isOptional) throw error
      say(error.message)
    }
  }
  mkdirSync(at('build'), { recursive: true })
  writeFileSync(file, `${JSON.stringify(known, null, 2)}\n`)
}

function findServer(name) {
  const { path, helpers = [] } = SERVERS[name]
  const folders = ['/usr/sbin', '/usr/local/sbin', '/opt/homebrew/sbin', `C:\\Program Files\\${name}`]
  const [parent, rest] = `/${path}`.split('*')
  if (rest !== undefined && existsSync(parent))
    folders.push(...readdirSync(parent).map((version) => dirname(`${parent}${version}${rest}`)))
  const program = steps.findProgram(basename(path), folders)
  const isComplete = program && helpers.every((helper) => existsSync(join(dirname(program), helper)))
  return isComplete ? program : null
}

function fetchServer(name) {
  const command =
    {
      darwin: `brew install ${name}`,
      win32: `winget install ${name}`,
    }[process.platform] ?? `sudo apt-get update && sudo apt-get install ${name}`
  const advice = `Install the package ${name}: ${command}`
  if (!hasApt()) throw new Failure(`${name}, which the tests start, was not found.\n${advice}`)
  say(`Fetching Debian's ${name} for the tests, into build/tools`)
  try {
    return fetchProgram(name, SERVERS[name])
  } catch (error) {
    throw new Failure(`${name}, which the tests start, could not be fetched: ${error.message}\n${advice}`)
  }
}

if (steps.isMain(import.meta.url)) {
  await steps.main(() => {
    const { values } = parseArgs({ options: { 'with-servers': { type: 'boolean', default: false } } })
    setup({ servers: values['with-servers'] })
  })
}
