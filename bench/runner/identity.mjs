// What the peer shows to clients that speak TLS.

import { existsSync } from 'node:fs'
import { pathToFileURL } from 'node:url'
import { compileTests } from '../../scripts/ava.mjs'
import { at } from '../../scripts/steps.mjs'

/**
 * A certificate for localhost that vouches for itself, as the tests make them.
 *
 * @returns {Promise<{ certificate: string, key: string }>} in PEM
 */
export async function makeIdentity() {
  const maker = at('build/test/helpers/certificates.js')
  if (!existsSync(maker)) compileTests()
  const { Authority } = await import(pathToFileURL(maker))
  const { certificate, key } = Authority.root('localhost', ['localhost', '127.0.0.1'])
  return { certificate, key }
}
