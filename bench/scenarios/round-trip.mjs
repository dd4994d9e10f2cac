// One message at a time, out and back again: from publish() until the consumer has the echo.

import { performance } from 'node:perf_hooks'
import { payloadOf, topicNames } from '../peer/packets.mjs'
import { quantile } from '../runner/statistics.mjs'
import { open } from './connections.mjs'
import { Stopwatch } from './stopwatch.mjs'

export async function run(client, parameters, size, ready) {
  const { qos, payload, cycle } = parameters
  const connection = await open(client, parameters)
  const stopwatch = new Stopwatch(size, { lot: 16 })
  const publish = connection.publisher(qos)
  const [topic] = topicNames(1)
  const payloads = Array.from({ length: cycle }, (_, index) => payloadOf(index, payload, cycle))
  const times = []
  let disordered = 0
  let started = 0
  let arrived = () => {}

  const consumer = connection.receive((name, bytes) => {
    times.push(performance.now() - started)
    if (name !== topic || bytes[0] !== (times.length - 1) % cycle) disordered += 1
    const isLast = stopwatch.tick()
    arrived()
    return isLast
  })
  await connection.subscribe('#', qos)
  ready()

  while (!stopwatch.isOver) {
    const arrival = new Promise((resolve) => {
      arrived = resolve
    })
    const published = new Promise((resolve, reject) => {
      started = performance.now()
      publish(topic, payloads[times.length % cycle], (error) => {
        if (error === undefined) resolve()
        else reject(error)
      })
    })
    await Promise.all([arrival, published])
  }
  await consumer

  if (size.messages !== undefined) await connection.disconnect()
  const received = times.length
  const { messagesPerSecond, processorMicroseconds } = stopwatch.figures()
  const measured = times.slice(stopwatch.firstCount).sort((a, b) => a - b)
  return {
    figures: {
      p50Microseconds: quantile(measured, 0.5) * 1e3,
      p99Microseconds: quantile(measured, 0.99) * 1e3,
      messagesPerSecond,
      processorMicroseconds,
    },
    received,
    disordered,
  }
}
