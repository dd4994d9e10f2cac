// npm run test:systems: fresh Debian systems, made by debootstrap below build/systems. In each an ordinary user clones what
// is committed here and runs the README's two commands. Needs root.
//
//   node scripts/test-systems.mjs [trixie|bookworm ...] [--whole]
//
// --whole: all of `npm test`, instead of its core.
//
// All of it runs in mount and process namespaces of its own. Whatever ends this script, the kernel ends the processes in
// there and undoes the mounts; a folder that was left behind is removed by the next run.

import { spawn, spawnSync } from 'node:child_process'
import { copyFileSync, cpSync, existsSync, mkdirSync, realpathSync, rmSync, symlinkSync } from 'node:fs'

import { dirname, join } from 'node:path'
import { parseArgs } from 'node:util'
import { fetchProgram, hasApt, mirrorsOfDebian } from '../deps/debian.mjs'
import { addCounts, printCounts } from './ava.mjs'
import { at, Failure, findProgram, main, root, run, say } from './steps.mjs'

/** Debian's releases, and the order of the README's commands there: either may be a newcomer's first. */
const SYSTEMS = {
  trixie: ['npm run demo', 'npm test'],
  bookworm: ['npm test', 'npm run demo'],
}

/** What the README says to install, and the certificates that npm asks for. */
const PACKAGES = ['git', 'g++', 'make', 'cmake', 'ca-certificates']

/** The user, who is no more than that. */
const USER = { name: 'newcomer', id: 1000 }

/** What this machine's programs need to get through to the outside, and the ones in there as well. */
const PASSED_ON = /^(https?_proxy|no_proxy|NODE_EXTRA_CA_CERTS|SSL_CERT_FILE|TERM)$/i

const children = new Set()
let interrupted = false

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
  process.on(signal, () => {
    interrupted = true
    for (const child of children) child.kill('SIGKILL')
  })
}

/**
 * Runs a shell script as root in namespaces of its own, to its end.
 *
 * @param {string} script for sh
 * @param {string[]} args its `$1` and so on
 * @returns {Promise<string>} what it wrote to stdout
 * @throws {Failure}
 */
async function runApart(script, args) {
  const apart = ['--mount', '--pid', '--fork', '--kill-child', '--propagation', 'private']
  const command = ['--pdeathsig', 'KILL', 'unshare', ...apart, 'sh', '-euc', script, 'sh', ...args]
  const child = spawn('setpriv', command, { stdio: ['ignore', 'pipe', 'inherit'] })
  children.add(child)
  const chunks = []
  child.stdout.on('data', (chunk) => {
    chunks.push(chunk)
    process.stdout.write(chunk)
  })
  const code = await new Promise((resolve, reject) => {
    child.on('error', (error) => reject(new Failure(`setpriv could not be started: ${error.message}`)))
    child.on('close', (status) => resolve(status))
  })
  children.delete(child)
  if (interrupted) throw new Failure('Interrupted.')
  if (code !== 0) throw new Failure(`It ended with code ${code}.`)
  return Buffer.concat(chunks).toString()
}

function findDebootstrap() {
  const installed = findProgram('debootstrap', ['/usr/sbin'])
  if (installed) return { program: installed, scripts: '/usr/share/debootstrap' }
  const folder = at('build/tools/debootstrap')
  if (!existsSync(join(folder, 'run'))) {
    say("Fetching Debian's debootstrap, into build/tools")
    fetchProgram('debootstrap', { path: 'usr/sbin/debootstrap', probe: '--version' })
  }
  return { program: join(folder, 'run'), scripts: join(folder, 'usr/share/debootstrap') }
}

async function install(release, system) {
  say(`Installing ${release}`)
  const { program, scripts } = findDebootstrap()
  const { mirrors, keyring } = mirrorsOfDebian()
  const cache = at('build/systems', 'cache', release)
  mkdirSync(cache, { recursive: true })
  const flags = ['--variant=minbase', `--include=${PACKAGES.join(',')}`, `--cache-dir=${cache}`]
  flags.push(`--keyring=${keyring}`)
  await runApart('export DEBOOTSTRAP_DIR="$1"; shift; "$@" > /dev/null', [
    scripts,
    program,
    ...flags,
    release,
    system,
    mirrors[0],
  ])
}

