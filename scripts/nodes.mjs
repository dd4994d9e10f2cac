// Node binaries of other versions and architectures: they are npm packages.

import { existsSync } from 'node:fs'
import { at, runNpm, say } from './steps.mjs'

/** What the packages call the platforms and the architectures that Node calls otherwise. */
const NAMES = { win32: 'win', arm: 'armv7l' }

/**
 * @param {string} major the version
 * @param {string} [arch] Node's name of the architecture
 * @param {string} [platform] Node's name of the platform
 * @returns {string} the path of a Node for it, fetched when it is not there yet
 */
export function provideNode(major, arch = process.arch, platform = process.platform) {
  const name = `node-${NAMES[platform] ?? platform}-${NAMES[arch] ?? arch}`
  const suffixes = [
    platform === process.platform ? '' : `-${platform}`,
    arch === process.arch ? '' : `-${arch}`,
  ]
  const folder = at('build/nodes', `${major}${suffixes.join('')}`)
  const binary = `${folder}/node_modules/${name}/bin/node${platform === 'win32' ? '.exe' : ''}`
  if (!existsSync(binary)) {
    say(`Fetching Node ${major} for ${arch}`)
    const flags = ['--no-save', '--no-audit', '--no-fund', '--ignore-scripts', '--force', '--loglevel=error']
    runNpm(['install', '--prefix', folder, ...flags, `${name}@${major}`])
  }
  return binary
}
