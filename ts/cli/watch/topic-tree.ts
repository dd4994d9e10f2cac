import type { Message } from '../../engine/message.js'
import { printable } from '../../support/printable.js'
import { clipped, sizeText } from '../terminal.js'

/** Topics that are told apart; messages of further ones are only counted. */
const MOST_TOPICS = 10_000

/** Bytes of a payload that are kept to be shown. */
const SHOWN_BYTES = 256

/** A level of a topic: what came to the topic that ends here, and the levels below. */
class Level {
  readonly children = new Map<string, Level>()
  messages = 0
  /** Messages since the last `tick()`. */
  recent = 0
  /** Messages a second, in the time before the last `tick()`. */
  rate = 0
  /** Bytes of the last payload. */
  size = 0
  /** The beginning of the last payload; null for a level to which nothing came. */
  last: Buffer | null = null
}

/** What is shown of one level. */
interface Row {
  readonly name: string
  readonly rate: number
  readonly messages: number
  readonly size: number
  readonly last: Buffer | null
}

/** The topics to which messages came, as a tree of bounded size. */
export class TopicTree {
  messages = 0
  bytes = 0
  /** Topics that are told apart. */
  topics = 0
  /** Messages of topics beyond them. */
  untold = 0
  readonly #root = new Level()

  /** A message has come. */
  add({ topic, payload }: Message): void {
    this.messages++
    this.bytes += payload.length
    const level = this.#find(topic.value)
    if (level === null) {
      this.untold++
      return
    }
    if (level.last === null) this.topics++
    level.messages++
    level.recent++
    level.size = payload.length
    // A copy: the message's own bytes would keep all that came with it.
    level.last = Buffer.from(payload.subarray(0, SHOWN_BYTES))
  }

  /** So many seconds have passed since the last time: rates are those of that time. */
  tick(seconds: number): void {
    const visit = (level: Level) => {
      level.rate = level.recent / seconds
      level.recent = 0
      for (const child of level.children.values()) visit(child)
    }
    visit(this.#root)
  }

  /**
   * The tree, a line for each level, sorted by name.
   * @param depth levels that are shown; those below are summed up
   */
  lines(columns: number, depth: number): string[] {
    const rows: Row[] = []
    this.#collect(this.#root, 0, depth, rows)
    const nameWidth = Math.min(Math.max(...rows.map(({ name }) => name.length), 5), Math.floor(columns / 2))
    const lines = rows.map(({ name, rate, messages, size, last }) => {
      const value = last === null ? '' : cell(last.toString())
      const figures = `${perSecond(rate).padStart(9)} ${String(messages).padStart(9)} ${(last === null ? '' : sizeText(size)).padStart(7)}`
      return clipped(`${clipped(name, nameWidth).padEnd(nameWidth)} ${figures}  ${value}`, columns)
    })
    const head = `${'topic'.padEnd(nameWidth)} ${'rate'.padStart(9)} ${'messages'.padStart(9)} ${'size'.padStart(7)}  last value`
    return [clipped(head, columns), ...lines]
  }

  #find(topic: string): Level | null {
    let level = this.#root
    for (const name of topic.split('/')) {
      let next = level.children.get(name)
      if (next === undefined) {
        if (this.topics >= MOST_TOPICS) return null
        next = new Level()
        level.children.set(name, next)
      }
      level = next
    }
    return level
  }

  #collect(level: Level, indent: number, depth: number, rows: Row[]): void {
    for (const [name, child] of [...level.children].sort(([a], [b]) => (a < b ? -1 : 1))) {
      const isClosed = indent + 1 >= depth && child.children.size > 0
      const sum = isClosed ? sumOf(child) : child
      const shown = `${'  '.repeat(indent)}${cell(name) || '(empty)'}${child.children.size > 0 ? '/' : ''}`
      rows.push({ name: shown, rate: sum.rate, messages: sum.messages, size: child.size, last: child.last })
      if (!isClosed) this.#collect(child, indent + 1, depth, rows)
    }
  }
}

/** What came to a level and to those below it. */
function sumOf(level: Level): { rate: number; messages: number } {
  let { rate, messages } = level
  for (const child of level.children.values()) {
    const below = sumOf(child)
    rate += below.rate
    messages += below.messages
  }
  return { rate, messages }
}

function perSecond(rate: number): string {
  return rate === 0 ? '' : `${rate < 10 ? rate.toFixed(1) : Math.round(rate)}/s`
}

/** Text of somebody else's, as it may stand in a column. */
function cell(text: string): string {
  return printable(text).replaceAll('\t', '\\t')
}
