import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { textOf } from '../support/thrown.js'
import { version } from '../version.js'
import type { Binding } from './binding.js'

/** The oldest Node that is supported. */
const OLDEST_NODE = 20

/** The package's name, by which its folder is known. */
const PACKAGE = 'aiomqtt'

/** This platform's folder of prebuilt binaries. */
const platform = `${process.platform}-${process.arch}`

let loaded: Binding | undefined

/**
 * Loads the native addon. No other file does.
 *
 * The environment variable `AIOMQTT_ADDON` names the addon's file, and then no other is tried. Otherwise prebuilt
 * binaries (`prebuilds/<platform>-<architecture>/`) come before the one that a developer built (`build/Release/`). In a
 * bundle, the package's folder is looked for as Node does: in `node_modules` of the bundle's folder and of those above.
 *
 * Each evaluation of this module has exports of its own, with a queue and a doorbell of their own: every worker, every
 * test file of a test runner, every copy of the package. `require()` would give all of them the same ones.
 *
 * @returns the addon's exports
 * @throws Error with the code `ERR_MQTT_ADDON` when no binary loads; its message says what this machine is, what was
 *   tried, and what to do, and its `cause` is the error of the last binary that was there
 */
export function loadAddon(): Binding {
  loaded ??= firstOf(candidates())
  return loaded
}

/** A file to try, or the reason why it is not to be tried. */
interface Candidate {
  path: string
  reason?: string
}

function firstOf(places: Candidate[]): Binding {
  const failures: string[] = []
  let cause: unknown
  for (const { path, reason } of places) {
    if (reason !== undefined || !existsSync(path)) {
      failures.push(`${path}: ${reason ?? 'no such file'}`)
      continue
    }
    try {
      const addon = { exports: {} as Binding }
      process.dlopen(addon, path)
      return addon.exports
    } catch (error) {
      cause = error
      failures.push(`${path}: ${textOf(error)}`)
    }
  }
  throw Object.assign(new Error(explanation(failures), { cause }), { code: 'ERR_MQTT_ADDON' })
}

function candidates(): Candidate[] {
  if (isTooOld()) return []
  const path = process.env.AIOMQTT_ADDON
  if (path !== undefined && path !== '') return [{ path }]
  const root = packageFolder()
  return root !== null ? binariesIn(root) : parents(ownFolder()).flatMap(installedIn)
}

/** The binaries for this platform that a copy of the package has, or would have. */
function binariesIn(root: string): Candidate[] {
  const folder = join(root, 'prebuilds', platform)
  const names = existsSync(folder) ? readdirSync(folder).filter((name) => name.endsWith('.node')) : []
  const prebuilt = (names.length > 0 ? names : [`${PACKAGE}.node`]).map((name) => join(folder, name))
  return [...prebuilt, join(root, 'build', 'Release', `${PACKAGE}.node`)].map((path) => ({ path }))
}

/** The package beside a bundle; one of another version has another addon. */
function installedIn(folder: string): Candidate[] {
  const root = join(folder, 'node_modules', PACKAGE)
  const manifest = manifestOf(root)
  if (manifest === null) return []
  if (manifest.version === version) return binariesIn(root)
  return [{ path: root, reason: `version ${manifest.version}, and this is ${version}` }]
}

/** Where this package lies, or null in a bundle. */
function packageFolder(): string | null {
  return parents(ownFolder()).find((folder) => manifestOf(folder)?.name === PACKAGE) ?? null
}

/** The folder of this file, or of the bundle that it has become part of. */
function ownFolder(): string {
  // The build for CommonJS puts the file's path in the place of its URL; bundles for CommonJS have nothing there.
  const place: string | undefined = import.meta.url
  if (place === undefined) return __dirname
  return dirname(place.startsWith('file:') ? fileURLToPath(place) : place)
}

/** A folder and all above it, the nearest first. */
function parents(folder: string): string[] {
  const above = dirname(folder)
  return above === folder ? [folder] : [folder, ...parents(above)]
}

function manifestOf(folder: string): { name?: string; version?: string } | null {
  try {
    return JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'))
  } catch {
    return null
  }
}

function isTooOld(): boolean {
  return Number.parseInt(process.versions.node, 10) < OLDEST_NODE
}

function explanation(failures: string[]): string {
  if (isTooOld()) return `aiomqtt needs Node ${OLDEST_NODE} or later; this is Node ${process.versions.node}.`
  return [
    `aiomqtt has no native addon that loads here: ${[platform, libc(), runtime()].filter(Boolean).join(', ')}.`,
    'Tried:',
    ...failures.map((failure) => `  - ${failure}`),
    `What to do: ${advice()}`,
  ].join('\n')
}

/** Linux has several C libraries, and a binary may fit only one. */
function libc(): string {
  if (process.platform !== 'linux') return ''
  const report = process.report as NodeJS.ProcessReport & { excludeNetwork?: boolean }
  // With the network part, the report would look up the names of all peers first.
  const before = report.excludeNetwork
  report.excludeNetwork = true
  const { header } = report.getReport() as { header?: { glibcVersionRuntime?: string } }
  report.excludeNetwork = before ?? false
  const glibc = header?.glibcVersionRuntime
  return glibc === undefined ? 'musl' : `glibc ${glibc}`
}

/** What runs this, and which Node it is or takes itself for. */
function runtime(): string {
  const { bun, deno } = process.versions
  const other = bun === undefined ? deno && `Deno ${deno}` : `Bun ${bun}`
  return other ? `${other} as Node ${process.version}` : `Node ${process.version}`
}

function advice(): string {
  if (process.env.AIOMQTT_ADDON) {
    return 'let the environment variable AIOMQTT_ADDON name the file of an addon for this platform, or unset it.'
  }
  const root = packageFolder()
  if (root === null) {
    return (
      `this code was bundled into ${ownFolder()}, where its addon is not. Mark ${PACKAGE} as external when you bundle ` +
      `(esbuild: --external:${PACKAGE}; webpack, ncc and Rollup: externals; Vite: ssr.external; Next.js: ` +
      `serverExternalPackages), and install it where the program runs. Or copy prebuilds/${platform}/${PACKAGE}.node of ` +
      'the package there, and name it in the environment variable AIOMQTT_ADDON.'
    )
  }
  if (existsSync(join(root, 'native'))) {
    return `build the addon: npm run build, in ${root}`
  }
  const prebuilds = join(root, 'prebuilds')
  const built = existsSync(prebuilds)
    ? readdirSync(prebuilds).flatMap((folder) =>
        readdirSync(join(prebuilds, folder)).map((file) => `${folder}/${file}`),
      )
    : []
  const has = built.length === 0 ? 'no binaries' : `binaries for ${built.join(', ')}`
  return (
    `this copy of the package has ${has}. If yours is among them, install the package again, on this machine and ` +
    'for this architecture. If not, build one from a clone of the repository: npm run prebuildify puts it under ' +
    'prebuilds/, from where it can be copied into the installed package.'
  )
}

/**
 * Whether this runtime's event loop is libuv's; Bun and Deno have event loops of their own. Tests have the I/O thread read
 * whatever happens, with the environment variable AIOMQTT_TEST_LEAD=io.
 */
export function hasLibuv(): boolean {
  const { bun, deno } = process.versions
  const isNode = process.release?.name === 'node' && bun === undefined && deno === undefined
  return isNode && process.env.AIOMQTT_TEST_LEAD !== 'io'
}
