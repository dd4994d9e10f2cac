// npm run test:nodes: the AVA suite on every Node that is supported. The binaries are npm packages.
//
//   node scripts/test-nodes.mjs [major ...]

import { addCounts, compileTests, printCounts, runAva } from './ava.mjs'
import { provideNode } from './nodes.mjs'
import { setup } from './setup.mjs'
import { main } from './steps.mjs'

const supported = ['20', '22', '24', '26']

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
