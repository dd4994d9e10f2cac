// npm run test:nodes: the AVA suite on every Node that is supported. The binaries are npm packages.
//
//   node scripts/test-nodes.mjs [major ...]

import { existsSync } from 'node:fs'
import { addCounts, compileTests, printCounts, runAva } from './ava.mjs'
import { setup } from './setup.mjs'
import { at, main, runNpm, say } from './steps.mjs'

const supported = ['20', '22', '24', '26']

/** The path of a Node of that major version, fetched when it is not there yet. */
function provideNode(major) {
  const name = `node-${process.platform === 'win32' ? 'win' : process.platform}-${process.arch}`
  const folder = at('build/nodes', major)
  const binary = `${folder}/node_modules/${name}/bin/node${process.platform === 'win32' ? '.exe' : ''}`
  if (!existsSync(binary)) {
    say(`Fetching Node ${major}`)
    runNpm([
      'install',
      '--prefix',
      folder,
      '--no-save',
      '--no-audit',
      '--no-fund',
      '--ignore-scripts',
      `${name}@${major}`,
    ])
  }
  return binary
}

await main(async () => {
  setup({ servers: true })
  compileTests()
  const counts = { passed: 0, failed: 0 }
  const asked = process.argv.slice(2)
  for (const major of asked.length > 0 ? asked : supported) {
    const results = await runAva(provideNode(major))
    console.log(`Node ${major}: ${results.passed} passed, ${results.failed} failed`)
    addCounts(counts, results)
  }
  printCounts(counts)
})
