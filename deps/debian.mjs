// Gets Debian packages without root and without installing them: `apt-get download` and `dpkg -x`.
// Nothing here changes the system. When its package lists are missing, too old, or of another architecture or release,
// lists of our own are fetched into build/apt.

import { spawnSync } from 'node:child_process'
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const build = fileURLToPath(new URL('../build/', import.meta.url))

/** Debian's name of a Node architecture: `amd64` for `x64`. */
export function debianArchitecture(arch = process.arch) {
  return { x64: 'amd64', ia32: 'i386', arm: 'armhf', ppc64: 'ppc64el' }[arch] ?? arch
}

/** The multiarch folder of a Node architecture: `x86_64-linux-gnu` for `x64`. */
export function multiarchTriplet(arch = process.arch) {
  const cpu =
    { x64: 'x86_64', ia32: 'i386', arm: 'arm', arm64: 'aarch64', ppc64: 'powerpc64le' }[arch] ?? arch
  return `${cpu}-linux-${arch === 'arm' ? 'gnueabihf' : 'gnu'}`
}

/** True where packages can be had at all: Debian, Ubuntu and what descends from them. */
export function hasApt() {
  return process.platform === 'linux' && works('apt-get', '--version') && works('dpkg', '--version')
}

/**
 * Downloads packages, checked by apt against the signatures of Debian, or of the distribution where no release is named.
 *
 * @param {string[]} packages names, each with `=version` where it matters
 * @param {string} folder where the .deb files go; made if need be
 * @param {{ arch?: string, release?: string }} [from] Node's name of the architecture, this machine's unless given; the
 *   release of Debian that has them, such as `bullseye`. If all have a version, this machine's own lists are asked first
 * @returns {string[]} the paths of the .deb files
 * @throws {Error} with what apt said
 */
export function download(packages, folder, { arch = process.arch, release } = {}) {
  mkdirSync(folder, { recursive: true })
  const temporary = mkdtempSync(join(folder, 'download-'))
  try {
    const isExact = packages.every((name) => name.includes('='))
    const foreign = arch !== process.arch || (release !== undefined && !isExact)
    const first = foreign ? null : apt(['download', ...packages], { cwd: temporary })
    if (first?.status !== 0) {
      const options = privateLists(arch, release)
      const second = apt([...options, 'download', ...packages], { cwd: temporary })
      if (second.status !== 0) throw new Error(complaint(second) || complaint(first))
    }
    return readdirSync(temporary).map((name) => {
      const path = join(folder, name)
      renameSync(join(temporary, name), path)
      return path
    })
  } finally {
    rmSync(temporary, { recursive: true, force: true })
  }
}

/** The packages that an installation of these would add to this machine, themselves included; of a release of Debian. */
function missingPackages(packages, release) {
  const simulate = ['--simulate', '--no-install-recommends', 'install', ...packages]
  let answer = release === undefined ? apt(simulate) : null
  if (answer?.status !== 0) answer = apt([...privateLists(process.arch, release, INSTALLED), ...simulate])
  if (answer.status !== 0) throw new Error(complaint(answer))
  const names = [...answer.stdout.matchAll(/^Inst (\S+)/gm)].map(([, name]) => name)
  return [...new Set([...packages, ...names])]
}

/** Unpacks a .deb file into a folder. */
export function extract(deb, folder) {
  mkdirSync(folder, { recursive: true })
  const answer = spawnSync('dpkg', ['-x', deb, folder], { encoding: 'utf8' })
  if (answer.status !== 0) throw new Error(`dpkg could not unpack ${deb}: ${complaint(answer)}`)
}

/**
 * Unpacks a package and what it lacks here into build/tools/<name>: no root, no installation, no service started. The
 * folder may be moved and copied.
 *
 * @param {string} name the package
 * @param {object} about
 * @param {string} about.path the program's path in it; a `*` stands for a folder, of several the one with the highest number
 * @param {string} about.probe an argument with which the program starts, prints something and ends
 * @param {string[]} [about.others] further packages to unpack beside it
 * @param {string[]} [about.helpers] programs beside the first one, which get scripts of their names
 * @param {string} [about.release] the release of Debian that has it, if this machine's does not
 * @returns {string} the path of a script that runs the program with its libraries
 */
export function fetchProgram(name, { path, probe, others = [], helpers = [], release }) {
  const folder = join(build, 'tools', name)
  const program = join(folder, 'run')
  const work = `${folder}.${process.pid}`
  try {
    for (const deb of downloadMissing([name, ...others], join(work, 'packages'), release)) extract(deb, work)
    rmSync(join(work, 'packages'), { recursive: true })
    rmSync(folder, { recursive: true, force: true })
    renameSync(work, folder)
  } finally {
    rmSync(work, { recursive: true, force: true })
  }
  const place = resolvePattern(folder, path)
  writeScript(program, place)
  for (const helper of helpers) writeScript(join(folder, helper), join(dirname(place), helper))
  const answer = spawnSync(program, [probe], { encoding: 'utf8' })
  if (answer.error || !(answer.stdout || answer.stderr) || answer.status === NOT_STARTED)
    throw new Error(`${name} does not run: ${answer.error?.message ?? answer.stderr}`)
  return program
}

function downloadMissing(packages, folder, release) {
  try {
    return download(missingPackages(packages), folder)
  } catch (error) {
    if (release === undefined) throw error
    return download(missingPackages(packages, release), folder, { release })
  }
}

/**
 * Fills in the `*` of a path below a folder, which stands for the end of a folder's name, and finds what Debian 13 has moved
 * from /lib into /usr/lib.
 */
