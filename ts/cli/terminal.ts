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
