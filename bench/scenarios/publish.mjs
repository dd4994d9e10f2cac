// Messages that go out on one connection, with a limited number of publishes pending.

import { payloadOf, topicNames } from '../peer/packets.mjs'
import { open } from './connections.mjs'
import { Stopwatch } from './stopwatch.mjs'

export async function run(client, parameters, size, ready) {
  const { qos, maxPending, payload, topics, cycle } = parameters
  const connection = await open(client, parameters)
  ready()
  const stopwatch = new Stopwatch(size, { lot: payload > 100_000 ? 4 : 256 })
  const publish = connection.publisher(qos)
  const names = topicNames(topics)
  const payloads = Array.from({ length: cycle }, (_, index) => payloadOf(index, payload, cycle))
  const most = size.messages ?? Number.POSITIVE_INFINITY
  let published = 0
  let pending = 0
  let isFilling = false

  await new Promise((resolve, reject) => {
    const done = (error) => {
      if (error !== undefined) reject(error)
      pending -= 1
      if (stopwatch.tick()) resolve()
      // Some clients call back before publish() has returned: then the loop below goes on by itself.
      if (!isFilling) fill()
    }
    const fill = () => {
      isFilling = true
      while (pending < maxPending && published < most && !stopwatch.isOver) {
        const sequence = published
        published += 1
        pending += 1
        publish(names[sequence % topics], payloads[sequence % cycle], done)
      }
      isFilling = false
    }
    fill()
  })

  if (size.messages !== undefined) await connection.disconnect()
  const figures = stopwatch.figures()
  return {
    figures: { ...figures, megabytesPerSecond: (figures.messagesPerSecond * payload) / 1e6 },
    published,
  }
}
