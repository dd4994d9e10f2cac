// The numbers of the native boundary: native/engine/boundary.h as ts/engine/boundary.ts has it made.
//
//   node scripts/boundary.mjs [--write]
//
// --write makes it; without, it is an error if it is not what would be made.

import { readFileSync, writeFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { at, Failure, isMain, main } from './steps.mjs'

export const SOURCE = 'ts/engine/boundary.ts'
export const HEADER = 'native/engine/boundary.h'

/**
 * @param {string} source the text of `SOURCE`
 * @returns {{ name: string, value: string }[]} its constants, in order; a value is a number as both languages write it
 * @throws {Failure} for a line of code that is no constant
 */
export function constantsOf(source) {
  const code = source.replace(/\/\*\*.*?\*\//gs, '').replace(/^\s*\/\/.*$/gm, '')
  const lines = code.split('\n').filter((line) => line.trim() !== '')
  return lines.map((line) => {
    const [, name, value] =
      /^export const ([A-Z]+(?:_[A-Z]+)+) = (0[xb][0-9a-f_]+|\d[\d_]*)$/.exec(line) ?? []
    if (name === undefined) throw new Failure(`${SOURCE} holds constants alone, not: ${line}`)
    return { name, value: value.replaceAll('_', '') }
  })
}

/** @param {string} source the text of `SOURCE` */
export function headerOf(source) {
  const spaces = new Map()
  for (const { name, value } of constantsOf(source)) {
    const [space, ...words] = name.toLowerCase().split('_')
    const camel = words.map((word) => word[0].toUpperCase() + word.slice(1)).join('')
    if (!spaces.has(space)) spaces.set(space, [])
    spaces.get(space).push(`inline constexpr std::uint32_t k${camel} = ${value};`)
  }
  return [
    '// Made by scripts/boundary.mjs from ts/engine/boundary.ts, which says what each number means.',
    '#pragma once',
    '',
    '#include <cstdint>',
    '',
    'namespace aiomqtt {',
    '',
    ...[...spaces].flatMap(([space, lines]) => [
      `namespace ${space} {`,
      ...lines,
      `}  // namespace ${space}`,
      '',
    ]),
    '}  // namespace aiomqtt',
    '',
  ].join('\n')
}

/**
 * @param {{ write?: boolean }} [options] write: makes the header
 * @throws {Failure} when it is not what would be made
 */
export function checkBoundary({ write = false } = {}) {
  const header = headerOf(readFileSync(at(SOURCE), 'utf8'))
  if (readFileSync(at(HEADER), 'utf8') === header) return
  if (!write)
    throw new Failure(`${HEADER} is not what ${SOURCE} says.\nMake it: node scripts/boundary.mjs --write`)
  writeFileSync(at(HEADER), header)
}

if (isMain(import.meta.url)) {
  await main(() => {
    const { values } = parseArgs({ options: { write: { type: 'boolean', default: false } } })
    checkBoundary(values)
  })
}
