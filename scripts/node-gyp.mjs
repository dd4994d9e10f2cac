// node-gyp with the headers that came with a Node installation: it would download them otherwise.

import { existsSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { Failure, runPackage } from './steps.mjs'

/**
 * The folder whose include/node has Node's headers: beside the running Node, or as npm is configured.
 *
 * @throws {Failure} when there are none
 */
export function nodeDirectory() {
  const beside = dirname(dirname(process.execPath))
  const folders = [beside, process.env.npm_config_nodedir, '/usr', '/usr/local'].filter(Boolean)
  const found = folders.find((folder) => existsSync(join(folder, 'include/node/common.gypi')))
  if (found) return found
  throw new Failure(
    `Node's own headers were not found in ${[...new Set(folders)].map((folder) => join(folder, 'include/node')).join(', ')}.\n` +
      'Install them (Debian: sudo apt-get install libnode-dev), or name the folder above include/node: ' +
      'npm_config_nodedir=<folder> npm run build:gyp',
  )
}

/** Builds <folder>/build/Release/aiomqtt.node from <folder>/binding.gyp; keeps what else is in <folder>/build. */
export function runGyp(folder, options) {
  runPackage(
    'node-gyp/bin/node-gyp.js',
    [
      'configure',
      'build',
      '--directory',
      folder,
      '--nodedir',
      nodeDirectory(),
      '--jobs',
      '2',
      '--loglevel',
      'error',
    ],
    options,
  )
}
