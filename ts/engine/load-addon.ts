import { existsSync, readdirSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Binding } from './binding.js'

/** The Node-API version that the addon is built for; Node 18.17 and later have it. */
const nodeApiVersion = 9

/**
 * Loads the native addon. No other file does.
 *
 * Prebuilt binaries (`prebuilds/<platform>-<architecture>/`, named by prebuildify) come before the one that
 * a developer built (`build/Release/`). Node gives every environment, main thread or worker, exports of its own.
 *
 * @returns the addon's exports
 * @throws Error with the code `ERR_MQTT_ADDON` when no binary loads; its message says what this machine is, what was
 *   tried, and what to do, and its `cause` is the error of the last binary that was there
 */
export function loadAddon(): Binding {
  const root = fileURLToPath(new URL('../..', import.meta.url))
  const libc = libcFamily()
  const require = createRequire(import.meta.url)
  const failures: string[] = []
  let cause: unknown
  for (const path of candidates(root, libc)) {
    if (!existsSync(path)) {
      failures.push(`${path}: no such file`)
      continue
    }
    try {
      return require(path) as Binding
    } catch (error) {
      cause = error
      failures.push(`${path}: ${error instanceof Error ? error.message : String(error)}`)
    }
  }
  throw Object.assign(new Error(explanation(root, libc, failures), { cause }), { code: 'ERR_MQTT_ADDON' })
}

function candidates(root: string, libc: Libc): string[] {
  const tag = libc === null ? '' : `.${libc.family}`
  return [
    join(root, 'prebuilds', `${process.platform}-${process.arch}`, `aiomqtt${tag}.node`),
    join(root, 'build', 'Release', 'aiomqtt.node'),
  ]
}

type Libc = { family: 'glibc' | 'musl'; version: string } | null

/** Linux binaries are made for one C library; null on other systems. */
function libcFamily(): Libc {
  if (process.platform !== 'linux') return null
  const report = process.report as NodeJS.ProcessReport & { excludeNetwork?: boolean }
  // With the network part, the report would look up the names of all peers first.
  const before = report.excludeNetwork
  report.excludeNetwork = true
  const { header } = report.getReport() as { header?: { glibcVersionRuntime?: string } }
  report.excludeNetwork = before ?? false
  const version = header?.glibcVersionRuntime
  return version === undefined ? { family: 'musl', version: '' } : { family: 'glibc', version }
}

function explanation(root: string, libc: Libc, failures: string[]): string {
  const system = libc === null ? '' : `, ${`${libc.family} ${libc.version}`.trim()}`
  return [
    `aiomqtt has no native addon that loads here: ${process.platform}-${process.arch}${system}, Node ${process.version}.`,
    'Tried:',
    ...failures.map((failure) => `  - ${failure}`),
    `What to do: ${advice(root)}`,
  ].join('\n')
}

function advice(root: string): string {
  if (Number(process.versions.napi) < nodeApiVersion) {
    return `use a Node with Node-API version ${nodeApiVersion}: Node 20 or later.`
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
