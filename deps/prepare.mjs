// Gets Paho C and puts our own objects in the place of some of its own (native/paho/symbols.json).
// Plain Node: works without node_modules. Does nothing when build/paho/<arch> is what it would make.
//
//   node deps/prepare.mjs [--platform <Node's name>] [--arch <Node's name>] [--print]
//
// --print writes the folder of the prepared library to stdout, for binding.gyp and CMakeLists.txt.

import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { debianArchitecture, download, extract, hasApt, multiarchTriplet } from './debian.mjs'

const root = fileURLToPath(new URL('..', import.meta.url))
const table = readJson('native/paho/symbols.json')
const pins = readJson('deps/paho.json')
const inputs = ['native/paho/symbols.json', 'deps/paho.json', 'deps/prepare.mjs', 'deps/debian.mjs']

/** Where vcpkg puts what deps/vcpkg asks for; deps/README.md has the command. */
const VCPKG = join(root, 'build/vcpkg')

/** The archive that is made; Microsoft's linker wants its own ending. */
function archiveName({ platform }) {
  return platform === 'win32' ? 'paho-mqtt.lib' : 'libpaho-mqtt.a'
}

/** A failure whose message alone tells the user what to do. */
export class PrepareError extends Error {}

/**
 * Makes build/paho/<arch> (build/paho/<platform>-<arch> for another platform) with libpaho-mqtt.a and include/.
 *
 * @param {{ platform?: string, arch?: string, log?: (line: string) => void }} [options] Node's names; this machine's by
 *   default
 * @returns {string} the folder
 * @throws {PrepareError} when Paho cannot be had here, or is not the Paho that the table is about
 */
export function preparePaho({ platform = process.platform, arch = process.arch, log = () => {} } = {}) {
  const target = { platform, arch, isHere: platform === process.platform && arch === process.arch }
  const name = platform === process.platform ? arch : `${platform}-${arch}`
  const folder = join(root, 'build/paho', name)
  const made = `${sha256(inputs.map((path) => readFileSync(join(root, path))).join('\0'))}`
  if (isCurrent(folder, target, made)) return folder

  log(`Preparing Paho C ${pins.version} (${name})`)
  mkdirSync(join(root, 'build/paho'), { recursive: true })
  const work = mkdtempSync(join(root, 'build/paho', `${name}-`))
  try {
    const source = findPaho(target, work)
    log(`  from ${source.description}`)
    const tools = findTools(target)
    const { members, isLean } = redirect(source.archive, join(work, 'members'), target, tools)
    const output = join(work, 'output')
    mkdirSync(output)
    const archive = join(output, archiveName(target))
    run(tools.ar, ['rcs', archive, ...members])
    checkUndefined(tools.symbols(archive), target, isLean, source.isKnown)
    cpSync(source.include, join(output, 'include'), { recursive: true, filter: isHeader })
    const stamp = { made, source: source.file, sha256: source.sha256 }
    writeFileSync(join(output, 'stamp.json'), `${JSON.stringify(stamp, null, 2)}\n`)
    rmSync(folder, { recursive: true, force: true })
    renameSync(output, folder)
  } finally {
    rmSync(work, { recursive: true, force: true })
  }
  return folder
}

function isCurrent(folder, target, made) {
  const stampFile = join(folder, 'stamp.json')
  if (!existsSync(stampFile)) return false
  const stamp = JSON.parse(readFileSync(stampFile, 'utf8'))
  if (stamp.made !== made || !existsSync(join(folder, archiveName(target)))) return false
  // A library of the system may be replaced by an upgrade. A pinned package cannot change.
  return (
    stamp.source === null || (existsSync(stamp.source) && sha256(readFileSync(stamp.source)) === stamp.sha256)
  )
}

// --- Where Paho comes from ------------------------------------------------------------------------------------

function findPaho(target, work) {
  const tried = []
  for (const find of [fromManifest, fromDebian, fromVcpkg, fromSystem]) {
    const found = find(target, work, tried)
    if (found) return found
  }
  throw new PrepareError(
    [
      `Paho MQTT C ${pins.version} (${table.archive} and its headers) was not found for ${target.platform}-${target.arch}:`,
      ...tried.map((line) => `  - ${line}`),
      howToInstall(target),
    ].join('\n'),
  )
}

