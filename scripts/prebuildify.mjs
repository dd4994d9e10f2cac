// npm run prebuildify: the addon for this platform, stripped, as prebuilds/<platform>-<arch>/aiomqtt[.<libc>].node.
//
//   node scripts/prebuildify.mjs [--out <folder>]      the folder that gets prebuilds/; the repository by default

import { mkdirSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { addonInputs, setup } from './setup.mjs'
import { at, main, markDone, root, runPackage, say } from './steps.mjs'

await main(() => {
  const { values } = parseArgs({ options: { out: { type: 'string', default: root } } })
  setup()
  // prebuildify moves the binary that it is given out of <cwd>/build/Release, so it gets a folder of its own.
  const cwd = at('build/prebuildify')
  mkdirSync(cwd, { recursive: true })
  const args = ['--napi', '--strip', '--name', 'aiomqtt', '--cwd', cwd, '--out', values.out]
  if (process.platform === 'linux') args.push('--tag-libc')
  say('Making the prebuilt binary')
  runPackage('prebuildify/bin.js', args, {
    env: { ...process.env, PREBUILD_NODE_GYP: at('scripts/prebuildify-build.mjs') },
  })
  if (values.out === root) markDone('prebuild', `${addonInputs()} ${process.platform}-${process.arch}`)
})
