/** Control characters of C0 and C1, and what turns the direction of writing: none of them may reach a terminal. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
const UNPRINTABLE = /[\u0000-\u001f\u007f-\u009f\u200e\u200f\u202a-\u202e\u2066-\u2069]/gu

const SHORT: Readonly<Record<string, string>> = { '\n': '\\n', '\r': '\\r', '\t': '\\t' }

/** Text of somebody else's, as it may stand on a terminal: in one line, and without a way to steer the terminal. */
export function printable(text: string): string {
  return text.replaceAll(
    UNPRINTABLE,
    (character) => SHORT[character] ?? `\\u${(character.codePointAt(0) ?? 0).toString(16).padStart(4, '0')}`,
  )
}

/** The beginning of a text that fits into so many columns; an ellipsis stands for the rest. */
export function clipped(text: string, columns: number): string {
  const characters = Array.from(text)
  if (characters.length <= columns) return text
  return columns < 1 ? '' : `${characters.slice(0, columns - 1).join('')}…`
}

/** Bytes for people: `1.2 kB`. */
export function sizeText(bytes: number): string {
  if (bytes < 1000) return `${bytes} B`
  const units = ['kB', 'MB', 'GB']
  let value = bytes / 1000
  let unit = 0
  while (value >= 999.5 && unit < units.length - 1) {
    value /= 1000
    unit++
  }
  return `${value < 10 ? value.toFixed(1) : Math.round(value)} ${units[unit]}`
}

/** A part of the screen that is drawn again and again: the whole screen, which is given back at the end. */
export class Screen {
  readonly #stream: NodeJS.WriteStream

  constructor(stream: NodeJS.WriteStream) {
    this.#stream = stream
    // The alternate screen, without a cursor.
    stream.write('\x1b[?1049h\x1b[?25l')
  }

  get columns(): number {
    return this.#stream.columns
  }

  get rows(): number {
    return this.#stream.rows
  }

  /** Draws lines, which are printable, and clips them to the screen. */
  draw(lines: readonly string[]): void {
    const shown = lines.slice(0, this.rows).map((line) => `${clipped(line, this.columns)}\x1b[K`)
    this.#stream.write(`\x1b[H${shown.join('\r\n')}\x1b[J`)
  }

  /** Gives the screen back as it was. */
  close(): void {
    this.#stream.write('\x1b[?25h\x1b[?1049l')
  }
}
