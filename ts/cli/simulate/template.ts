import { randomUUID } from 'node:crypto'
import { CommandError } from '../command-error.js'

/** What a placeholder can use. */
export interface Moment {
  /** The number of the device, from 1 on. */
  readonly device: number
  /** The number of its message, from 1 on. */
  readonly count: number
  readonly now: Date
}

type Value = string | number

/** Gives a value for each message of one device. */
type Source = (moment: Moment) => Value

const PLACEHOLDER = /\{(\w+)((?: [^{}]*)?)\}/g

/** What stands in braces: how many words follow, and what makes the values of one device. */
const SOURCES: Readonly<Record<string, { usage: string; make: (words: string[]) => Source | null }>> = {
  device: { usage: '{device}', make: (words) => (words.length > 0 ? null : ({ device }) => device) },
  count: { usage: '{count}', make: (words) => (words.length > 0 ? null : ({ count }) => count) },
  time: { usage: '{time}', make: (words) => (words.length > 0 ? null : ({ now }) => now.toISOString()) },
  milliseconds: {
    usage: '{milliseconds}',
    make: (words) => (words.length > 0 ? null : ({ now }) => now.getTime()),
  },
  uuid: { usage: '{uuid}', make: (words) => (words.length > 0 ? null : () => randomUUID()) },
  choice: {
    usage: '{choice red green blue}',
    make: (words) =>
      words.length === 0 ? null : () => words[Math.floor(Math.random() * words.length)] ?? '',
  },
  random: {
    usage: '{random from to}',
    make: (words) => {
      const [from, to] = numbers(words, 2)
      return from === undefined || to === undefined ? null : () => rounded(from + Math.random() * (to - from))
    },
  },
  integer: {
    usage: '{integer from to}',
    make: (words) => {
      const [from, to] = numbers(words, 2)
      if (from === undefined || to === undefined) return null
      return () => Math.floor(from + Math.random() * (to - from + 1))
    },
  },
  walk: {
    usage: '{walk from to step}',
    make: (words) => {
      const [from, to, step] = numbers(words, 3)
      if (from === undefined || to === undefined || step === undefined) return null
      let value = from + Math.random() * (to - from)
      return () => {
        value = Math.min(Math.max(value + (Math.random() * 2 - 1) * step, from), to)
        return rounded(value)
      }
    },
  },
}

/** Placeholders and what they mean, for `--help`. */
export const PLACEHOLDER_HELP = Object.values(SOURCES)
  .map(({ usage }) => usage)
  .join(' ')

/** A text with placeholders, for one device: each of them keeps its own state (`walk`). */
export function compileText(text: string): (moment: Moment) => string {
  const source = compileValue(text)
  return (moment) => String(source(moment))
}

/**
 * JSON with placeholders, for one device. A string that is nothing but a placeholder of a number becomes a number.
 * @throws {CommandError} no such placeholder, or wrong words in it
 */
export function compileJson(value: unknown): (moment: Moment) => unknown {
  if (typeof value === 'string') return compileValue(value)
  if (Array.isArray(value)) {
    const items = value.map(compileJson)
    return (moment) => items.map((item) => item(moment))
  }
  if (typeof value !== 'object' || value === null) return () => value
  const members = Object.entries(value).map(([name, member]) => [name, compileJson(member)] as const)
  return (moment) => Object.fromEntries(members.map(([name, member]) => [name, member(moment)]))
}

function compileValue(text: string): Source {
  const parts: Source[] = []
  let at = 0
  for (const match of text.matchAll(PLACEHOLDER)) {
    const before = text.slice(at, match.index)
    if (before !== '') parts.push(() => before)
    parts.push(sourceOf(match))
    at = match.index + match[0].length
  }
  const rest = text.slice(at)
  if (parts.length === 1 && rest === '') return parts[0] as Source
  return (moment) => parts.map((part) => part(moment)).join('') + rest
}

function sourceOf([whole, name = '', words = '']: RegExpMatchArray): Source {
  const known = SOURCES[name]
  if (known === undefined) {
    throw new CommandError(`${whole} is none of the placeholders ${PLACEHOLDER_HELP}`)
  }
  const source = known.make(words.split(' ').filter((word) => word !== ''))
  if (source === null) throw new CommandError(`${whole} must be like ${known.usage}`)
  return source
}

/** Undefined for each if there are not so many, or one is none. */
function numbers(words: string[], count: number): number[] {
  const values = words.map(Number)
  return values.length === count && values.every(Number.isFinite) ? values : []
}

function rounded(value: number): number {
  return Math.round(value * 1000) / 1000
}
