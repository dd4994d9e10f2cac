// What a run shows: a live line on a terminal, a line a second elsewhere, events, and the summary.

import { clearLine, cursorTo } from 'node:readline'

/** Events that are shown; a database that is away makes many. */
const mostEvents = 30

export class Display {
  #stream
  #last = { elapsed: 0, written: 0, batches: 0 }
  #events = 0

  /** @param {import('node:tty').WriteStream} stream */
  constructor(stream) {
    this.#stream = stream
  }

  /** Milliseconds between two calls of show(). */
  get interval() {
    return this.#stream.isTTY ? 250 : 1000
  }

  /** @param {import('./run.mjs').Progress} progress */
  show(progress) {
    const { elapsed, acknowledged, written, batches, lag } = progress
    const rows = written - this.#last.written
    const rate = rows / (elapsed - this.#last.elapsed)
    const made = batches - this.#last.batches
    this.#last = progress
    this.#line(
      [
        `${elapsed.toFixed(0).padStart(3)} s`,
        `${count(rate).padStart(8)} rows/s`,
        `${count(Math.max(0, acknowledged - written)).padStart(7)} behind`,
        `oldest ${count(lag).padStart(6)} ms`,
        `batches of ${count(made === 0 ? 0 : rows / made)}`,
      ].join('  '),
    )
  }

  /** Says what has happened. */
  event(text) {
    this.#events++
    if (this.#events > mostEvents) return
    this.#clear()
    this.#stream.write(`      ${this.#events === mostEvents ? 'and so on …' : text}\n`)
  }

  /** The run is over: leaves the live line behind. */
  end() {
    if (this.#stream.isTTY) this.#stream.write('\n')
  }

  #line(text) {
    this.#clear()
    this.#stream.write(this.#stream.isTTY ? text.slice(0, this.#stream.columns - 1) : `${text}\n`)
  }

  #clear() {
    if (!this.#stream.isTTY) return
    cursorTo(this.#stream, 0)
    clearLine(this.#stream, 0)
  }
}

/**
 * @param {import('./options.mjs').Options} options
 * @param {import('./run.mjs').Result} result
 */
export function summary({ devices, kill }, result) {
  const { published, acknowledged, verdict, again, batches, restarts, failures, elapsed, rate } = result
  return [
    row('published', count(published), `by ${count(devices)} devices in ${elapsed.toFixed(1)} s`),
    row('acknowledged', count(acknowledged), `to the devices, by ${result.broker}`),
    row('rows', count(verdict.rows), `${count(rate)} a second, ${count(verdict.rows / batches)} a commit`),
    row('lost', count(verdict.lost), 'acknowledged and not in the table'),
    row('twice', count(verdict.twice), 'in the table'),
    row('unconfirmed', count(verdict.uncertain), 'in the table without an acknowledgement to the device'),
    row('came again', count(again), 'and were in the table already'),
    ...(kill.length === 0 ? [] : [row('restarts', count(restarts), "of the service's processes")]),
    ...(failures === 0 ? [] : [row('failed', count(failures), 'processes that did not stop as asked')]),
    ...(kill.length > 0 ? [] : result.steady.processors).map(({ name, cores, perRow }) =>
      row(name, `${perRow.toFixed(1)} µs`, `of processor time a row; ${cores.toFixed(2)} cores`),
    ),
  ].join('\n')
}

/** @param {import('./run.mjs').Result} result */
export function addsUp({ acknowledged, verdict, failures }) {
  const { rows, lost, twice, uncertain } = verdict
  return lost === 0 && twice === 0 && failures === 0 && rows === acknowledged + uncertain
}

/** A number of messages. */
export function count(value) {
  return Math.round(value).toLocaleString('en-US')
}

function row(title, value, remark) {
  return `  ${title.padEnd(30)}${value.padStart(10)}  ${remark}`
}
