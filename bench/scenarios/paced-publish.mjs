// Messages that go out at an even pace, to a broker: what they cost, and how long publish() takes to settle. Every
// millisecond what is due is published.

import { performance } from 'node:perf_hooks'
import { payloadOf, topicNames } from '../peer/packets.mjs'
import { open } from './connections.mjs'
import { latencyFigures, stretched } from './pace.mjs'
import { Stopwatch } from './stopwatch.mjs'

export async function run(client, parameters, size, ready) {
  const { qos, rate, payload, topics, cycle } = parameters
  const connection = await open(client, parameters)
  const stopwatch = new Stopwatch(...stretched(size, parameters))
  const publish = connection.publisher(qos)
  const names = topicNames(topics)
  const payloads = Array.from({ length: cycle }, (_, index) => payloadOf(index, payload, cycle))
  const times = []
  let published = 0
  ready()

  await new Promise((resolve, reject) => {
    const started = performance.now()
    const ticks = setInterval(() => {
      const due = Math.floor(((performance.now() - started) * rate) / 1e3)
      while (published < due) publishNext()
    }, 1)
    const publishNext = () => {
      const sequence = published
      const begun = performance.now()
      published += 1
      publish(names[sequence % topics], payloads[sequence % cycle], (error) => {
        if (error !== undefined) reject(error)
        times.push(performance.now() - begun)
        if (!stopwatch.tick()) return
        clearInterval(ticks)
        resolve()
      })
    }
  })

  return { figures: latencyFigures(stopwatch, times, rate), published }
}
