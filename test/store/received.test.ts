// Incoming messages of QoS 2, whose packet identifiers the store has from before their PUBREC until their PUBREL.
import { type Client, ProtocolVersion } from 'aiomqtt'
import test from 'ava'
import { atOnce, connected, freshTopic, listening, nextMessage, patience } from '../helpers/client.js'
import { until, within } from '../helpers/deadline.js'
import { Recorder } from '../helpers/logger.js'
import { joined, kept, MemoryStore, reachedEmpty } from '../helpers/memory-store.js'
import { Mosquitto } from '../helpers/mosquitto.js'
import type { Session } from '../helpers/peer.js'
import { protocols } from '../helpers/protocols.js'

const { V5 } = ProtocolVersion

function send(session: Session, payload: string, dup = false): void {
  session.send({ cmd: 'publish', topic: 'a', payload, qos: 2, messageId: 7, dup, retain: false })
}

async function release(session: Session): Promise<void> {
  session.send({ cmd: 'pubrel', messageId: 7 })
  await session.next('pubcomp')
}

const waiting = (client: Client) => client.messages.length

for (const { name, protocol } of protocols) {
  test(`${name}: what was acknowledged does not come again to the next program`, async (t) => {
    const [peer, store] = [await listening(t), new MemoryStore()]
    const first = await joined(t, peer, kept(protocol, store), true)
    send(first.session, 'x')
    t.is((await nextMessage(first.client)).text(), 'x')
    await first.session.next('pubrec')
    t.deepEqual([...store.records.keys()], ['in-00007'])
    // The program ends here; its broker has not heard of the PUBREC.
    await first.client.disconnect()

    const second = await joined(t, peer, kept(protocol, store), true)
    send(second.session, 'x', true)
    await second.session.next('pubrec')
    await release(second.session)
    t.is(waiting(second.client), 0)
    await reachedEmpty(store)
    t.is(store.records.size, 0)
    send(second.session, 'y')
    t.is((await nextMessage(second.client)).text(), 'y')
  })
}

test('PUBREC leaves when the store has it, while the message is there at once', async (t) => {
  const [peer, store] = [await listening(t), new MemoryStore()]
  const { client, session } = await joined(t, peer, kept(V5, store), true)
  let open = () => {}
  store.gate = new Promise((resolve) => {
    open = resolve
  })
  send(session, 'x')
  t.is((await nextMessage(client)).text(), 'x')
  const acknowledged = session.next('pubrec')
  const early = await Promise.race([acknowledged, new Promise((resolve) => setTimeout(resolve, 50))])
  t.is(early, undefined)
  open()
  await within(atOnce, 'PUBREC', acknowledged)
  await release(session)
})

test('without DUP it is another message, whose identifier was freed when the program was gone', async (t) => {
  const [peer, store] = [await listening(t), new MemoryStore()]
  store.records.set('in-00007', new Uint8Array(0))
  const { client, session } = await joined(t, peer, kept(V5, store), true)
  send(session, 'new')
  t.is((await nextMessage(client)).text(), 'new')
  await session.next('pubrec')
  await release(session)
})

test('a broker without the session has nothing to repeat', async (t) => {
  const [peer, store] = [await listening(t), new MemoryStore()]
  store.records.set('in-00007', new Uint8Array(0))
  store.records.set('in-7', new Uint8Array(0))
  const { client, session } = await joined(t, peer, kept(V5, store), false)
  send(session, 'x', true)
  t.is((await nextMessage(client)).text(), 'x')
  await session.next('pubrec')
  await release(session)
  await client.disconnect()
  t.deepEqual([...store.records.keys()], ['in-7'], 'what is not ours stays')
})

test('what the store refuses is not acknowledged, with a warning; the next one is', async (t) => {
  const [peer, store, logger] = [await listening(t), new MemoryStore(), new Recorder()]
  const { client, session } = await joined(t, peer, { ...kept(V5, store), logger }, true)
  store.failure = new Error('No space left on device')
  send(session, 'x')
  await nextMessage(client)
  const isWarned = () => logger.lines.warn.some((line) => line.includes('No space left'))
  await until(atOnce, 'the warning', isWarned)
  store.failure = undefined
  session.send({ cmd: 'publish', topic: 'a', payload: 'y', qos: 2, messageId: 8, dup: false, retain: false })
  t.is((await session.next('pubrec')).messageId, 8)
})

test('with manualAcks it is written down when ack() is called', async (t) => {
  const [peer, store] = [await listening(t), new MemoryStore()]
  const options = { ...kept(V5, store), manualAcks: true }
  const first = await joined(t, peer, options, true)
  send(first.session, 'x')
  await nextMessage(first.client)
  t.is(store.records.size, 0)
  await first.client.disconnect()

  const second = await joined(t, peer, options, true)
  send(second.session, 'x', true)
  const again = await nextMessage(second.client)
  await again.ack()
  await second.session.next('pubrec')
  t.deepEqual([...store.records.keys()], ['in-00007'])
})

test('QoS 1 is acknowledged at once, and leaves nothing in the store', async (t) => {
  const [peer, store] = [await listening(t), new MemoryStore()]
  const { client, session } = await joined(t, peer, kept(V5, store), true)
  for (const messageId of [1, 2, 3]) {
    session.send({ cmd: 'publish', topic: 'a', payload: 'x', qos: 1, messageId, dup: false, retain: false })
  }
  t.deepEqual(
    (await session.take('puback', 3)).map(({ messageId }) => messageId),
    [1, 2, 3],
  )
  t.is(waiting(client), 3)
  t.is(store.batches, 0)
})

test('with a broker: a flood at QoS 2 goes through the store, each message once and in order', async (t) => {
  const broker = await Mosquitto.start()
  t.teardown(() => broker.stop())
  const [topic, store] = [freshTopic(), new MemoryStore()]
  const client = await connected(t, broker, kept(V5, store))
  const publisher = await connected(t, broker)
  await client.subscribe(topic, { qos: 2 })
  const count = 500
  const publishing = (async () => {
    for (let number = 0; number < count; number++) await publisher.publish(topic, number, { qos: 2 })
  })()
  for (let number = 0; number < count; number++) t.is((await nextMessage(client)).text(), String(number))
  await within(patience, 'publishing', publishing)
  await reachedEmpty(store)
  t.is(store.records.size, 0)
})
