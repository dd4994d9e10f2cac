// npm runs this before it packs the package, from a clone or for an installation from git: what is packed has to be
// compiled, and a package without a binary would work nowhere.

import { existsSync } from 'node:fs'
import { setup } from './setup.mjs'
import { at, Failure, filesBelow, main } from './steps.mjs'

await main(() => {
  const binaries = existsSync(at('prebuilds'))
    ? filesBelow('prebuilds', (file) => file.endsWith('.node'))
    : []
  if (binaries.length === 0) {
    throw new Failure(
      'The package has no binary in prebuilds/, and is of no use without one. In a clone: npm run prebuildify, then pack ' +
        'again. It cannot be installed from git, which has no binaries: install it from the registry, or a tarball that ' +
        'npm pack has made in a clone.',
    )
  }
  setup()
})
