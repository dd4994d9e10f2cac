// Messages that come in at an even pace, through a broker: what they cost, and how old they are when the consumer has
// them.

import { performance } from 'node:perf_hooks'
import { open } from './connections.mjs'
import { latencyFigures, stretched } from './pace.mjs'
import { Stopwatch } from './stopwatch.mjs'

/** Where in the payload its time of writing stands: seconds, then nanoseconds, of the monotonic clock. */
const TIME_OFFSET = 8

/** The payload's first byte counts up to this and starts again. */
const CYCLE = 256

export async function run(client, parameters, size, ready) {
  const { qos, rate } = parameters
  const connection = await open(client, parameters)
  const stopwatch = new Stopwatch(...stretched(size, parameters))
  const [seconds, nanoseconds] = process.hrtime()
  /** What the monotonic clock shows at time 0 of `performance`, in milliseconds. */
  const origin = seconds * 1e3 + nanoseconds / 1e6 - performance.now()
  const ages = []
  let disordered = 0
  let expected = 0

  const consumed = connection.receive((topic, payload) => {
    const written = uint32(payload, TIME_OFFSET) * 1e3 + uint32(payload, TIME_OFFSET + 4) / 1e6
    ages.push(performance.now() + origin - written)
    if (payload[0] !== expected || topic.length === 0) disordered += 1
    expected = (payload[0] + 1) % CYCLE
    return stopwatch.tick()
  })
  await connection.subscribe('#', qos)
  ready()
  await consumed

  return { figures: latencyFigures(stopwatch, ages, rate), received: stopwatch.count, disordered }
}

function uint32(bytes, at) {
  return (bytes[at] | (bytes[at + 1] << 8) | (bytes[at + 2] << 16) | (bytes[at + 3] << 24)) >>> 0
}