/** Node and npm of this machine, its way into the network, a user, and what is committed here. */
function furnish(system) {
  copyFileSync(process.execPath, join(system, 'usr/local/bin/node'))
  const npm = realpathSync(process.env.npm_execpath ?? findProgram('npm') ?? '')
  const modules = join(system, 'usr/local/lib/node_modules')
  cpSync(dirname(dirname(npm)), join(modules, 'npm'), { recursive: true, dereference: true })
  symlinkSync('../lib/node_modules/npm/bin/npm-cli.js', join(system, 'usr/local/bin/npm'))
  for (const file of ['etc/resolv.conf', 'etc/hosts', 'etc/ssl/certs/ca-certificates.crt']) {
    if (existsSync(`/${file}`)) copyFileSync(`/${file}`, join(system, file))
  }
  run('useradd', ['--root', system, '--create-home', '--uid', String(USER.id), USER.name])
  const bundle = join(system, 'home', USER.name, 'aiomqtt.bundle')
  const made = spawnSync('git', ['bundle', 'create', '--quiet', bundle, 'HEAD'], {
    cwd: root,
    encoding: 'utf8',
  })
  if (made.status !== 0) throw new Failure(`git bundle failed:\n${made.stderr}`)
}

/** Runs a shell script as the user in there. */
async function use(system, script) {
  const passed = Object.entries(process.env).filter(([name]) => PASSED_ON.test(name))
  const { name, id } = USER
  const home = `/home/${name}`
  const environment = {
    ...Object.fromEntries(passed),
    HOME: home,
    LANG: 'C.UTF-8',
    PATH: '/usr/local/bin:/usr/bin:/bin',
    USER: name,
  }
  const lines = [
    'system="$1"; shift',
    'mount -t proc proc "$system/proc"',
    'mount -t sysfs -o ro sysfs "$system/sys"',
    'mount -t tmpfs -o mode=1777 tmpfs "$system/dev/shm"',
    // The shell stays, as root and as the first process of its namespace: a process that becomes another user's is no longer
    // ended with its parent, and here all end with the first.
    'chroot "$system" "$@" || exit $?',
  ]
  return await runApart(lines.join('\n'), [
    system,
    ...['setpriv', `--reuid=${id}`, `--regid=${id}`, '--clear-groups'],
    ...['env', '-i', ...Object.entries(environment).map(([key, value]) => `${key}=${value}`)],
    ...['sh', '-euc', `cd ${home}; ${script}`],
  ])
}

/**
 * Makes a system, uses it as a newcomer would, and removes it.
 *
 * @param {string} release
 * @param {boolean} whole
 * @returns {Promise<{ passed: number, failed: number }>}
 */
async function testSystem(release, whole) {
  const system = at('build/systems', release)
  rmSync(system, { recursive: true, force: true })
  mkdirSync(system, { recursive: true })
  try {
    await install(release, system)
    furnish(system)
    await use(system, 'git clone --quiet aiomqtt.bundle aiomqtt')
    const counts = { passed: 0, failed: 0 }
    for (const command of SYSTEMS[release]) {
      say(`${release}: ${command}`)
      const isTest = command === 'npm test'
      const output = await use(system, `cd aiomqtt; ${command}${isTest && !whole ? ' -- --core' : ''}`)
      const [, passed] = (isTest && /^(\d+) passed, 0 failed$/m.exec(output)) || [null, 1]
      addCounts(counts, { passed: Number(passed), failed: 0 })
    }
    return counts
  } finally {
    rmSync(system, { recursive: true, force: true })
  }
}

await main(async () => {
  const { positionals, values } = parseArgs({
    allowPositionals: true,
    options: { whole: { type: 'boolean', default: false } },
  })
  const releases = positionals.length > 0 ? positionals : Object.keys(SYSTEMS)
  for (const release of releases) {
    if (!(release in SYSTEMS))
      throw new Failure(`Unknown system ${release}. It can be ${Object.keys(SYSTEMS).join(' or ')}.`)
  }
  if (process.platform !== 'linux' || !hasApt())
    throw new Failure('This needs Debian, or what descends from it.')
  if (process.getuid() !== 0)
    throw new Failure('This needs root, for chroot and mount: sudo npm run test:systems')
  const counts = { passed: 0, failed: 0 }
  for (const release of releases) {
    try {
      addCounts(counts, await testSystem(release, values.whole))
    } catch (error) {
      if (interrupted || !(error instanceof Failure)) throw error
      console.error(`✘ ${release}: ${error.message}`)
      counts.failed += 1
    }
  }
  printCounts(counts)
})
