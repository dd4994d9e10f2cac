// npm run build:gyp: the addon with node-gyp, into build/Release, from the Node headers that are on this machine.

import { nodeDirectory, runGyp } from './node-gyp.mjs'
import { setup } from './setup.mjs'
import { at, main, root, say } from './steps.mjs'

await main(() => {
  setup()
  say(`Building the addon with node-gyp, headers from ${nodeDirectory()}`)
  runGyp(root)
  say(`Built ${at('build/Release/aiomqtt.node')}`)
})
