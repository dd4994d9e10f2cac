// The API reference is made of docstrings: every option has its default, and its unit where it is a number.
// (That every export has a docstring at all is checked by `npm run docs`.)

import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import test from 'ava'
import { root } from '../helpers/markdown.js'

interface Option {
  readonly where: string
  readonly name: string
  readonly type: string
  readonly docstring: string
}

/** Interfaces whose optional members are no options, but what may be there and may not. */
const NO_OPTIONS = new Set(['StateChange', 'StateEvent', 'PlainProperties', 'PropertiesLiteral'])

/** The optional members of the interfaces that a file exports. */
function optionsOf(file: string): Option[] {
  const text = readFileSync(join(root, file), 'utf8')
  const bodies = text.matchAll(/^export (?:interface|type) (\w+)[^{;\n]*\{\n([\s\S]*?)^\}/gm)
  return Array.from(bodies).flatMap(([, owner, body]) => {
    if (NO_OPTIONS.has(owner)) return []
    const members = body.matchAll(
      /(?:\/\*\*((?:(?!\*\/)[\s\S])*)\*\/\s*)?^ {2}(?:readonly )?(\w+)\?: (.+)$/gm,
    )
    return Array.from(members, ([, docstring = '', name, type]) => {
      return { where: `${file}: ${owner}.${name}`, name, type, docstring }
    })
  })
}

/** The files whose interfaces are public: those that index.ts exports. */
function publicFiles(): string[] {
  const found = ['ts/index.ts', 'ts/store/index.ts'].flatMap((index) => {
    const folder = index.replace(/index\.ts$/, '')
    const text = readFileSync(join(root, index), 'utf8')
    return Array.from(text.matchAll(/from '\.\/(.+)\.js'/g), ([, name]) => `${folder}${name}.ts`)
  })
  return [...new Set(found)]
}

const options = publicFiles().flatMap(optionsOf)

test('every option has its default', (t) => {
  t.true(options.length > 70)
  for (const { where, docstring } of options) t.regex(docstring, /@defaultValue \S/, where)
})

test('every option that is a number has its unit, or the numbers that it may be', (t) => {
  const numbers = options.filter(({ type }) => /\b(?:number|QoS|RetainHandling)\b/.test(type))
  t.true(numbers.length > 15)
  const unit =
    /HTTP status|seconds?\b|bytes|messages|calls|attempts|connections|port|aliases|0 (?:always|at most)|: 0, 1 or 2|: 0, 4, 128 to/i
  for (const { where, docstring } of numbers) t.regex(docstring, unit, where)
})

test('every option of a client is in the table of docs/connecting.md', (t) => {
  const table = readFileSync(join(root, 'docs/connecting.md'), 'utf8')
  const names = optionsOf('ts/options/client-options.ts').map(({ name }) => name)
  t.true(names.length > 30)
  for (const name of names) t.regex(table, new RegExp(`^\\|[^|]*\`${name}\`[^|]*\\|`, 'm'), name)
})
