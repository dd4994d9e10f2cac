import { setImmediate } from 'node:timers/promises'
import { type Client, type ClientOptions, type Message, MqttError } from 'aiomqtt'
import anyTest, { type ExecutionContext, type TestFn } from 'ava'
import { connected, freshTopic } from '../helpers/client.js'
import { Mosquitto } from '../helpers/mosquitto.js'

type Context = { broker: Mosquitto }
const test = anyTest as TestFn<Context>

test.before(async (t) => {
  t.context.broker = await Mosquitto.start()
})
test.after.always((t) => t.context.broker.stop())

/** Longer than any test: a wait for this does not end by itself. */
const LONG = 1000

/** A client that has subscribed to a topic of its own. */
async function subscribed(
  t: ExecutionContext<Context>,
  options: ClientOptions = {},
): Promise<{ client: Client; publish: (...texts: string[]) => Promise<void> }> {
  const client = await connected(t, t.context.broker, options)
  const topic = freshTopic()
  await client.subscribe(topic, { qos: 1 })
  const publish = async (...texts: string[]) => {
    for (const text of texts) await client.publish(topic, text, { qos: 1 })
  }
  return { client, publish }
}

function textsOf({ value }: IteratorResult<Message[], undefined>): string[] {
  return (value ?? []).map((message) => message.text())
}

test('with maxWait a batch is gathered until it is full', async (t) => {
  const { client, publish } = await subscribed(t)
  const batches = client.messages.batches({ max: 3, maxWait: LONG })
  const first = batches.next()
  await publish('1', '2')
  t.is(client.messages.length, 2)
  await publish('3', '4')
  t.deepEqual(textsOf(await first), ['1', '2', '3'])
  t.is(client.messages.length, 1)
})

test('with maxWait a batch that waits already counts', async (t) => {
  const { client, publish } = await subscribed(t)
  await publish('1', '2')
  const next = client.messages.batches({ max: 3, maxWait: LONG }).next()
  await publish('3')
  t.deepEqual(textsOf(await next), ['1', '2', '3'])
})

test('a batch that does not fill comes after maxWait', async (t) => {
  const { client, publish } = await subscribed(t)
  const batches = client.messages.batches({ maxWait: 0.05 })
  const next = batches.next()
  await publish('1')
  t.deepEqual(textsOf(await next), ['1'])
  await publish('2', '3')
  t.deepEqual(textsOf(await batches.next()), ['2', '3'])
})

test('the end of the connection ends the gathering, with what there is', async (t) => {
  const { client, publish } = await subscribed(t)
  const batches = client.messages.batches({ maxWait: LONG })
  const next = batches.next()
  await publish('1')
  await client.disconnect()
  t.deepEqual(textsOf(await next), ['1'])
  await t.throwsAsync(batches.next(), { instanceOf: MqttError })
})

const PAYLOAD = Buffer.alloc(1000)
const BOUNDS: ClientOptions[] = [
  { maxQueuedIncomingMessages: 2 },
  { maxQueuedIncomingMessages: 2, overflow: 'drop-oldest' },
  { maxQueuedIncomingMessages: 2, overflow: 'backpressure' },
  { maxQueuedIncomingBytes: 2500 },
  { maxQueuedIncomingBytes: 2500, overflow: 'drop-oldest' },
  { maxQueuedIncomingBytes: 2500, overflow: 'backpressure' },
]
for (const options of BOUNDS) {
  test(`a batch that fills the queue does not wait for more: ${JSON.stringify(options)}`, async (t) => {
    const client = await connected(t, t.context.broker, options)
    const topic = freshTopic()
    await client.subscribe(topic, { qos: 1 })
    const publisher = await connected(t, t.context.broker)
    const batches = client.messages.batches({ maxWait: LONG })
    for (let i = 0; i < 3; i++) {
      const next = batches.next()
      // The third shows that there is no room for it.
      for (let j = i === 0 ? 0 : 1; j < 3; j++) await publisher.publish(topic, PAYLOAD, { qos: 1 })
      t.is((await next).value?.length, 2)
    }
    t.is(client.stats.dropped, 0)
  })
}

