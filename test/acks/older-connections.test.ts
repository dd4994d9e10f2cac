import {
  type Client,
  type ClientOptions,
  FifoQueue,
  LifoQueue,
  type Message,
  PriorityQueue,
  type QueueType,
  type Ranked,
} from 'aiomqtt'
import test, { type ExecutionContext } from 'ava'
import { nextMessages, paired, patience } from '../helpers/client.js'
import { within } from '../helpers/deadline.js'
import type { Peer, Session } from '../helpers/peer.js'
import { quickly, welcomed } from '../helpers/reconnect.js'

/** A queue of a program's own: the longest payload first. */
class LongestFirst {
  private messages: Ranked[] = []

  get length(): number {
    return this.messages.length
  }

  put(message: Ranked): void {
    this.messages.push(message)
    this.messages.sort((a, b) => text(b).length - text(a).length)
  }

  get(): Ranked | undefined {
    return this.messages.shift()
  }
}

/** One that gives out messages whose predecessor with the same topic was replaced. */
class LatestOfEach {
  private readonly latest = new Map<string, Ranked>()

  get length(): number {
    return this.latest.size
  }

  put(message: Ranked): void {
    this.latest.set((message as Message).topic.value, message)
  }

  get(): Ranked | undefined {
    for (const [topic, message] of this.latest) {
      this.latest.delete(topic)
      return message
    }
    return undefined
  }
}

function text(message: Ranked): string {
  return (message as Message).text()
}

function holding(t: ExecutionContext, options: ClientOptions = {}) {
  return paired(t, { manualAcks: true, identifier: 'x', cleanSession: false, ...options })
}

/** A PUBLISH with its identifier, 0 for QoS 0. */
function send(session: Session, qos: 0 | 1 | 2, messageId: number, payload: string, dup = false): void {
  session.send({ cmd: 'publish', topic: 'a', payload, qos, messageId, dup, retain: false })
}

async function queued(client: Client, count: number): Promise<void> {
  while (client.stats.queued < count) await new Promise(setImmediate)
}

/** Cuts the connection; the program calls `connect()` again. */
async function connectedAgain(client: Client, peer: Peer, session: Session, sessionPresent: boolean) {
  const over = (async () => {
    for await (const { state } of client.states) if (state === 'disconnected') return
  })()
  session.reset()
  await within(patience, 'the loss', over)
  const connecting = client.connect()
  const next = await peer.welcome({ sessionPresent })
  await within(patience, 'connecting', connecting)
  return next
}

function texts(messages: readonly Message[]): string[] {
  return messages.map((message) => `${message.text()}${message.dup ? ' again' : ''}`)
}

for (const qos of [1, 2] as const) {
  test(`QoS ${qos}: what the session sends again is taken out of the queue, what it does not stays`, async (t) => {
    const { client, peer, session } = await holding(t)
    send(session, qos, 1, 'one')
    send(session, 0, 0, 'zero')
    send(session, qos, 2, 'two')
    send(session, 0, 0, 'nought')
    await queued(client, 4)
    const next = await connectedAgain(client, peer, session, true)
    t.is(client.messages.length, 2)
    send(next, qos, 1, 'one', true)
    send(next, qos, 2, 'two', true)
    const messages = await nextMessages(client, 4)
    t.deepEqual(texts(messages), ['zero', 'nought', 'one again', 'two again'])
    for (const message of messages) await message.ack()
    for (const id of [1, 2]) t.is((await next.next(qos === 1 ? 'puback' : 'pubrec')).messageId, id)
    t.deepEqual([client.stats.queued, client.stats.queuedBytes, client.stats.dropped], [0, 0, 0])
  })
}

test('without Session Present the queue has the only copy, and keeps it', async (t) => {
  const { client, peer, session } = await holding(t)
  send(session, 1, 1, 'one')
  send(session, 2, 2, 'two')
  await queued(client, 2)
  await connectedAgain(client, peer, session, false)
  t.deepEqual(texts(await nextMessages(client, 2)), ['one', 'two'])
})

test('without manualAcks nothing is taken out: it was acknowledged', async (t) => {
  const { client, peer, session } = await holding(t, { manualAcks: false })
  send(session, 1, 1, 'one')
  await session.next('puback')
  await queued(client, 1)
  await connectedAgain(client, peer, session, true)
  t.deepEqual(texts(await nextMessages(client, 1)), ['one'])
})

test('with reconnect, while a loop handles a message: it goes on with what comes again', async (t) => {
  const { client, peer, session } = await holding(t, { reconnect: quickly })
  const seen: string[] = []
  let goOn = () => {}
  const handling = new Promise<void>((resolve) => {
    goOn = resolve
  })
  const loop = (async () => {
    for await (const message of client.messages) {
      seen.push(...texts([message]))
      if (seen.length === 1) await handling
      void message.ack()
      if (seen.length === 4) return
    }
  })()
  for (const id of [1, 2, 3]) send(session, 1, id, String(id))
  await queued(client, 2)
  session.reset()
  const next = await welcomed(peer, true)
  for (const id of [1, 2, 3]) send(next, 1, id, String(id), true)
  await queued(client, 3)
  goOn()
  await within(patience, 'the loop', loop)
  t.deepEqual(seen, ['1', '1 again', '2 again', '3 again'])
  for (const id of [1, 2, 3]) t.is((await next.next('puback')).messageId, id)
})

