import { readFile } from 'node:fs/promises'
import tls from 'node:tls'

/** What newer versions of Node have, and the types of the oldest one do not. */
const { getCACertificates } = tls as { getCACertificates?: (type: 'default') => readonly string[] }

let list: readonly string[] | undefined
let text = ''

/**
 * The certificates that Node trusts unless it is told otherwise, one PEM text after the other: its own, those of
 * `NODE_EXTRA_CA_CERTS`, and what else its flags say.
 */
export async function defaultRoots(): Promise<string> {
  // Node 22.15 and later know the answer; before, it is put together.
  const current = getCACertificates?.('default') ?? list ?? [...tls.rootCertificates, await extraRoots()]
  if (current !== list) {
    list = current
    text = current.join('\n')
  }
  return text
}

/** Node warned of a file that cannot be read when it started, and goes on without it. */
function extraRoots(): Promise<string> {
  const path = process.env.NODE_EXTRA_CA_CERTS
  return path === undefined || path === '' ? Promise.resolve('') : readFile(path, 'utf8').catch(() => '')
}