for (const options of BOUNDS) {
  const bounds = JSON.stringify(options)
  test(`a batch that fills the queue does not wait for more, if all of it comes in one go: ${bounds}`, async (t) => {
    const client = await connected(t, t.context.broker, options)
    const topic = freshTopic()
    await client.subscribe(topic, { qos: 1 })
    const publisher = await connected(t, t.context.broker)
    const next = client.messages.batches({ maxWait: LONG }).next()
    const published = [1, 2, 3].map(() => publisher.publish(topic, PAYLOAD, { qos: 1 }))
    await setImmediate()
    // Meanwhile they come.
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 50)
    t.is((await next).value?.length, 2)
    await Promise.all(published)
    t.is(client.stats.dropped, 0)
  })
}

for (const overflow of ['drop-newest', 'drop-oldest', 'backpressure'] as const) {
  test(`a queue that is full already is a batch: ${overflow}`, async (t) => {
    const client = await connected(t, t.context.broker, { maxQueuedIncomingMessages: 2, overflow })
    const topic = freshTopic()
    await client.subscribe(topic, { qos: 1 })
    const publisher = await connected(t, t.context.broker)
    for (let i = 0; i < 2; i++) await publisher.publish(topic, '', { qos: 1 })
    while (client.messages.length < 2) await setImmediate()
    t.is((await client.messages.batches({ maxWait: LONG }).next()).value?.length, 2)
  })
}

test('a view whose batch is gathered is not held up by another one that is full', async (t) => {
  const client = await connected(t, t.context.broker, {
    maxQueuedIncomingMessages: 2,
    overflow: 'backpressure',
  })
  const topic = freshTopic()
  await client.subscribe(`${topic}/#`, { qos: 1 })
  const publisher = await connected(t, t.context.broker)
  const view = client.messages.filter(`${topic}/a`)
  const next = view.batches({ maxWait: LONG }).next()
  await publisher.publish(`${topic}/a`, '', { qos: 1 })
  for (let i = 0; i < 3; i++) await publisher.publish(`${topic}/b`, '', { qos: 1 })
  t.is((await next).value?.length, 1)
})

test('who comes after one that gathered, and left, is served', async (t) => {
  const { client, publish } = await subscribed(t)
  const batches = client.messages.batches({ maxWait: LONG })
  const controller = new AbortController()
  const gathers = batches.next({ signal: controller.signal })
  const others = client.messages
  const second = batches.next()
  const third = others.next()
  await publish('1', '2')
  controller.abort(new Error('enough'))
  await t.throwsAsync(gathers, { message: 'enough' })
  await batches.return()
  t.true((await second).done)
  t.is((await third).value?.text(), '1')
})

test('who gathers gives up with return(), and loses nothing', async (t) => {
  const { client, publish } = await subscribed(t)
  const batches = client.messages.batches({ maxWait: LONG })
  const next = batches.next()
  await publish('1')
  await batches.return()
  t.deepEqual(await next, { value: undefined, done: true })
  t.deepEqual(textsOf(await client.messages.batches().next()), ['1'])
})

test('a signal ends the iteration with its reason, and loses nothing', async (t) => {
  const { client, publish } = await subscribed(t)
  const controller = new AbortController()
  const batches = client.messages.batches({ maxWait: LONG, signal: controller.signal })
  const next = batches.next()
  await publish('1')
  const reason = new Error('enough')
  controller.abort(reason)
  t.is(await t.throwsAsync(next), reason)
  t.is(await t.throwsAsync(batches.next()), reason)
  t.deepEqual(textsOf(await client.messages.batches(1).next()), ['1'])
})

test('the signal of one next() goes with that of all', async (t) => {
  const { client } = await subscribed(t)
  const all = new AbortController()
  const one = new AbortController()
  const batches = client.messages.batches({ signal: all.signal })
  const next = batches.next({ signal: one.signal })
  const reason = new Error('this one')
  one.abort(reason)
  t.is(await t.throwsAsync(next), reason)
  const another = batches.next({ signal: new AbortController().signal })
  all.abort(reason)
  t.is(await t.throwsAsync(another), reason)
})

for (const [options, name, message] of [
  [{ max: 0 }, 'RangeError', 'max must be an integer from 1 to 2147483647, not 0'],
  [{ maxWait: -1 }, 'RangeError', 'maxWait must be a number of seconds from 0 to 2147483, not -1'],
  [{ maxWait: '1' }, 'TypeError', 'maxWait must be a number of seconds, not string'],
  [{ most: 1 }, 'TypeError', /most/],
] as const) {
  test(`batches(${JSON.stringify(options)}) is a ${name}`, async (t) => {
    const { client } = await subscribed(t)
    t.throws(() => client.messages.batches(options as object), { name, message })
  })
}
