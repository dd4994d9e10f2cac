import anyTest, { type TestFn } from 'ava'
import { connected, freshTopic } from '../helpers/client.js'
import { Mosquitto } from '../helpers/mosquitto.js'
import { inProcess, type Program } from '../helpers/program.js'

const test = anyTest as TestFn<{ broker: Mosquitto }>

test.before(async (t) => {
  t.context.broker = await Mosquitto.start({ settings: ['max_queued_messages 0'] })
})
test.after.always(async (t) => {
  await t.context.broker.stop()
})

/** Seconds. The broker gives up on a client that it has not heard of for one and a half. */
const keepalive = 1

test('a connection outlives a consumer that sleeps ten times the keepalive', async (t) => {
  const { broker } = t.context
  const topic = freshTopic()
  const total = 400
  const consumer = await connected(t, broker, {
    keepalive,
    maxQueuedIncomingMessages: 10,
    overflow: 'backpressure',
  })
  await consumer.subscribe(topic, { qos: 1 })
  const producer = await connected(t, broker)
  const payload = Buffer.alloc(64 * 1024)
  await Promise.all(
    Array.from({ length: total }, () => producer.publish(topic, payload, { qos: 1, timeout: 30 })),
  )
  await new Promise((resolve) => setTimeout(resolve, 10 * keepalive * 1000))
  let received = 0
  for await (const message of consumer.messages) {
    t.is(message.payload.length, payload.length)
    if (++received === total) break
  }
  await consumer.publish(topic, 'still here', { qos: 1 })
})

const blocked: Program<{ port: number; keepalive: number }> = async ({ Client }, { port, keepalive }) => {
  const client = await Client.connect('127.0.0.1', port, { keepalive })
  await client.subscribe('blocked')
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 3 * keepalive * 1000)
  await client.publish('blocked', 'still here', { qos: 1 })
  const { value } = await client.messages.next()
  console.log(value?.text())
  await client.disconnect()
}

test('a connection outlives an event loop that is blocked for three times the keepalive', async (t) => {
  const { output, code, errors } = await inProcess(blocked, { port: t.context.broker.port, keepalive })
    .outcome
  t.is(errors, '')
  t.is(output.trim(), 'still here')
  t.is(code, 0)
})
