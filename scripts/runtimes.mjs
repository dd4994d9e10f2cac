// Other runtimes of JavaScript that load Node's native addons: their programs are npm packages.

import { existsSync, readdirSync } from 'node:fs'
import { at, Failure, runNpm, say } from './steps.mjs'

/** Packages of one version, whose dependencies have the program of each platform. */
const PACKAGES = {
  bun: { version: '1.4.5', scope: '@oven', path: 'bin/bun' },
  deno: { version: '2', scope: '@deno', path: 'deno' },
}

/**
 * @param {'bun' | 'deno'} name
 * @param {'' | 'musl'} [libc] for musl, where the package has that
 * @returns {string} the path of its program for this machine, fetched when it is not there yet
 * @throws {Failure} there is none for this machine
 */
export function provideRuntime(name, libc = '') {
  const folder = at('build/runtimes', libc === '' ? name : `${name}-${libc}`)
  const { version, scope, path } = PACKAGES[name]
  const find = () => {
    const packages = `${folder}/node_modules/${scope}`
    if (!existsSync(packages)) return undefined
    return readdirSync(packages)
      .filter((entry) => !entry.endsWith('-baseline') && entry.endsWith('-musl') === (libc === 'musl'))
      .map((entry) => `${packages}/${entry}/${path}${process.platform === 'win32' ? '.exe' : ''}`)
      .find(existsSync)
  }
  if (find() === undefined) {
    say(`Fetching ${name}`)
    const flags = ['--no-save', '--no-audit', '--no-fund', '--ignore-scripts', '--loglevel=error']
    // npm leaves out what is for another C library than this machine's.
    const wanted =
      libc === '' ? `${name}@${version}` : `${scope}/${name}-linux-${process.arch}-${libc}@${version}`
    runNpm(['install', '--prefix', folder, ...flags, '--force', wanted])
  }
  const program = find()
  if (program === undefined) throw new Failure(`The package ${name} has no program for this machine.`)
  return program
}
