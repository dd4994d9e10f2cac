type Level = 'debug' | 'info' | 'warn' | 'error'

/** A logger that keeps what it is given, as text. */
export class Recorder {
  readonly lines: Record<Level, string[]> = { debug: [], info: [], warn: [], error: [] }

  debug(...values: unknown[]): void {
    this.lines.debug.push(values.join(' '))
  }

  info(...values: unknown[]): void {
    this.lines.info.push(values.join(' '))
  }

  warn(...values: unknown[]): void {
    this.lines.warn.push(values.join(' '))
  }

  error(...values: unknown[]): void {
    this.lines.error.push(values.join(' '))
  }
}
