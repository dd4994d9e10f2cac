import {
  type ClientOptions,
  LifoQueue,
  type Message,
  type MessagesIterator,
  MqttError,
  Topic,
  Wildcard,
} from 'aiomqtt'
import test, { type ExecutionContext } from 'ava'
import { field, packet } from '../helpers/bytes.js'
import { clientOf, isPending, paired, patience, roundTrip } from '../helpers/client.js'
import { rejection, until, within } from '../helpers/deadline.js'
import { Recorder } from '../helpers/logger.js'
import type { Session } from '../helpers/peer.js'

/** Sends messages, each with its topic as its payload. */
function deliver(session: Session, ...topics: string[]): void {
  session.send(...topics.map((topic) => packet('30', field(topic), Buffer.from(topic).toString('hex'))))
}

/** Waits until so many messages are in a view's queue. */
async function filled(view: MessagesIterator, count: number): Promise<void> {
  await until(patience, `${count} messages`, () => view.length >= count)
}

async function next(view: MessagesIterator): Promise<Message> {
  const { value } = await within(patience, 'a message of the view', view.next())
  if (value === undefined) throw new Error('the view is over')
  return value
}

async function texts(view: MessagesIterator, count: number): Promise<string[]> {
  const found: string[] = []
  while (found.length < count) found.push((await next(view)).text())
  return found
}

async function filtered(t: ExecutionContext, options: ClientOptions, ...filters: string[]) {
  const { client, peer, session } = await paired(t, options)
  return { client, peer, session, views: filters.map((filter) => client.messages.filter(filter)) }
}

test('a message goes to every view that matches it, and otherwise to client.messages', async (t) => {
  const { client, session, views } = await filtered(t, {}, 'a/#', 'a/+/x', 'b')
  deliver(session, 'a', 'a/1/x', 'b', 'c', 'a/2')
  t.deepEqual(await texts(views[0], 3), ['a', 'a/1/x', 'a/2'])
  t.deepEqual(await texts(views[1], 1), ['a/1/x'])
  t.deepEqual(await texts(views[2], 1), ['b'])
  t.deepEqual(await texts(client.messages, 1), ['c'])
  for (const view of [...views, client.messages]) t.is(view.length, 0)
})

test('what two views get is one and the same object', async (t) => {
  const { session, views } = await filtered(t, {}, 'a', '+')
  deliver(session, 'a')
  t.is(await next(views[0]), await next(views[1]))
})

test('views that come and go change where topics go that came before', async (t) => {
  const { client, session, views } = await filtered(t, {}, 'a')
  const both = ['a', 'b']
  // More than once each: the first message of a topic comes another way than the others (topic_table.h).
  for (let round = 0; round < 3; round++) deliver(session, ...both)
  t.deepEqual(await texts(views[0], 3), ['a', 'a', 'a'])
  t.deepEqual(await texts(client.messages, 3), ['b', 'b', 'b'])
  const all = client.messages.filter('#')
  deliver(session, ...both)
  t.deepEqual(await texts(all, 2), both)
  t.deepEqual(await texts(views[0], 1), ['a'])
  await all.return()
  deliver(session, ...both)
  t.deepEqual(await texts(views[0], 1), ['a'])
  t.deepEqual(await texts(client.messages, 1), ['b'])
  await views[0]?.return()
  deliver(session, ...both)
  t.deepEqual(await texts(client.messages, 2), both)
})

test('a view takes what comes, not what is queued already', async (t) => {
  const { client, session } = await filtered(t, {})
  deliver(session, 'a')
  await filled(client.messages, 1)
  const view = client.messages.filter('a')
  deliver(session, 'a')
  await filled(view, 1)
  t.is(client.messages.length, 1)
})

test('a wildcard may be an object, a shared subscription, or is refused', async (t) => {
  const { client, session } = await filtered(t, {})
  const views = [new Wildcard('a'), new Topic('a'), '$share/group/a'].map((each) =>
    client.messages.filter(each),
  )
  deliver(session, 'a')
  for (const view of views) t.deepEqual(await texts(view, 1), ['a'])
  t.throws(() => client.messages.filter('a/#/b'), {
    instanceOf: RangeError,
    message: 'Invalid wildcard: a/#/b',
  })
  const error = t.throws(() => client.messages.filter(7 as unknown as string), { instanceOf: TypeError })
  t.is(error?.message, 'Wildcard must be of type str')
  t.regex(error?.stack ?? '', /^.*\n\s+at .*filter\.test/)
})

test('a view has the kind of queue and the bounds of the client’s options', async (t) => {
  const logger = new Recorder()
  const { client, session, views } = await filtered(
    t,
    { maxQueuedIncomingMessages: 2, queueType: LifoQueue, logger },
    'a/#',
    'b',
  )
  deliver(session, 'a/1', 'a/2', 'a/3', 'b', 'c')
  await filled(client.messages, 1)
  t.deepEqual(await texts(views[0], 2), ['a/2', 'a/1'])
  t.is(views[1]?.length, 1)
  t.deepEqual(logger.lines.warn, ['Message queue is full. Discarding message.'])
})

