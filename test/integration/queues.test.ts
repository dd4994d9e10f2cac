import { type Client, type ClientOptions, FifoQueue, LifoQueue, type Message, PriorityQueue } from 'aiomqtt'
import anyTest, { type ExecutionContext, type TestFn } from 'ava'
import { connected, freshTopic, nextMessage, nextMessages } from '../helpers/client.js'
import { Recorder } from '../helpers/logger.js'
import { Mosquitto } from '../helpers/mosquitto.js'
import { protocols } from '../helpers/protocols.js'

type Context = { broker: Mosquitto }
const test = anyTest as TestFn<Context>

test.before(async (t) => {
  t.context.broker = await Mosquitto.start()
})
test.after.always((t) => t.context.broker.stop())

/** A client that has the messages 1 to `count` in its queue: the PUBACK comes after the message on its connection. */
async function queued(t: ExecutionContext<Context>, count: number, options: ClientOptions): Promise<Client> {
  const client = await connected(t, t.context.broker, options)
  const topic = freshTopic()
  await client.subscribe(topic, { qos: 1 })
  for (let index = 1; index <= count; index++) await client.publish(topic, index, { qos: 1 })
  return client
}

async function texts(client: Client, count: number): Promise<string[]> {
  return (await nextMessages(client, count)).map((message) => message.text())
}

for (const { name, protocol } of protocols) {
  test(`${name}: messages come in the order of their arrival by default, and with FifoQueue`, async (t) => {
    for (const queueType of [undefined, FifoQueue]) {
      const client = await queued(t, 4, { protocol, queueType })
      t.is(client.messages.length, 4)
      t.deepEqual(await texts(client, 4), ['1', '2', '3', '4'])
      t.is(client.messages.length, 0)
    }
  })

  test(`${name}: with LifoQueue the newest comes first`, async (t) => {
    t.deepEqual(await texts(await queued(t, 4, { protocol, queueType: LifoQueue }), 4), ['4', '3', '2', '1'])
  })

  test(`${name}: with PriorityQueue the lowest identifier comes first, QoS 0 before all`, async (t) => {
    const client = await queued(t, 3, { protocol, queueType: PriorityQueue })
    const topic = freshTopic()
    await client.subscribe(topic, { qos: 0 })
    await client.publish(topic, 'zero', { qos: 1 })
    const messages = await nextMessages(client, 4)
    t.deepEqual(
      messages.map((message) => message.text()),
      ['zero', '1', '2', '3'],
    )
    t.is(messages[0]?.mid, 0)
  })

  test(`${name}: beyond maxQueuedIncomingMessages the newest is dropped with a warning, and is acknowledged`, async (t) => {
    const logger = new Recorder()
    const client = await queued(t, 5, { protocol, logger, maxQueuedIncomingMessages: 2 })
    t.is(client.messages.length, 2)
    t.deepEqual(logger.lines.warn, Array(3).fill('Message queue is full. Discarding message.'))
    t.deepEqual(await texts(client, 2), ['1', '2'])
    const topic = freshTopic()
    await client.subscribe(topic)
    await client.publish(topic, 'later')
    t.deepEqual(await texts(client, 1), ['later'])
  })

  test(`${name}: 0 as maxQueuedIncomingMessages means no limit`, async (t) => {
    const client = await queued(t, 50, { protocol, maxQueuedIncomingMessages: 0 })
    t.is(client.messages.length, 50)
  })
}

test('a queue type of the user’s own decides the order, and the bounds stay the client’s business', async (t) => {
  class ByPayload {
    readonly #messages: Message[] = []
    get length(): number {
      return this.#messages.length
    }
    put(message: Message): void {
      this.#messages.push(message)
      this.#messages.sort((a, b) => Number(b.text()) - Number(a.text()))
    }
    get(): Message | undefined {
      return this.#messages.shift()
    }
  }
  const client = await queued(t, 5, { queueType: ByPayload, maxQueuedIncomingMessages: 4 })
  t.deepEqual(await texts(client, 4), ['4', '3', '2', '1'])
})

test('the queue survives disconnect() and is drained before iteration rejects', async (t) => {
  const client = await queued(t, 3, {})
  await client.disconnect()
  t.is(client.messages.length, 3)
  t.deepEqual(await texts(client, 2), ['1', '2'])
  await client.connect()
  t.deepEqual(await texts(client, 1), ['3'])
  await client.disconnect()
  const error = await t.throwsAsync(client.messages.next(), {
    message: 'Disconnected during message iteration',
  })
  t.is(error?.cause, undefined)
})

test('leaving a for await loop neither loses a message nor closes the queue', async (t) => {
  const client = await queued(t, 6, {})
  const seen: string[] = []
  for (let round = 0; round < 3; round++) {
    for await (const message of client.messages) {
      seen.push(message.text())
      if (seen.length % 2 === 0) break
    }
  }
  t.deepEqual(seen, ['1', '2', '3', '4', '5', '6'])
  const iterator = client.messages
  await iterator.return?.()
  const topic = freshTopic()
  await client.subscribe(topic)
  await client.publish(topic, 'after')
  t.is((await nextMessage(client)).text(), 'after')
})

test('a for await loop that throws leaves the queue as it is', async (t) => {
  const client = await queued(t, 2, {})
  await t.throwsAsync(
    async () => {
      for await (const message of client.messages) throw new Error(message.text())
    },
    { message: '1' },
  )
  t.deepEqual(await texts(client, 1), ['2'])
})

test('several iterators share the queue, first come, first served', async (t) => {
  const client = await connected(t, t.context.broker)
  const topic = freshTopic()
  await client.subscribe(topic)
  const [first, second] = [client.messages, client.messages]
  const waiting = [first.next(), second.next(), first.next()]
  for (const payload of ['1', '2', '3']) await client.publish(topic, payload)
  t.deepEqual(
    (await Promise.all(waiting)).map(({ value }) => value?.text()),
    ['1', '2', '3'],
  )
})

test('batches() gives what is there, at most as many as asked for', async (t) => {
  const client = await queued(t, 5, {})
  const sizes: string[][] = []
  for await (const batch of client.messages.batches(2)) {
    sizes.push(batch.map((message) => message.text()))
    if (sizes.length === 3) break
  }
  t.deepEqual(sizes, [['1', '2'], ['3', '4'], ['5']])
})

test('batches() waits when nothing is there, and rejects at the end', async (t) => {
  const client = await connected(t, t.context.broker)
  const topic = freshTopic()
  await client.subscribe(topic)
  const batches = client.messages.batches()
  const next = batches.next()
  await client.publish(topic, 'x')
  t.deepEqual(
    ((await next).value as Message[]).map((message) => message.text()),
    ['x'],
  )
  const last = batches.next()
  await client.disconnect()
  await t.throwsAsync(last, { message: 'Disconnected during message iteration' })
})
