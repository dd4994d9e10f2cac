// What the demo shows: a live line on a terminal, a line a second elsewhere, and the summary.

import { availableParallelism } from 'node:os'
import { clearLine, cursorTo } from 'node:readline'

const barWidth = 12
const deviceRows = 3

/** Shows the progress of one run. */
export class Display {
  #stream
  #seconds
  #last = { elapsed: 0, received: 0 }
  #figures = ''

  /**
   * @param {import('node:tty').WriteStream} stream
   * @param {number} seconds that the run takes
   */
  constructor(stream, seconds) {
    this.#stream = stream
    this.#seconds = seconds
  }

  /** Milliseconds between two calls of show(). */
  get interval() {
    return this.#stream.isTTY ? 250 : 1000
  }

  /** @param {import('./run.mjs').Progress} progress */
  show(progress) {
    const { elapsed, received, queued, p50, p99, devices } = progress
    const rate = (received - this.#last.received) / (elapsed - this.#last.elapsed)
    this.#last = progress
    this.#figures = [
      `${count(rate)} msg/s`,
      `queue ${count(queued)}`,
      `p50 ${milliseconds(p50)}`,
      `p99 ${milliseconds(p99)}`,
      `${count(devices)} devices`,
    ].join('  ')
    if (this.#stream.isTTY) this.#rewrite(elapsed / this.#seconds)
    else this.#stream.write(`${Math.round(elapsed)} s  ${this.#figures}\n`)
  }

  /** The run is over: leaves the live line behind. */
  end() {
    if (!this.#stream.isTTY) return
    this.#rewrite(1)
    this.#stream.write('\n')
  }

  #rewrite(share) {
    const line = `${bar(share)}  ${this.#figures}`
    cursorTo(this.#stream, 0)
    this.#stream.write(line.slice(0, this.#stream.columns - 1))
    clearLine(this.#stream, 1)
  }
}

/**
 * @param {string} name of the broker
 * @param {import('./run.mjs').Result} result
 */
export function summary(name, result) {
  const { sent, received, lost, duplicates, elapsed, rate, p50, p99, devices, busy, cores } = result
  return [
    `Through ${name}, in ${elapsed.toFixed(1)} s:`,
    row('sent', count(sent)),
    row('received', count(received), duplicates > 0 ? `and ${count(duplicates)} duplicates` : ''),
    row('lost', count(lost)),
    row('per second', count(rate)),
    row('latency', milliseconds(p50), `median; 99 % within ${milliseconds(p99)}`),
    row('devices', count(devices.size)),
    ...busy.map(({ thread, share }) => row(`${thread} busy`, percent(share))),
    row('cores used', cores.toFixed(1), `of ${availableParallelism()}`),
  ].join('\n')
}

/** What the ingest service knows about the first few devices. */
export function deviceTable(devices) {
  const named = [...devices].sort(([a], [b]) => (a < b ? -1 : 1))
  const rows = named.slice(0, deviceRows).map(([name, { count: readings, min, mean, max }]) => {
    const temperatures = [min, mean, max].map((value) => value.toFixed(1))
    return deviceRow(name, count(readings), temperatures)
  })
  const more = named.length - rows.length
  return [
    `${deviceRow('device', 'readings', ['min', 'mean', 'max'])}  °C`,
    ...rows,
    ...(more > 0 ? [`  … and ${count(more)} more`] : []),
  ].join('\n')
}

/** A number of messages. */
export function count(value) {
  return Math.round(value).toLocaleString('en-US')
}

function row(title, value, remark = '') {
  return `  ${title.padEnd(12)}${value.padStart(12)}  ${remark}`.trimEnd()
}

function deviceRow(name, readings, temperatures) {
  const columns = temperatures.map((text) => text.padStart(7)).join('')
  return `  ${name.padEnd(14)}${readings.padStart(10)}${columns}`
}

function milliseconds(microseconds) {
  return `${(microseconds / 1000).toFixed(1)} ms`
}

function percent(share) {
  return `${Math.round(share * 100)} %`
}

function bar(share) {
  const full = Math.min(barWidth, Math.round(share * barWidth))
  return `${'█'.repeat(full)}${'░'.repeat(barWidth - full)}`
}
