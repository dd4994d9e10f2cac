// The service: takes messages from the broker, writes them to PostgreSQL in batches, and acknowledges what is committed.
//
// Nothing is lost, because the broker keeps what was not acknowledged. Three things have to be true for that: the session
// outlives the process (so the identifier must be the same after a restart), acknowledgements wait for the commit
// (`manualAcks`), and a message that comes again makes no second row (the key of the table).

import { setTimeout as sleep } from 'node:timers/promises'
import { Client, ProtocolVersion } from 'aiomqtt'
import { Database } from './database.mjs'
import { readingOf } from './readings.mjs'

/** How long the broker keeps the session of a service that is away, in seconds. */
const sessionExpiryInterval = 24 * 3600

/**
 * @typedef {object} Settings
 * @property {[host: string, port: number][]} brokers the first one, and where to go if it is gone
 * @property {string} identifier the same after each restart, and nobody else's
 * @property {string[]} filters `$share/<group>/…` to share the messages with others
 * @property {3 | 4 | 5} protocol
 * @property {number} receiveMaximum the most messages that the broker may send without acknowledgement, on MQTT 5
 * @property {number} size the most messages of a batch
 * @property {number} age milliseconds that the first message of a batch may wait for the others
 */

/**
 * Runs until the signal fires; the batch that is under way is finished then.
 *
 * @param {Settings} settings
 * @param {AbortSignal} signal
 * @param {object} listener
 * @param {() => void} listener.onReady called when what is published from now on comes, sooner or later
 * @param {(commit: { messages: number, rows: number, lag: number }) => void} listener.onCommit called after each batch:
 *   its messages, how many of them were new, and how many milliseconds ago the oldest one was sent
 * @param {(line: string) => void} listener.log
 * @throws {import('aiomqtt').MqttError} when the client gives up: the session was taken over, or nobody lets it in
 */
export async function ingest({ identifier, size, age, ...settings }, signal, { onReady, onCommit, log }) {
  const [[host, port], ...hosts] = settings.brokers
  const client = new Client(host, port, {
    identifier,
    ...sessionOptions(settings),
    manualAcks: true,
    reconnect: { hosts, initial: true, minDelay: 0.1, maxDelay: 5 },
  })
  const database = new Database(log)
  try {
    await client.connect({ signal })
    await subscribe(client, settings.filters)
    subscribeAgain(client, settings.filters, log)
    onReady()

    for await (const batch of inBatches(client.messages, size, age, signal)) {
      const readings = []
      const rejected = []
      for (const message of batch) {
        const reading = readingOf(message)
        if (reading !== null) readings.push(reading)
        else rejected.push({ topic: message.topic.value, payload: message.payload })
      }
      const rows = await database.write(readings, rejected, signal)
      for (const message of batch) message.ack()
      onCommit({ messages: batch.length, rows, lag: Date.now() - oldest(readings) })
    }
  } catch (error) {
    if (!signal.aborted) throw error
  } finally {
    await client.disconnect()
    await database.close()
  }
}

/** @throws {Error} if the broker refuses a filter: `subscribe()` reports that, and does not throw */
async function subscribe(client, filters) {
  const codes = await client.subscribe(
    filters.map((filter) => [filter, 1]),
    { timeout: 60 },
  )
  const refused = filters.filter((_, index) => codes[index].isFailure)
  if (refused.length > 0) throw new Error(`The broker refused ${refused.join(', ')}`)
}

/** Mosquitto 2.0 forgets shared subscriptions when it restarts, and yet says that it has the session. */
async function subscribeAgain(client, filters, log) {
  for await (const { state } of client.states) {
    if (state === 'connected') await subscribe(client, filters).catch(({ message }) => log(message))
  }
}

/** A session that outlives the process. */
function sessionOptions({ protocol, receiveMaximum }) {
  return protocol === ProtocolVersion.V5
    ? { protocol, cleanStart: false, properties: { sessionExpiryInterval, receiveMaximum } }
    : { protocol, cleanSession: false }
}

/**
 * Batches of at most `size` messages; one that is not full waits for `age` milliseconds, and takes what has come by then.
 * Ends with the signal.
 */
async function* inBatches(messages, size, age, signal) {
  for (;;) {
    const batch = await next(messages, size, signal)
    if (batch.length === 0) return
    if (batch.length < size) {
      await sleep(age)
      if (messages.length > 0) batch.push(...(await next(messages, size - batch.length)))
    }
    yield batch
  }
}

/** What has come, or comes before the signal fires; `most` messages at most. */
async function next(messages, most, signal) {
  try {
    const { value } = await messages.batches(most).next({ signal })
    return value
  } catch (error) {
    if (signal?.aborted) return []
    throw error
  }
}

function oldest(readings) {
  return readings.reduce((least, { sent }) => Math.min(least, sent), Date.now())
}