test('a message whose acknowledgement waited behind another is taken out, one whose acknowledgement left stays', async (t) => {
  const { client, peer, session } = await holding(t)
  const first = client.messages.filter('a')
  const second = client.messages.filter('#')
  for (const id of [1, 2, 3]) send(session, 1, id, String(id))
  await queued(client, 6)
  const [one, , three] = [await first.next(), await first.next(), await first.next()]
  await one.value?.ack()
  await three.value?.ack()
  t.is((await session.next('puback')).messageId, 1)
  await connectedAgain(client, peer, session, true)
  t.is(second.length, 1)
  t.is((await second.next()).value?.text(), '1')
})

const orders: Array<[string, QueueType, string[]]> = [
  ['FifoQueue', FifoQueue, ['ab', 'abcd', 'abc', 'a', 'x again', 'yyyyy again']],
  ['LifoQueue', LifoQueue, ['yyyyy again', 'x again', 'a', 'abc', 'abcd', 'ab']],
  ['PriorityQueue', PriorityQueue, ['ab', 'abcd', 'abc', 'a', 'x again', 'yyyyy again']],
  ['a queue of its own', LongestFirst, ['yyyyy again', 'abcd', 'abc', 'ab', 'a', 'x again']],
]
for (const [name, queueType, expected] of orders) {
  for (const bounds of [{}, { maxQueuedIncomingMessages: 6 }, { overflow: 'backpressure' }] as const) {
    test(`${name}, ${JSON.stringify(bounds)}: what stays keeps the order that the queue gives it`, async (t) => {
      const { client, peer, session } = await holding(t, { queueType, ...bounds })
      const zeros = ['ab', 'abcd', 'abc', 'a']
      for (const [index, zero] of zeros.entries()) {
        send(session, 0, 0, zero)
        if (index < 2) send(session, 1, index + 1, index === 0 ? 'x' : 'yyyyy')
      }
      await queued(client, 6)
      const next = await connectedAgain(client, peer, session, true)
      t.is(client.messages.length, 4)
      send(next, 1, 1, 'x', true)
      send(next, 1, 2, 'yyyyy', true)
      await queued(client, 6)
      t.deepEqual(texts(await nextMessages(client, 6)), expected)
      t.is(client.stats.queuedBytes, 0)
    })
  }
}

test('a queue that keeps the latest message of each topic has no more than that', async (t) => {
  const { client, peer, session } = await holding(t, { queueType: LatestOfEach })
  send(session, 0, 0, 'replaced')
  send(session, 0, 0, 'zero')
  session.send({ cmd: 'publish', topic: 'b', payload: 'b', qos: 1, messageId: 1, dup: false, retain: false })
  await queued(client, 2)
  await connectedAgain(client, peer, session, true)
  t.is(client.messages.length, 1)
  t.deepEqual(texts(await nextMessages(client, 1)), ['zero'])
})

test('a batch and all views: each gets what comes again once', async (t) => {
  const { client, peer, session } = await holding(t)
  const view = client.messages.filter('a')
  const inner = view.filter('a')
  for (const id of [1, 2, 3]) send(session, id === 2 ? 2 : 1, id, String(id))
  await queued(client, 3)
  t.is(inner.length, 3)
  const next = await connectedAgain(client, peer, session, true)
  t.is(client.stats.queued, 0)
  const waiting = inner.batches(10).next()
  for (const id of [1, 2, 3]) send(next, id === 2 ? 2 : 1, id, String(id), true)
  const batches = inner.batches(10)
  const messages = [...((await within(patience, 'a batch', waiting)).value ?? [])]
  while (messages.length < 3) {
    messages.push(...((await within(patience, 'a batch', batches.next())).value ?? []))
  }
  t.deepEqual(texts(messages), ['1 again', '2 again', '3 again'])
})

test('backpressure: what was taken out makes room', async (t) => {
  const { client, peer, session } = await holding(t, {
    overflow: 'backpressure',
    maxQueuedIncomingMessages: 2,
  })
  for (const id of [1, 2, 3]) send(session, 1, id, String(id))
  await queued(client, 2)
  const disconnecting = client.disconnect()
  await session.next('disconnect')
  session.close()
  await within(patience, 'disconnecting', disconnecting)
  const connecting = client.connect()
  const next = await peer.welcome({ sessionPresent: true })
  await within(patience, 'connecting', connecting)
  t.is(client.messages.length, 0)
  for (const id of [1, 2, 3]) send(next, 1, id, String(id), true)
  await queued(client, 2)
  t.is(client.messages.length, 2)
  t.deepEqual(texts(await nextMessages(client, 3)), ['1 again', '2 again', '3 again'])
})

test('a queue whose get() throws loses nothing that it still has', async (t) => {
  let isBroken = true
  class Moody extends FifoQueue<Ranked> {
    override get(): Ranked | undefined {
      if (isBroken) throw new Error('not now')
      return super.get()
    }
  }
  const { client, peer, session } = await holding(t, { queueType: Moody })
  send(session, 1, 1, 'one')
  send(session, 0, 0, 'zero')
  await queued(client, 2)
  await connectedAgain(client, peer, session, true)
  isBroken = false
  t.deepEqual(texts(await nextMessages(client, 2)), ['one', 'zero'])
  t.is(client.stats.queuedBytes, 0)
})