function howToInstall(target) {
  const { platform, arch } = target
  const install =
    `Install vcpkg's ${pins.vcpkg.port} ${pins.version}, in the folder of this repository: vcpkg install ` +
    `--triplet ${vcpkgTriplet(target)} --x-manifest-root=deps/vcpkg --x-install-root=build/vcpkg`
  if (platform !== 'linux' || !hasApt()) return install
  const { package: name, version } = pins.debian
  const file = `${name}_${version}_${debianArchitecture(arch)}.deb`
  return `Put Debian 13's package ${file} into build/downloads and try again. Without Debian's packages:\n${install}`
}

/** What vcpkg has installed for deps/vcpkg/vcpkg.json; it is there because somebody wants it. */
function fromManifest(target, _work, tried) {
  const prefix = join(VCPKG, vcpkgTriplet(target))
  if (!existsSync(prefix)) {
    tried.push(`no ${prefix}`)
    return null
  }
  return installed([join(prefix, 'lib')], () => join(prefix, 'include'), tried)
}

function fromDebian({ platform, arch }, work, tried) {
  if (platform !== 'linux') return null
  if (!hasApt()) {
    tried.push('no apt-get and dpkg to fetch it with')
    return null
  }
  const { package: name, version, release, sha256: sums } = pins.debian
  const architecture = debianArchitecture(arch)
  const expected = sums[architecture]
  if (!expected) {
    tried.push(`deps/paho.json has no checksum of ${name} for ${architecture}`)
    return null
  }
  const cache = join(root, 'build/downloads')
  let deb = join(cache, `${name}_${version}_${architecture}.deb`)
  if (!existsSync(deb)) {
    try {
      const [path] = download([`${name}=${version}`], cache, { arch, release })
      deb = path
    } catch (error) {
      tried.push(`apt-get download ${name}=${version}: ${error.message}`)
      return null
    }
  }
  const found = sha256(readFileSync(deb))
  if (found !== expected) {
    rmSync(deb)
    throw new PrepareError(
      `The package ${name} ${version} (${architecture}) has the SHA-256 ${found}, ` +
        `but deps/paho.json pins ${expected}. It was deleted and not used.`,
    )
  }
  const unpacked = join(work, 'package')
  extract(deb, unpacked)
  return {
    description: `Debian's ${name} ${version}, checksum verified`,
    archive: join(unpacked, 'usr/lib', multiarchTriplet(arch), table.archive),
    include: join(unpacked, 'usr/include'),
    file: null,
    sha256: expected,
    isKnown: true,
  }
}

function fromSystem({ platform, arch }, _work, tried) {
  if (platform !== 'linux' || platform !== process.platform) return null
  const places = [`/usr/lib/${multiarchTriplet(arch)}`]
  if (arch === process.arch) places.push('/usr/lib64', '/usr/lib', '/usr/local/lib')
  const include = (folder) => (folder.startsWith('/usr/local') ? '/usr/local/include' : '/usr/include')
  const found = installed(places, include, tried)
  return found && { ...found, isKnown: true }
}

/** What vcpkg has installed elsewhere. Homebrew and Alpine have other versions, without a static library. */
function fromVcpkg(target, _work, tried) {
  const vcpkg = process.env.VCPKG_ROOT ?? process.env.VCPKG_INSTALLATION_ROOT
  if (!vcpkg) return null
  const prefix = join(vcpkg, 'installed', vcpkgTriplet(target))
  return installed([join(prefix, 'lib')], () => join(prefix, 'include'), tried)
}

function vcpkgTriplet({ platform, arch }) {
  return `${arch}-${{ win32: 'windows-static', darwin: 'osx' }[platform] ?? platform}`
}

function installed(folders, include, tried) {
  const names = [table.archive, 'paho-mqtt3a-static.lib']
  for (const folder of folders) {
    const name = names.find((candidate) => existsSync(join(folder, candidate)))
    if (name === undefined) {
      tried.push(`no ${table.archive} in ${folder}`)
    } else if (!existsSync(join(include(folder), 'MQTTAsync.h'))) {
      tried.push(`no MQTTAsync.h in ${include(folder)}`)
    } else {
      const file = join(folder, name)
      const description = `${file}, as installed`
      return {
        description,
        archive: file,
        include: include(folder),
        file,
        sha256: sha256(readFileSync(file)),
      }
    }
  }
  return null
}

