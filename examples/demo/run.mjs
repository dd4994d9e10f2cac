// One run: the ingest service in this thread, the fleet in another, some broker between them.

import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { performance } from 'node:perf_hooks'
import { setTimeout as sleep } from 'node:timers/promises'
import { Worker } from 'node:worker_threads'
import { Ingest } from './ingest.mjs'
import { deviceTopics, fleetFilter, now } from './telemetry.mjs'

/** Seconds without any message after which what has not arrived is lost. */
const patience = 3

/**
 * @typedef {object} Progress
 * @property {number} elapsed seconds
 * @property {number} received messages, so far
 * @property {number} queued the most messages that waited for the ingest loop since the last report
 * @property {number} p50 latency in microseconds, since the last report
 * @property {number} p99
 * @property {number} devices seen so far
 */

/**
 * @typedef {object} Result
 * @property {number} sent
 * @property {number} received without duplicates
 * @property {number} lost
 * @property {number} duplicates
 * @property {number} elapsed seconds from the first publish to the last message
 * @property {number} rate messages received a second
 * @property {number} p50 latency in microseconds
 * @property {number} p99
 * @property {Ingest['devices']} devices
 * @property {{ thread: string, share: number }[]} busy how busy each event loop of this process was, 0 to 1, the
 *   busiest first; a loop that waits for a core counts as busy
 * @property {number} cores how many cores this process had on average
 */

/**
 * @param {import('./brokers.mjs').Broker} broker
 * @param {import('./options.mjs').Options} options
 * @param {{ onProgress: (progress: Progress) => void, interval: number, signal: AbortSignal }} control
 *   `interval`: milliseconds between reports; `signal` ends the run early, and it still adds up
 * @returns {Promise<Result>}
 */
export async function run(broker, options, { onProgress, interval, signal }) {
  const prefix = `demo-${randomBytes(4).toString('hex')}`
  const ingest = await Ingest.start(broker.address, fleetFilter(prefix), options.qos)
  const fleet = startFleet(broker, options, prefix)
  const stopFleet = () => fleet.postMessage({ stop: true })
  const consuming = ingest.run((arrived) => fleet.postMessage({ arrived }))
  let timer
  try {
    await Promise.race([once(fleet, 'message'), consuming])
    const startedAt = now()
    const takeLoad = startMeters(broker, fleet)
    timer = setInterval(() => onProgress(progressOf(ingest, startedAt)), interval)
    signal.addEventListener('abort', stopFleet)
    if (signal.aborted) stopFleet()

    const [{ sent }] = await Promise.race([once(fleet, 'message'), consuming])
    const load = takeLoad()
    await arrival(ingest, sent)
    clearInterval(timer)
    await ingest.stop()
    await consuming
    return resultOf(ingest, sent, startedAt, load)
  } finally {
    clearInterval(timer)
    signal.removeEventListener('abort', stopFleet)
    await fleet.terminate()
    await ingest.stop()
  }
}

function startFleet({ address }, { devices, connections, qos, seconds }, prefix) {
  return new Worker(new URL('fleet.mjs', import.meta.url), {
    workerData: { broker: address, topics: deviceTopics(prefix, devices), connections, qos, seconds },
  })
}

/** Starts to measure what the threads do; the function that it returns gives Result.busy and Result.cores. */
function startMeters(broker, fleet) {
  const threads = { broker: broker.performance, fleet: fleet.performance, ingest: performance }
  const meters = Object.entries(threads)
    .filter(([, measured]) => measured !== null)
    .map(([thread, measured]) => ({ thread, measured, start: measured.eventLoopUtilization() }))
  const shareOf = ({ thread, measured, start }) => ({
    thread,
    share: measured.eventLoopUtilization(start).utilization,
  })
  const startedAt = now()
  const startCpu = process.cpuUsage()
  return () => {
    const { user, system } = process.cpuUsage(startCpu)
    return {
      busy: meters.map(shareOf).sort((a, b) => b.share - a.share),
      cores: (user + system) / (now() - startedAt),
    }
  }
}

/** Waits until everything has arrived, or until nothing comes any more. */
async function arrival(ingest, sent) {
  const finishedAt = now()
  const quiet = () => now() - Math.max(ingest.lastAt, finishedAt) > patience * 1e6
  while (ingest.distinct < sent && !quiet()) await sleep(10)
}

function progressOf(ingest, startedAt) {
  return {
    elapsed: (now() - startedAt) / 1e6,
    received: ingest.received,
    devices: ingest.devices.size,
    ...ingest.takeRecent(),
  }
}

function resultOf(ingest, sent, startedAt, load) {
  ingest.takeRecent()
  const elapsed = Math.max(1, ingest.lastAt - startedAt) / 1e6
  return {
    sent,
    received: ingest.distinct,
    lost: sent - ingest.distinct,
    duplicates: ingest.duplicates,
    elapsed,
    rate: ingest.distinct / elapsed,
    p50: ingest.latency.percentile(50),
    p99: ingest.latency.percentile(99),
    devices: ingest.devices,
    ...load,
  }
}
