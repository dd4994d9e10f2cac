// The native boundary is written once: its numbers in ts/engine/boundary.ts, of which the C++ header is made; and what
// the addon exports and reads of its options is what ts/engine/binding.ts declares.

import { spawnSync } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import test from 'ava'
import { root } from './package-copy.js'

const SOURCE = 'ts/engine/boundary.ts'
const HEADER = 'native/engine/boundary.h'

function read(path: string): string {
  return readFileSync(join(root, path), 'utf8')
}

/** What the check says when the two sides are these; nothing when they agree. */
function check(source: string, header: string): string {
  const folder = mkdtempSync(join(tmpdir(), 'aiomqtt-boundary-'))
  try {
    cpSync(join(root, 'scripts'), join(folder, 'scripts'), { recursive: true })
    for (const [path, text] of [
      [SOURCE, source],
      [HEADER, header],
    ] as const) {
      mkdirSync(dirname(join(folder, path)), { recursive: true })
      writeFileSync(join(folder, path), text)
    }
    const { status, stderr } = spawnSync(process.execPath, [join(folder, 'scripts/boundary.mjs')], {
      encoding: 'utf8',
    })
    return status === 0 ? '' : stderr
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

/** The names that match, sorted. */
function names(text: string, pattern: RegExp): string[] {
  return [...new Set([...text.matchAll(pattern)].map(([, name]) => name as string))].sort()
}

/** The text of an interface of binding.ts, without comments. */
function declared(name: string): string {
  const text = read('ts/engine/binding.ts').replace(/\/\*\*.*?\*\//gs, '')
  const [, body] = new RegExp(`^export interface ${name} \\{\\n(.*?)^\\}`, 'ms').exec(text) ?? []
  return body as string
}

const FIELDS = /^ {2}(?:readonly )?(\w+)\??[:(]/gm

test('both sides of the boundary have the same numbers', (t) => {
  t.is(check(read(SOURCE), read(HEADER)), '')
})

test('a number that is changed on one side alone is found', (t) => {
  const changed = (text: string, from: string, to: string) => {
    t.true(text.includes(from))
    return text.replace(from, to)
  }
  const source = changed(read(SOURCE), 'EVENT_DONE = 5', 'EVENT_DONE = 12')
  t.regex(check(source, read(HEADER)), /boundary\.h is not what .*boundary\.ts says/)
  const header = changed(read(HEADER), 'kDone = 5', 'kDone = 12')
  t.regex(check(read(SOURCE), header), /boundary\.h is not what .*boundary\.ts says/)
  const more = `${read(SOURCE)}export const EVENT_NEW = 99\n`
  t.regex(check(more, read(HEADER)), /boundary\.h is not what/)
  t.regex(check(`${read(SOURCE)}export const EVENT_NEW = EVENT_DONE\n`, read(HEADER)), /constants alone/)
})

test('the addon exports what binding.ts declares', (t) => {
  const exported = names(
    read('native/addon/environment.cpp'),
    /(?:method_of<&Environment::\w+>|exports\.Set)\("(\w+)"/g,
  )
  t.deepEqual(exported, names(declared('Binding'), FIELDS))
})

test('the addon reads the options that binding.ts declares', (t) => {
  const options = read('native/addon/options.cpp')
  const used = names(options, /(?:Get|text|number)\("(\w+)"/g)
  const interfaces = ['ConnectionOptions', 'ConnectionTls', 'ConnectionWill']
  const all = interfaces.flatMap((name) => names(declared(name), FIELDS))
  t.deepEqual(used, [...new Set(all)].sort())
})
