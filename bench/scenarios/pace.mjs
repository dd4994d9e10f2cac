// What the scenarios at an even pace share.

import { quantile } from '../runner/statistics.mjs'

/** The clock is read so often in a second. */
const LOOKS_A_SECOND = 100

/** The arguments of the stopwatch: a slow pace needs more time for as good a figure. */
export function stretched({ warmUp, seconds }, { rate, stretch }) {
  return [{ warmUp, seconds: seconds * stretch }, { lot: Math.max(1, Math.floor(rate / LOOKS_A_SECOND)) }]
}

/**
 * @param {import('./stopwatch.mjs').Stopwatch} stopwatch that has ended
 * @param {number[]} times one for each message, in milliseconds
 * @param {number} rate messages a second
 * @returns {Record<string, number>} the figures; `kept` is the share of the pace that was kept
 */
export function latencyFigures(stopwatch, times, rate) {
  const { messagesPerSecond, processorMicroseconds } = stopwatch.figures()
  const measured = times.slice(stopwatch.firstCount, stopwatch.lastCount).sort((a, b) => a - b)
  return {
    p50Microseconds: quantile(measured, 0.5) * 1e3,
    p99Microseconds: quantile(measured, 0.99) * 1e3,
    messagesPerSecond,
    processorMicroseconds,
    kept: messagesPerSecond / rate,
  }
}