function isHeader(path) {
  const name = path.slice(path.lastIndexOf('include'))
  return !name.includes('.') || /[\\/]MQTT\w+\.h$/.test(name)
}

// --- The archive ----------------------------------------------------------------------------------------------

/** Unpacks the archive, leaves out what is removed, renames what is redirected; returns the members' paths. */
function redirect(archive, folder, target, tools) {
  mkdirSync(folder)
  run(tools.ar, ['x', archive], { cwd: folder })
  const members = new Map(
    readdirSync(folder).map((file) => [file.replace(/(\.c)?\.(o|obj)$/, ''), join(folder, file)]),
  )
  checkVersion([...members.values()].map((path) => readFileSync(path, 'latin1')).join('\0'))
  const isLean = !members.has(table.lean.without[0])
  for (const { member } of table.removed) {
    const mayLack = isLean && table.lean.without.includes(member)
    if (!members.delete(member) && !mayLack) throw notSupported(`it has no member ${member}`)
  }
  const wanted = new Map([...members].map(([member, path]) => [member, tools.symbols(path).undefined]))
  const others = isLean ? [...table.variants, ...table.lean.redirected] : table.variants
  const renames = new Map([...wanted].map(([member, symbols]) => [member, variantsIn(symbols, others)]))
  for (const { symbol, to, in: places } of redirected(target)) {
    for (const member of places) {
      const variant = table.variants.find(
        (entry) => entry.to === symbol && wanted.get(member)?.has(entry.symbol),
      )
      const name = variant?.symbol ?? symbol
      if (!wanted.get(member)?.has(name))
        throw notSupported(`its member ${member} does not refer to ${symbol}`)
      renames.get(member).set(name, to)
    }
  }
  for (const [member, names] of renames) {
    const flags = [...names].map(([from, to]) => `--redefine-sym=${tools.prefix}${from}=${tools.prefix}${to}`)
    if (target.platform === 'linux') flags.push(...exposedIn(member))
    if (flags.length > 0) run(tools.objcopy, [...flags, members.get(member)])
  }
  return { members: [...members.values()], isLean }
}

/** The names that a newer C library's headers gave to functions, where a member refers to them, and what they become. */
function variantsIn(symbols, variants) {
  return new Map(variants.filter(({ symbol }) => symbols.has(symbol)).map(({ symbol, to }) => [symbol, to]))
}

/** Makes local functions callable, in ELF objects; objcopy passes over one that the compiler has inlined. */
function exposedIn(member) {
  return table.exposed
    .filter((entry) => entry.in === member)
    .map(({ symbol }) => `--globalize-symbol=${symbol}`)
}

/** The redirections of a platform: what has another name on it, or nothing to redirect, says so (`on`). */
function redirected({ platform }) {
  return table.redirected.flatMap((entry) => {
    const symbol = entry.on && platform in entry.on ? entry.on[platform] : entry.symbol
    if (symbol === null) return []
    // Functions of a DLL are called through a pointer, which has a name of its own.
    return [{ ...entry, symbol, to: symbol.startsWith(IMPORTED) ? IMPORTED + entry.to : entry.to }]
  })
}

const IMPORTED = '__imp_'

/** Later versions may have the same symbols over other structures. */
function checkVersion(contents) {
  const found = [...contents.matchAll(/(?<![\w.])(1\.\d+\.\d+)\0/g)].map(([, version]) => version)
  if (!found.includes(table.paho)) throw notSupported(`it calls itself ${found.join(', ') || 'nothing'}`)
}