test("with 'backpressure' any full view makes the broker wait, until it has room or is over", async (t) => {
  const { client, session, views } = await filtered(
    t,
    { maxQueuedIncomingMessages: 2, overflow: 'backpressure' },
    'a',
    'b',
  )
  const all = Array<string>(3000).fill('a')
  deliver(session, ...all, 'b', 'b')
  await filled(views[0], 2)
  t.is(views[1].length, 0)
  await texts(views[0], all.length)
  await filled(views[1], 2)
  // The second view is full now: what follows waits, also for the first one and for client.messages.
  const padding = Array<string>(20_000).fill('c/padding')
  deliver(session, ...padding, 'last')
  const last = client.messages.filter('last')
  // Another connection is read in its turn, and so would this one be.
  const other = await paired(t)
  for (let round = 0; round < 20; round++) await roundTrip(other.client, other.session)
  t.is(last.length, 0)
  t.is(client.messages.length, 0)
  await views[1].return()
  const batches = client.messages.batches()
  for (let count = 0; count < padding.length; ) {
    const { value } = await within(patience, 'a batch', batches.next())
    count += value?.length ?? 0
  }
  t.deepEqual(await texts(last, 1), ['last'])
})

test('a view of a view takes from it what it would get', async (t) => {
  const { client, session, views } = await filtered(t, {}, 'a/#')
  const inner = views[0].filter('+/x')
  deliver(session, 'a/x', 'a/y', 'b/x')
  t.deepEqual(await texts(inner, 1), ['a/x'])
  t.deepEqual(await texts(views[0], 1), ['a/y'])
  t.deepEqual(await texts(client.messages, 1), ['b/x'])
  const waiting = inner.next()
  await views[0].return()
  t.deepEqual(await within(patience, 'the inner view', waiting), { value: undefined, done: true })
  deliver(session, 'a/x')
  t.deepEqual(await texts(client.messages, 1), ['a/x'])
  t.deepEqual(await views[0].filter('a').next(), { value: undefined, done: true })
})

test('return() ends a view for all who read it, and drops what it holds', async (t) => {
  const { client, session, views } = await filtered(t, {}, 'a')
  deliver(session, 'a', 'a')
  await filled(views[0], 2)
  t.deepEqual(await views[0].return(), { value: undefined, done: true })
  t.is(views[0].length, 0)
  t.deepEqual(await views[0].next(), { value: undefined, done: true })
  t.deepEqual(await views[0].batches().next(), { value: undefined, done: true })
  await views[0].return()
  deliver(session, 'a')
  t.deepEqual(await texts(client.messages, 1), ['a'])
})

test('return() ends the next() calls that wait, of the view and of its batches', async (t) => {
  const { views } = await filtered(t, {}, 'a')
  const pending = [views[0].next(), views[0].batches().next(), views[0].next()]
  for (const each of pending) t.true(await isPending(each))
  await views[0].batches().return()
  for (const each of pending) {
    t.deepEqual(await within<unknown>(patience, 'next()', each), { value: undefined, done: true })
  }
})

test('leaving a for await loop ends the view', async (t) => {
  const { client, session, views } = await filtered(t, {}, 'a')
  deliver(session, 'a', 'a')
  for await (const message of views[0]) {
    t.is(message.text(), 'a')
    break
  }
  deliver(session, 'a', 'b')
  await filled(client.messages, 2)
  const batches = client.messages.filter('b').batches()
  deliver(session, 'b')
  for await (const batch of batches) {
    t.is(batch.length, 1)
    break
  }
  deliver(session, 'b')
  await filled(client.messages, 3)
  t.pass()
})

test('a view outlives the connection: drained first, then the reason, then the next connection’s messages', async (t) => {
  const { client, peer, session, views } = await filtered(t, {}, 'a', 'b')
  const waiting = views[1].next()
  deliver(session, 'a', 'a')
  await filled(views[0], 2)
  session.reset()
  const lost = (await rejection(patience, 'the waiting next()', waiting)) as MqttError
  t.is(lost.message, 'Disconnected during message iteration')
  t.regex(String(lost.cause), /The connection was lost/)
  t.deepEqual(await texts(views[0], 2), ['a', 'a'])
  t.true((await rejection(patience, 'next()', views[0].next())) instanceof MqttError)
  const late = client.messages.filter('c')
  t.true((await rejection(patience, 'next()', late.next())) instanceof MqttError)
  const connecting = client.connect()
  const second = await peer.welcome()
  await within(patience, 'connecting', connecting)
  deliver(second, 'a', 'c')
  t.deepEqual(await texts(views[0], 1), ['a'])
  t.deepEqual(await texts(late, 1), ['c'])
})

test('a view made before connect() waits, and its next() can be cancelled', async (t) => {
  const client = clientOf(t, { host: '127.0.0.1', port: 1 })
  const view = client.messages.filter('a')
  const controller = new AbortController()
  const waiting = view.next({ signal: controller.signal })
  t.true(await isPending(waiting))
  controller.abort(new Error('enough'))
  t.is(((await rejection(patience, 'next()', waiting)) as Error).message, 'enough')
})

test('a thousand views each get their own', async (t) => {
  const { client, session } = await filtered(t, {})
  const views = Array.from({ length: 1000 }, (_, index) => client.messages.filter(`a/${index}/+`))
  const topics = views.map((_, index) => `a/${index}/x`)
  deliver(session, ...topics, ...topics, 'rest')
  t.deepEqual(await texts(client.messages, 1), ['rest'])
  for (const [index, view] of views.entries())
    t.deepEqual(await texts(view, 2), [topics[index], topics[index]])
})
