import type { Message } from '../engine/message.js'
import { CommandError } from './command-error.js'
import { type Moment, messageJson, parsedPayload } from './message-json.js'
import type { Output } from './output.js'
import { strftime } from './strftime.js'

/** Writes one message, without the end of its line. */
export type Printer = (message: Message, output: Output, moment: Moment) => void

/** What stands between % and the letter: `-08.3`. */
interface Layout {
  readonly isLeft: boolean
  readonly pad: '0' | ' '
  readonly width: number
  /** The most bytes of a text; Infinity for no limit. */
  readonly most: number
}

const SEQUENCE = /%(-?)(0?)(\d*)(?:\.(\d*))?(.?)|@(.?)|\\(.?)|[^%@\\]+/gsu

const ESCAPES: Readonly<Record<string, string>> = {
  '\\': '\\',
  '0': '\0',
  a: '\x07',
  e: '\x1b',
  n: '\n',
  r: '\r',
  t: '\t',
  v: '\v',
}

/**
 * mosquitto_sub's -F, as a function that prints messages so.
 * @param isPretty whether JSON is spread over lines
 * @throws {CommandError} in mosquitto_sub's words: the format is none
 */
export function compileFormat(format: string, isPretty: boolean): Printer {
  const printers = Array.from(format.matchAll(SEQUENCE), (match) => compileSequence(match, isPretty))
  return (message, output, moment) => {
    for (const print of printers) print(message, output, moment)
  }
}

function compileSequence(match: RegExpMatchArray, isPretty: boolean): Printer {
  const [whole, left, zero, width, most, letter, time, escaped] = match
  if (letter !== undefined) {
    if (letter === '') throw new CommandError('Incomplete format specifier.')
    return parameter(letter, isPretty, {
      isLeft: left === '-',
      pad: zero === '0' ? '0' : ' ',
      width: Number(width),
      most: most === undefined ? Number.POSITIVE_INFINITY : Number(most),
    })
  }
  if (time !== undefined) return timeSequence(time)
  if (escaped !== undefined) return literal(escapeSequence(escaped))
  return literal(whole)
}

function literal(text: string): Printer {
  return (_message, output) => output.raw(text)
}

function timeSequence(letter: string): Printer {
  if (letter === '') throw new CommandError('Incomplete format specifier.')
  if (letter === '@') return literal('@')
  if (letter === 'N') return (_message, output, moment) => output.text(moment.nanoseconds)
  return (_message, output, { date }) => output.text(strftime(`%${letter}`, date))
}

function escapeSequence(letter: string): string {
  if (letter === '') throw new CommandError('Incomplete escape specifier.')
  const text = ESCAPES[letter]
  if (text === undefined) throw new CommandError(`Invalid escape specifier '${letter}'.`)
  return text
}

function parameter(letter: string, isPretty: boolean, layout: Layout): Printer {
  const number = NUMBERS[letter]
  if (number !== undefined) {
    return (message, output) => output.text(layNumber(number(message), layout))
  }
  const text = TEXTS[letter]
  if (text !== undefined) {
    return (message, output, moment) => layText(text(message, moment), layout, output)
  }
  switch (letter) {
    case '%':
      return literal('%')
    case 'p':
      return ({ payload }, output) => layPayload(payload, layout, output)
    case 'x':
      return ({ payload }, output) => layHex(payload, layout, output, false)
    case 'X':
      return ({ payload }, output) => layHex(payload, layout, output, true)
    case 'q':
      return ({ qos }, output) => output.text(String(qos))
    case 'r':
      return ({ retain }, output) => output.text(retain ? '1' : '0')
    case 'D':
      return ({ properties }, output) => {
        if (properties?.correlationData !== undefined) output.foreign(properties.correlationData)
      }
    case 'P':
      return ({ properties }, output) => {
        output.foreign(properties?.userProperty?.map(([name, value]) => `${name}:${value}`).join(' ') ?? '')
      }
    case 'R':
      return ({ properties }, output) => {
        if (properties?.responseTopic !== undefined) layText(properties.responseTopic, layout, output)
      }
    case 'U':
      return (_message, output, { date, nanoseconds }) =>
        output.text(`${strftime('%s', date)}.${nanoseconds}`)
    case 'j':
      return (message, output, moment) => {
        output.text(
          messageJson(message, moment, message.payload.length === 0 ? null : message.text(), isPretty),
        )
      }
    case 'J':
      return (message, output, moment) => {
        output.text(messageJson(message, moment, parsedPayload(message), isPretty))
      }
  }
  throw new CommandError(`Invalid format specifier '${letter}'.`)
}

const NUMBERS: Readonly<Record<string, (message: Message) => number | undefined>> = {
  // A topic alias is the client's own affair: it is resolved, and not shown.
  A: () => undefined,
  E: ({ properties }) => properties?.messageExpiryInterval,
  F: ({ properties }) => properties?.payloadFormatIndicator,
  S: ({ properties }) => properties?.subscriptionIdentifier?.[0],
  l: ({ payload }) => payload.length,
  m: ({ mid }) => mid,
}

const TEXTS: Readonly<Record<string, (message: Message, moment: Moment) => string>> = {
  C: ({ properties }) => properties?.contentType ?? '',
  I: (_message, { date }) => strftime('%FT%T%z', date),
  t: ({ topic }) => topic.value,
}

function layNumber(value: number | undefined, { isLeft, pad, width }: Layout): string {
  if (value === undefined) return pad.repeat(width)
  return isLeft ? String(value).padEnd(width) : String(value).padStart(width, pad)
}

/** As printf does: widths are bytes. */
function layText(value: string, { isLeft, width, most }: Layout, output: Output): void {
  if (width === 0 && most === Number.POSITIVE_INFINITY) {
    output.foreign(value)
    return
  }
  lay(Buffer.from(value).subarray(0, most), isLeft, ' ', width, output)
}

/** A payload is cut to the width, not to what follows the point: so does mosquitto_sub. */
function layPayload(payload: Buffer, { isLeft, pad, width }: Layout, output: Output): void {
  lay(width > 0 ? payload.subarray(0, width) : payload, isLeft, pad, width, output)
}

function layHex(payload: Buffer, { isLeft, pad, width }: Layout, output: Output, isUpper: boolean): void {
  const length = width > 0 ? Math.floor(Math.min(payload.length, width) / 2) : payload.length
  const hex = payload.toString('hex', 0, length)
  lay(Buffer.from(isUpper ? hex.toUpperCase() : hex), isLeft, pad, width, output)
}

function lay(bytes: Uint8Array, isLeft: boolean, pad: string, width: number, output: Output): void {
  const missing = Math.max(0, width - bytes.length)
  if (!isLeft) output.text(pad.repeat(missing))
  output.foreign(bytes)
  if (isLeft) output.text(' '.repeat(missing))
}
