import { channel, subscribe, unsubscribe } from 'node:diagnostics_channel'
import type { DropEvent, MessageEvent, PublishEvent, StateEvent } from 'aiomqtt'
import { type Client, ProtocolVersion } from 'aiomqtt'
import test, { type ExecutionContext } from 'ava'
import { field, packet } from '../helpers/bytes.js'
import { clientOf, listening, nextMessage, paired, patience } from '../helpers/client.js'
import { rejection, until, within } from '../helpers/deadline.js'

/** What a channel tells of one client from now on; other tests have clients, too. */
function listen<Event extends { client: Client }>(
  t: ExecutionContext,
  name: string,
  client: Client,
): Event[] {
  const events: Event[] = []
  const listener = (event: unknown) => {
    if ((event as Event).client === client) events.push(event as Event)
  }
  subscribe(name, listener)
  t.teardown(() => unsubscribe(name, listener))
  return events
}

test.serial('nobody listens unless a test does', (t) => {
  for (const name of ['state', 'publish', 'message', 'drop'])
    t.false(channel(`aiomqtt:${name}`).hasSubscribers)
})

test.serial('aiomqtt:state tells of each change of the state', async (t) => {
  const peer = await listening(t)
  const client = clientOf(t, peer)
  const events = listen<StateEvent>(t, 'aiomqtt:state', client)
  const connecting = client.connect()
  const session = await peer.welcome()
  await within(patience, 'connecting', connecting)
  session.reset()
  await rejection(patience, 'next()', client.messages.next())
  t.deepEqual(
    events.map(({ state, sessionPresent, error }) => [state, sessionPresent, error?.message]),
    [
      ['connecting', undefined, undefined],
      ['connected', false, undefined],
      ['disconnected', undefined, '[code:7] The connection was lost.'],
    ],
  )
})

test.serial('aiomqtt:publish tells of each publish that was accepted, and of requests', async (t) => {
  const { client, session } = await paired(t, { protocol: ProtocolVersion.V5 })
  const events = listen<PublishEvent>(t, 'aiomqtt:publish', client)
  const payload = Buffer.from('x')
  const properties = { contentType: 'text/plain' }
  const publishing = client.publish('a', payload, { qos: 1, retain: true, properties })
  t.is(events.length, 1, 'it is told at once')
  await rejection(patience, 'publish()', client.publish('a/#'))
  await client.publish('b', 7)
  const asking = client.request('c')
  const { messageId } = await session.next('publish')
  session.send({ cmd: 'puback', messageId })
  await within(patience, 'publishing', publishing)
  await session.next('publish')
  const subscribe = await session.next('subscribe')
  session.send({ cmd: 'suback', messageId: subscribe.messageId, granted: [1] })
  await session.next('publish')
  await client.disconnect()
  await rejection(patience, 'request()', asking)
  await rejection(patience, 'publish()', client.publish('a'))
  t.deepEqual(
    events.map(({ topic, payload, qos, retain }) => ({ topic, payload, qos, retain })),
    [
      { topic: 'a', payload, qos: 1, retain: true },
      { topic: 'b', payload: '7', qos: 0, retain: false },
      { topic: 'c', payload: '', qos: 0, retain: false },
    ],
  )
  t.deepEqual(events[0]?.properties?.toJSON(), properties)
  t.is(events[1]?.properties, undefined)
})

test.serial('aiomqtt:message tells of each message that came, also of one for a view', async (t) => {
  const { client, session } = await paired(t)
  const events = listen<MessageEvent>(t, 'aiomqtt:message', client)
  const view = client.messages.filter('b')
  session.send(packet('30', field('b'), '78'), packet('30', field('a'), '78'))
  const message = await nextMessage(client)
  const { value } = await within(patience, 'the view', view.next())
  t.deepEqual(
    events.map((event) => event.message),
    [value, message],
  )
})

test.serial('aiomqtt:drop tells of each message that was dropped, and which', async (t) => {
  for (const [overflow, which, topics] of [
    ['drop-newest', 'newest', ['b', 'c']],
    ['drop-oldest', 'oldest', ['a', 'b']],
  ] as const) {
    const { client, session } = await paired(t, { maxQueuedIncomingMessages: 1, overflow })
    const events = listen<DropEvent>(t, 'aiomqtt:drop', client)
    session.send(...['a', 'b', 'c'].map((topic) => packet('30', field(topic), '78')))
    await until(patience, 'three messages', () => client.stats.messagesReceived === 3)
    t.deepEqual(
      events.map((event) => `${event.which} ${event.message.topic}`),
      topics.map((topic) => `${which} ${topic}`),
    )
  }
})

test.serial('what a subscriber throws costs nobody a message', async (t) => {
  const { client, session } = await paired(t)
  const thrown: unknown[] = []
  const listener = () => {
    throw new Error('of the subscriber')
  }
  subscribe('aiomqtt:message', listener)
  const handler = (error: unknown) => thrown.push(error)
  const previous = process.listeners('uncaughtException')
  process.removeAllListeners('uncaughtException')
  process.on('uncaughtException', handler)
  t.teardown(() => {
    unsubscribe('aiomqtt:message', listener)
    process.removeListener('uncaughtException', handler)
    for (const each of previous) process.on('uncaughtException', each)
  })
  session.send(packet('30', field('a'), '78'), packet('30', field('b'), '78'))
  t.is((await nextMessage(client)).topic.value, 'a')
  t.is((await nextMessage(client)).topic.value, 'b')
  await until(patience, 'two errors', () => thrown.length === 2)
  t.deepEqual(thrown.map(String), Array(2).fill('Error: of the subscriber'))
})
