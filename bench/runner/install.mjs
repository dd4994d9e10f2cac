// The other clients: installed below bench/ when they are first needed, so that the package itself never depends on them.

import { existsSync, readFileSync } from 'node:fs'
import { at, runNpm, say } from '../../scripts/steps.mjs'

/** Installs what bench/package-lock.json asks for, unless it is there. */
export function installClients() {
  if (isInstalled()) return
  say('Installing the clients to compare with, into bench/node_modules')
  runNpm(['ci', '--prefix', at('bench'), '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error'])
}

function isInstalled() {
  const record = at('bench/node_modules/.package-lock.json')
  if (!existsSync(record)) return false
  const locked = readPackages(at('bench/package-lock.json'))
  const installed = readPackages(record)
  return Object.entries(locked).every(
    ([path, { version, optional }]) => path === '' || optional || installed[path]?.version === version,
  )
}

/** The version of an installed client, or null. */
export function clientVersion(name) {
  const manifest = at('bench/node_modules', name, 'package.json')
  return existsSync(manifest) ? JSON.parse(readFileSync(manifest, 'utf8')).version : null
}

function readPackages(file) {
  return JSON.parse(readFileSync(file, 'utf8')).packages
}
