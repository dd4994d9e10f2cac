// docs/sessions.md has the table of what is final for users, ts/failures/finality.ts has it for the code.

import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { PacketTypes } from 'aiomqtt'
import test from 'ava'
import { root } from '../helpers/markdown.js'
import { internal, receivedReasonCode } from '../unit/internals.js'

const { FINAL } = await internal<typeof import('../../dist/failures/finality.js')>('failures/finality')

const page = readFileSync(join(root, 'docs/sessions.md'), 'utf8')
const rows = page.split('\n').filter((line) => line.startsWith('| '))

/** The failures of the rows that begin so, and what they end. */
function rowsOf(beginning: string): Array<[failures: string, ends: string]> {
  return rows
    .filter((line) => line.startsWith(`| ${beginning}`))
    .map((line) => line.slice(`| ${beginning}`.length).split('|').slice(0, 2) as [string, string])
}

/** What the page calls codes that are about the will. */
const OF_THE_WILL: ReadonlyMap<number, string> = new Map([
  [0x90, 'topic'],
  [0x99, 'payload'],
  [0x9a, 'retain flag'],
  [0x9b, 'QoS'],
])

for (const [packet, beginning] of [
  ['connack', 'CONNACK: '],
  ['disconnect', 'DISCONNECT: '],
] as const) {
  test(`${beginning}each code that is final is in docs/sessions.md, and no other`, (t) => {
    const table = rowsOf(beginning)
    const names = new Map(
      [...FINAL[packet]].map(([code, retry]) => {
        const type = packet === 'connack' ? PacketTypes.CONNACK : PacketTypes.DISCONNECT
        const name = OF_THE_WILL.get(code) ?? String(receivedReasonCode(type, code))
        return [name, retry]
      }),
    )
    const listed = table.flatMap(([failures]) =>
      failures
        .replace(/ of the will/, '')
        .split(/, |; the | or /)
        .map((name) => name.trim()),
    )
    const lower = (name: string) => name.toLowerCase()
    t.deepEqual(listed.map(lower).sort(), [...names.keys()].map(lower).sort())
    for (const [name, retry] of names) {
      const [, ends = ''] = table.find(([failures]) => lower(failures).includes(lower(name))) ?? []
      t.is(/^ everything/.test(ends), retry === 'never', `${name} ends${ends}`)
    }
  })
}

test('each option for TLS that is final is in docs/sessions.md', (t) => {
  const [[options = ''] = []] = rowsOf('an option for TLS')
  const words: Record<string, RegExp> = {
    ciphers: /cipher/,
    cipherSuites: /cipher/,
    groups: /curve/,
    signatureAlgorithms: /signature algorithm/,
    version: /least version above the greatest/,
    alpn: /ALPN/,
  }
  t.deepEqual(Object.keys(words).sort(), [...FINAL.tlsOptions].sort())
  for (const option of FINAL.tlsOptions) t.regex(options, words[option] as RegExp)
})
