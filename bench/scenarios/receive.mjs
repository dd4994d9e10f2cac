// Messages that come in, on one connection or on many: the consumer reads topic and payload of each.

import { topicNames } from '../peer/packets.mjs'
import { closeAll, openMany } from './connections.mjs'
import { Stopwatch } from './stopwatch.mjs'

/** User properties are read on one message in this many. */
const PROPERTIES_READ = 10

/** Messages between two reports to the peer of a shared flood. */
const REPORTED = 16 * 1024

export async function run(client, parameters, size, ready) {
  const { connections: count, qos, pump, batches } = parameters
  const readsProperties = pump.userProperties.length > 0
  const total = size.messages === undefined ? undefined : size.messages * count
  const stopwatch = new Stopwatch({ ...size, messages: total }, { lot: pump.payload > 100_000 ? 4 : 256 })
  const progress = count > 1 ? new Progress() : null
  const connections = await openMany(client, count, parameters)
  const consumers = connections.map(
    (connection) =>
      new Consumer(stopwatch, progress, pump, {
        messages: size.messages,
        properties: readsProperties ? connection : null,
      }),
  )

  const over = new Promise((resolve, reject) => {
    const ended = connections.map((connection, index) => {
      const consumer = consumers[index]
      const consume = (topic, payload, message) => {
        if (consumer.consume(topic, payload, message)) resolve()
        return consumer.isDone
      }
      return batches ? connection.receiveBatches(consume) : connection.receive(consume)
    })
    Promise.all(ended).then(resolve, reject)
  })
  await Promise.all(connections.map((connection) => connection.subscribe('#', qos)))
  ready()
  await over

  if (size.messages !== undefined) await closeAll(connections)
  const sum = (read) => consumers.reduce((value, consumer) => value + read(consumer), 0)
  const figures = stopwatch.figures()
  return {
    figures: { ...figures, megabytesPerSecond: (figures.messagesPerSecond * pump.payload) / 1e6 },
    received: sum((consumer) => consumer.count),
    disordered: sum((consumer) => consumer.disordered),
  }
}

/** Tells the peer of a shared flood what has arrived: a number now and then, which costs next to nothing. */
class Progress {
  #count = 0

  tick() {
    this.#count += 1
    if (this.#count % REPORTED === 0) process.send({ type: 'consumed', count: this.#count })
  }
}

/** Reads what comes over one connection. */
class Consumer {
  count = 0
  disordered = 0
  isDone = false
  /** So that nothing that was read can be left out. */
  read = 0
  #expected = 0
  #stopwatch
  #progress
  #cycle
  #messages
  #properties
  /** In a check, the topics in the order in which they must come. */
  #topics

  constructor(stopwatch, progress, pump, { messages, properties }) {
    this.#stopwatch = stopwatch
    this.#progress = progress
    this.#cycle = pump.cycle
    this.#messages = messages
    this.#properties = properties
    this.#topics = messages === undefined ? null : topicNames(pump.topics)
  }

  /** @returns {boolean} whether this was the last message of the measurement */
  consume(topic, payload, message) {
    if (this.isDone) return false
    const first = payload[0]
    if (first !== this.#expected) this.disordered += 1
    this.#expected = first + 1 === this.#cycle ? 0 : first + 1
    this.read += topic.length + payload.length
    if (this.#topics !== null && topic !== this.#topics[this.count % this.#topics.length])
      this.disordered += 1
    this.count += 1
    if (this.#properties !== null && this.count % PROPERTIES_READ === 0) {
      this.read += this.#properties.readUserProperties(message)
    }
    this.#progress?.tick()
    const isLast = this.#stopwatch.tick()
    this.isDone = this.#stopwatch.isOver || this.count === this.#messages
    return isLast
  }
}