function resolvePattern(folder, path) {
  const [before, after] = path.split('*')
  if (after === undefined) return existsSync(join(folder, path)) ? path : join('usr', path)
  const start = before.slice(before.lastIndexOf('/') + 1)
  const parent = before.slice(0, before.length - start.length)
  const names = readdirSync(join(folder, parent)).filter((name) => name.startsWith(start))
  names.sort((a, b) => Number(b.slice(start.length)) - Number(a.slice(start.length)))
  return join(parent, names[0], after)
}

/** Writes a script that runs a program of the folder in which the script lies, with its libraries. */
function writeScript(file, path) {
  const libraries = [`usr/lib/${multiarchTriplet()}`, `lib/${multiarchTriplet()}`]
  const script = [
    '#!/bin/sh',
    'folder=$(cd "$(dirname "$0")" && pwd)',
    `LD_LIBRARY_PATH="${libraries.map((place) => `$folder/${place}`).join(':')}" exec "$folder/${path}" "$@"`,
    '',
  ]
  writeFileSync(file, script.join('\n'), { mode: 0o755 })
}

/** What a shell's exit code says of a program, or of a library of its, that it did not find. */
const NOT_STARTED = 127

function works(command, ...args) {
  return spawnSync(command, args, { stdio: 'ignore' }).status === 0
}

function apt(args, options = {}) {
  return spawnSync('apt-get', ['-o', 'APT::Sandbox::User=', ...args], {
    encoding: 'utf8',
    env: { ...process.env, LC_ALL: 'C', DEBIAN_FRONTEND: 'noninteractive' },
    stdio: ['ignore', 'pipe', 'pipe'],
    ...options,
  })
}

function complaint(answer) {
  if (!answer) return ''
  const text = answer.error ? answer.error.message : answer.stderr
  const lines = text.split('\n').filter((line) => line !== '' && !line.startsWith('W:'))
  return lines.join('\n')
}

/** Where dpkg keeps what is installed on this machine. */
const INSTALLED = '/var/lib/dpkg/status'

/** The folders whose lists this process has fetched. */
const fetched = new Set()

/** Options that make apt use package lists of our own, which are fetched here, and take as installed what a file says. */
function privateLists(arch, release, installed) {
  const architecture = debianArchitecture(arch)
  const isForeign = arch !== process.arch || release !== undefined
  const state = join(build, 'apt', release === undefined ? architecture : `${release}-${architecture}`)
  mkdirSync(join(state, 'lists/partial'), { recursive: true })
  mkdirSync(join(state, 'cache/archives/partial'), { recursive: true })
  const nothing = join(state, 'status')
  if (!existsSync(nothing)) writeFileSync(nothing, '')
  const status = installed ?? (isForeign ? nothing : INSTALLED)
  const options = [
    `Dir::State=${state}`,
    `Dir::State::lists=${join(state, 'lists')}`,
    `Dir::Cache=${join(state, 'cache')}`,
    `Dir::State::status=${status}`,
  ]
  if (isForeign) options.push(`APT::Architecture=${architecture}`, `APT::Architectures::=${architecture}`)
  if (release !== undefined) {
    const sources = join(state, 'sources.list')
    writeFileSync(sources, sourcesOf(release))
    options.push(`Dir::Etc::sourcelist=${sources}`, 'Dir::Etc::sourceparts=-')
  }
  const flags = options.flatMap((option) => ['-o', option])
  if (!fetched.has(state)) apt([...flags, 'update'])
  fetched.add(state)
  return flags
}

/** Where Debian keeps the keys of all its releases. */
const KEYRING = '/usr/share/keyrings/debian-archive-keyring.gpg'

/** The lines of a list of sources for a release of Debian. */
function sourcesOf(release) {
  const { mirrors, keyring } = mirrorsOfDebian()
  const key = existsSync(keyring) ? `[signed-by=${keyring}] ` : ''
  return mirrors.map((mirror) => `deb ${key}${mirror} ${release} main\n`).join('')
}

/**
 * From where Debian's packages come, of any release.
 *
 * @returns {{ mirrors: string[], keyring: string }} URLs, and the file with the keys of Debian's releases
 * @throws {Error} with what apt said
 */
export function mirrorsOfDebian() {
  return isDebian() ? ownMirrors() : fetchMirror()
}

function isDebian() {
  return existsSync('/etc/os-release') && /^ID=debian$/m.test(readFileSync('/etc/os-release', 'utf8'))
}

/** From where this machine gets its own packages: a mirror has all releases. */
function ownMirrors() {
  // Without `--no-release-info` apt is silent about what it has no lists of yet.
  const format = '$(REPO_URI) $(RELEASE) $(COMPONENT)'
  const { stdout } = apt(['indextargets', '--no-release-info', '--format', format])
  // Updates and security have release names of their own; other distributors have other components.
  const places = stdout.matchAll(/^(\S+) [a-z]+ main$/gm)
  return { mirrors: [...new Set([...places].map(([, uri]) => uri))], keyring: KEYRING }
}

/** For Ubuntu and other descendants: the mirror that Debian's installer uses, and Debian's keys, as they package them. */
function fetchMirror() {
  const folder = join(build, 'apt/debian')
  const script = join(folder, 'usr/sbin/debootstrap')
  if (!existsSync(script)) {
    const packages = download(['debootstrap', 'debian-archive-keyring'], join(folder, 'packages'))
    for (const deb of packages) extract(deb, folder)
  }
  const [, mirror] = /^DEF_MIRROR="?(\S+\/debian)"?$/m.exec(readFileSync(script, 'utf8')) ?? []
  if (!mirror) throw new Error(`the package debootstrap names no mirror of Debian`)
  return { mirrors: [mirror], keyring: join(folder, KEYRING) }
}
