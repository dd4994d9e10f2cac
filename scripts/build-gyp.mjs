// npm run build:gyp: the addon with node-gyp, from the Node headers that are on this machine, into build/Release.
//
//   node scripts/build-gyp.mjs [--folder <folder>]
//
// With --folder it goes to <folder>/build/Release, built from links to the sources.

import { copyFileSync, existsSync, mkdirSync, symlinkSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { nodeDirectory, runGyp } from './node-gyp.mjs'
import { setup } from './setup.mjs'
import { at, main, root, say } from './steps.mjs'

/** node-gyp builds beside binding.gyp, always. */
function linkSources(folder) {
  mkdirSync(folder, { recursive: true })
  copyFileSync(at('binding.gyp'), join(folder, 'binding.gyp'))
  for (const name of ['native', 'deps', 'node_modules']) {
    const link = join(folder, name)
    if (!existsSync(link)) symlinkSync(at(name), link, 'junction')
  }
}

await main(() => {
  const { values } = parseArgs({ options: { folder: { type: 'string', default: root } } })
  const folder = resolve(values.folder)
  setup()
  if (folder !== root) linkSources(folder)
  say(`Building the addon with node-gyp, headers from ${nodeDirectory()}`)
  runGyp(folder)
  say(`Built ${join(folder, 'build/Release/aiomqtt.node')}`)
})