/** What the prepared library refers to is defined in it, provided by the seam, or harmless. */
function checkUndefined({ defined, undefined: wanted }, target, isLean, isKnown) {
  const removed = table.removed.filter(({ member }) => !isLean || !table.lean.without.includes(member))
  const provided = new Set([
    ...removed.flatMap(({ provides, on }) => [...provides, ...(on?.[target.platform] ?? [])]),
    ...redirected(target).map(({ to }) => to),
  ])
  const others = [...wanted].filter((symbol) => !defined.has(symbol) && !provided.has(symbol))
  const ours = new Set(
    [...table.variants, ...table.lean.redirected]
      .map(({ to }) => to)
      .filter((name) => name.startsWith('seam_')),
  )
  const strangers = others.filter((symbol) => !ours.has(symbol)).filter(isKnown ? isOffTheRoll : isForbidden)
  if (strangers.length > 0) throw notSupported(`it also refers to ${strangers.sort().join(', ')}`)
  const idle = [...provided].filter((symbol) => !wanted.has(symbol))
  if (idle.length > 0) throw notSupported(`it does not refer to ${idle.sort().join(', ')}`)
}

function isOffTheRoll(symbol) {
  return !table.libc.some(({ symbols }) => symbols.includes(symbol))
}

/** The C libraries of other systems have names of their own for what is harmless. */
function isForbidden(symbol) {
  // Without what a DLL's functions have before their names, and macOS behind some.
  return table.forbidden.symbols.includes(symbol.replace(IMPORTED, '').replace(/\$\w+$/, ''))
}

function notSupported(detail) {
  return new PrepareError(
    `This is not the Paho MQTT C ${table.paho} that native/paho/symbols.json is about: ${detail}.\n` +
      `Only version ${table.paho} is supported.`,
  )
}

// --- Tools ----------------------------------------------------------------------------------------------------

/** What MinGW's tools for Windows are called elsewhere. */
const MINGW = { x64: 'x86_64-w64-mingw32' }

function findTools({ platform, arch, isHere }) {
  const triplet = platform === 'win32' ? MINGW[arch] : multiarchTriplet(arch)
  const cross = isHere || triplet === undefined ? [] : [`${triplet}-`]
  const tool = (name, variable) => {
    const native = isHere ? [name] : []
    const candidates = [
      process.env[variable],
      ...cross.map((prefix) => prefix + name),
      ...native,
      `llvm-${name}`,
      name,
    ]
    const found = candidates.find(
      (candidate) =>
        candidate && spawnSync(candidate, ['--version'], { stdio: 'ignore' }).error === undefined,
    )
    if (found) return found
    const command =
      { darwin: 'brew install llvm, and its bin in PATH', win32: 'winget install LLVM.LLVM' }[
        process.platform
      ] ?? 'sudo apt-get install binutils'
    throw new PrepareError(`${name} was not found. Install the package binutils or LLVM: ${command}`)
  }
  const nm = tool('nm', 'NM')
  const prefix = platform === 'darwin' ? '_' : ''
  return {
    ar: tool('ar', 'AR'),
    objcopy: tool('objcopy', 'OBJCOPY'),
    prefix,
    symbols(file) {
      const defined = new Set()
      const wanted = new Set()
      for (const line of run(nm, ['-P', '-g', file]).split('\n')) {
        const [name, type] = line.split(' ')
        if (!type) continue
        const symbol = name.slice(prefix.length)
        if (/[Uvw]/.test(type)) wanted.add(symbol)
        else defined.add(symbol)
      }
      return { defined, undefined: wanted }
    },
  }
}

function run(command, args, options = {}) {
  const answer = spawnSync(command, args, { encoding: 'utf8', maxBuffer: 1 << 26, ...options })
  if (answer.error) throw answer.error
  if (answer.status !== 0) throw new PrepareError(`${command} ${args.join(' ')} failed:\n${answer.stderr}`)
  return answer.stdout
}

function readJson(path) {
  return JSON.parse(readFileSync(join(root, path), 'utf8'))
}

function sha256(data) {
  return createHash('sha256').update(data).digest('hex')
}

if (process.argv[1] && realpathSync(process.argv[1]) === fileURLToPath(import.meta.url)) {
  const { values } = parseArgs({
    options: {
      platform: { type: 'string' },
      arch: { type: 'string' },
      print: { type: 'boolean', default: false },
    },
  })
  try {
    const folder = preparePaho({
      platform: values.platform,
      arch: values.arch,
      log: (line) => console.error(line),
    })
    if (values.print) process.stdout.write(folder)
  } catch (error) {
    if (!(error instanceof PrepareError)) throw error
    console.error(error.message)
    process.exitCode = 1
  }
}
