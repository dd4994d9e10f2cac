// A store with `last()` is read in portions: memory goes by what is in flight, whatever an older program has left.

import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Client, type ClientOptions, ProtocolVersion } from 'aiomqtt'
import { DurableStore } from 'aiomqtt/store'
import test, { type ExecutionContext } from 'ava'
import {
  atOnce,
  clientOf,
  connected,
  listening,
  nextMessages,
  patience,
  roundTrip,
} from '../helpers/client.js'
import { rejection, within } from '../helpers/deadline.js'
import { Recorder } from '../helpers/logger.js'
import { joined, kept, PortionedStore, reachedEmpty } from '../helpers/memory-store.js'
import { Mosquitto } from '../helpers/mosquitto.js'
import type { Received, Session } from '../helpers/peer.js'
import { protocols } from '../helpers/protocols.js'
import { quickly, reached, shown, welcomed } from '../helpers/reconnect.js'
import { encodePublish } from '../unit/internals.js'

const { V31, V5 } = ProtocolVersion

interface Left {
  readonly identifier?: number
  readonly qos?: number
  readonly payload?: string
  readonly isReleased?: boolean
}

const keyOf = (number: number) => `out-${String(number).padStart(14, '0')}`

/** A publish as a client leaves it in a store. */
function left({ identifier = 0, qos = 1, payload = '', isReleased = false }: Left): Uint8Array {
  return encodePublish({
    identifier,
    qos,
    isRetained: false,
    isReleased,
    topic: Buffer.from('a'),
    properties: Buffer.alloc(0),
    payload: Buffer.from(payload),
  })
}

/** A store in which an older program has left messages that say their numbers; the first ones were given identifiers. */
function filled(count: number, identified = 0, qos = 1): PortionedStore {
  const store = new PortionedStore()
  for (let number = 1; number <= count; number++) {
    const identifier = number <= identified ? number : 0
    store.records.set(keyOf(number), left({ identifier, qos, payload: `${number}` }))
  }
  return store
}

/** Acknowledges publishes of QoS 1 as they come. @returns their payloads */
async function acknowledged(
  session: Session,
  count: number,
  each = (_number: number) => {},
): Promise<string[]> {
  const payloads: string[] = []
  while (payloads.length < count) {
    const { messageId = 0, payload } = await session.next('publish')
    payloads.push(String(payload))
    session.send({ cmd: 'puback', messageId })
    each(payloads.length)
  }
  return payloads
}

/** With time for a busy machine. */
const patient = (protocol: ProtocolVersion, store: PortionedStore): ClientOptions => ({
  ...kept(protocol, store),
  timeout: 60,
  maxInflightMessages: 100,
})

const numbers = (from: number, to: number) =>
  Array.from({ length: to - from + 1 }, (_, index) => `${from + index}`)

for (const { name, protocol } of protocols) {
  test.serial(`${name}: what was left is read as it is sent, and what is new comes behind it`, async (t) => {
    const [peer, store] = [await listening(t), filled(2500, 20)]
    const { client, session } = await joined(t, peer, patient(protocol, store), true)
    const newer = Promise.all(['x', 'y'].map((payload) => client.publish('a', payload, { qos: 1 })))
    let ahead = 0
    const payloads = await acknowledged(session, 2502, (count) => {
      ahead = Math.max(ahead, store.read - count)
      if (count === 10) t.true(client.stats.inflight < 1600)
    })
    t.deepEqual(payloads, [...numbers(1, 2500), 'x', 'y'])
    await within(atOnce, 'publishing', newer)
    t.true(ahead < 1700, `${ahead} were read before they could be sent`)
    await reachedEmpty(store)
    t.is(store.records.size, 0)
    t.is(client.stats.inflight, 0)
  })
}

test.serial(
  'a store whose load() takes no notice of its second argument has nothing sent twice',
  async (t) => {
    const [peer, store] = [await listening(t), filled(1200)]
    const load = store.load.bind(store)
    store.load = () => load()
    const { session } = await joined(t, peer, patient(V5, store), true)
    t.deepEqual(await acknowledged(session, 1200), numbers(1, 1200))
    await reachedEmpty(store)
    t.is(store.records.size, 0)
  },
)

test.serial('large messages are read a few at a time', async (t) => {
  const [peer, store] = [await listening(t), filled(0)]
  const large = 'x'.repeat(1024 * 1024)
  for (let number = 1; number <= 20; number++)
    store.records.set(keyOf(number), left({ payload: `${number} ${large}` }))
  const { session } = await joined(t, peer, patient(V5, store), true)
  let ahead = 0
  const payloads = await acknowledged(session, 20, (count) => {
    ahead = Math.max(ahead, store.read - count)
  })
  t.deepEqual(
    payloads.map((payload) => payload.slice(0, payload.indexOf(' '))),
    numbers(1, 20),
  )
  t.true(ahead <= 10, `${ahead} were read before they could be sent`)
})

/** Answers all that comes until so many flows are complete. @returns what was sent, in short */
async function completed(session: Session, count: number): Promise<string[]> {
  const sent: string[] = []
  for (let complete = 0; complete < count; ) {
    const received = await session.any()
    const { messageId = 0 } = received as { messageId?: number }
    if (received.cmd === 'publish') {
      sent.push(shown(received as Received<'publish'>))
      session.send({ cmd: received.qos === 1 ? 'puback' : 'pubrec', messageId })
      if (received.qos === 1) complete++
    } else if (received.cmd === 'pubrel') {
      sent.push(`release #${messageId}`)
      session.send({ cmd: 'pubcomp', messageId })
      complete++
    } else if (received.cmd === 'subscribe') {
      sent.push(`subscribe #${messageId}`)
      session.send({ cmd: 'suback', messageId, granted: [0] })
    }
  }
  return sent
}

const isPublish = (sent: string) => /^[12]/.test(sent)

test.serial('packet identifiers of what was not read yet are not given to anything else', async (t) => {
  const [peer, store] = [await listening(t), filled(1500, 1500, 2)]
  const { client, session } = await joined(t, peer, patient(V5, store), true)
  const subscribing = client.subscribe('b')
  const sent = await completed(session, 1500)
  await within(atOnce, 'subscribing', subscribing)
  t.true(sent.includes('subscribe #1501'))
  t.deepEqual(
    sent.filter(isPublish),
    numbers(1, 1500).map((number) => `2 dup a ${number} #${number}`),
  )
  await reachedEmpty(store)
  t.is(store.records.size, 0)
})

test.serial('a broker without the session gets what is read later as new', async (t) => {
  const [peer, store] = [await listening(t), filled(1500, 1500, 2)]
  // Only its second half was left, which means nothing to this broker; one is far behind what is read at first.
  for (const number of [5, 1490]) {
    store.records.set(keyOf(number), left({ identifier: number, qos: 2, isReleased: true }))
  }
  const { session } = await joined(t, peer, patient(V5, store), false)
  const sent = await completed(session, 1498)
  t.deepEqual(
    sent.filter(isPublish),
    numbers(1, 1500)
      .filter((number) => number !== '5' && number !== '1490')
      .map((number) => `2 a ${number} #${number}`),
  )
  await reachedEmpty(store)
  t.is(store.records.size, 0)
})

test.serial('second halves that lie far behind are released at once, or when they are read', async (t) => {
  const [peer, store] = [await listening(t), filled(1800, 1500)]
  store.records.set(keyOf(1400), left({ identifier: 1400, qos: 2, isReleased: true }))
  // No client leaves one behind publishes without an identifier; it is released all the same.
  store.records.set(keyOf(1700), left({ identifier: 9000, qos: 2, isReleased: true }))
  const { session } = await joined(t, peer, patient(V5, store), true)
  const sent = await completed(session, 1800)
  t.is(sent[0], 'release #1400')
  t.true(sent.includes('release #9000'))
  t.deepEqual(
    sent.filter(isPublish).map((each) => each.split(' ').at(-2)),
    numbers(1, 1800).filter((number) => number !== '1400' && number !== '1700'),
  )
  await reachedEmpty(store)
  t.is(store.records.size, 0)
})

test.serial('a store that cannot be read for a while is told, and read again', async (t) => {
  const [peer, store, logger] = [await listening(t), filled(1500), new Recorder()]
  const { client, session } = await joined(t, peer, { ...patient(V5, store), logger }, true)
  store.unreadable = new Error('Input/output error')
  const newer = client.publish('a', 'new', { qos: 1 })
  const first = await acknowledged(session, 1024)
  t.true(logger.lines.warn.some((line) => line.includes('Input/output error')))
  store.unreadable = undefined
  t.deepEqual([...first, ...(await acknowledged(session, 477))], [...numbers(1, 1500), 'new'])
  await within(atOnce, 'publishing', newer)
})

test.serial('what is given up while it waits behind the store is not sent', async (t) => {
  const [peer, store] = [await listening(t), filled(1500)]
  const { client, session } = await joined(t, peer, patient(V5, store), true)
  const given = rejection(patience, 'publishing', client.publish('a', 'gone', { qos: 1, timeout: 0.05 }))
  t.is(((await given) as Error).message, 'Operation timed out')
  const newer = client.publish('a', 'new', { qos: 1 })
  t.deepEqual(await acknowledged(session, 1501), [...numbers(1, 1500), 'new'])
  await within(atOnce, 'publishing', newer)
  await reachedEmpty(store)
  t.is(store.records.size, 0)
})

test.serial('it goes on over a reconnection, and over disconnect() and connect()', async (t) => {
  const [peer, store] = [await listening(t), filled(1500, 20)]
  const options = { ...patient(V5, store), reconnect: quickly }
  const { client, session } = await joined(t, peer, options, true)
  const seen = new Set(await acknowledged(session, 300))
  session.reset()
  const again = await welcomed(peer, true)
  await reached(client, 'connected')
  for (const payload of await acknowledged(again, 400)) seen.add(payload)
  await within(patience, 'disconnecting', client.disconnect())
  const connecting = client.connect()
  const last = await welcomed(peer, true)
  await connecting
  while (!seen.has('1500')) for (const payload of await acknowledged(last, 1)) seen.add(payload)
  t.is(seen.size, 1500)
  await roundTrip(client, last)
  await reachedEmpty(store)
  t.is(store.records.size, 0)
})

test.serial('what is published in a burst is written once, whatever the window', async (t) => {
  const [peer, store] = [await listening(t), new PortionedStore()]
  let puts = 0
  const { client, session } = await joined(t, peer, { ...kept(V5, store), timeout: 60 })
  const batch = store.batch.bind(store)
  store.batch = (changes) => {
    puts += changes.filter(([, value]) => value !== null).length
    return batch(changes)
  }
  const calls = numbers(1, 500).map((number) => client.publish('a', number, { qos: 1 }))
  t.deepEqual(await acknowledged(session, 500), numbers(1, 500))
  await within(atOnce, 'publishing', Promise.all(calls))
  t.is(puts, 500)
})

async function fill(t: ExecutionContext, directory: string, count: number): Promise<void> {
  const store = new DurableStore(directory)
  for (let from = 1; from <= count; from += 500) {
    await store.batch(
      numbers(from, Math.min(count, from + 499)).map((number) => [
        keyOf(Number(number)),
        left({ qos: Number(number) % 2 === 0 ? 1 : 2, payload: number }),
      ]),
    )
  }
  await store.close()
  t.is(store.stats.records, 0)
}

test.serial('with a broker and a DurableStore: all of it comes, once and in order', async (t) => {
  const directory = await mkdtemp(join(tmpdir(), 'aiomqtt-store-'))
  t.teardown(() => rm(directory, { recursive: true, force: true }))
  await fill(t, directory, 2500)
  const broker = await Mosquitto.start({ settings: ['max_queued_messages 0'] })
  t.teardown(() => broker.stop())
  const reader: Client = await connected(t, broker)
  await reader.subscribe('a', { qos: 2 })
  const store = new DurableStore(directory)
  const client = clientOf(t, broker, {
    identifier: 'writer',
    cleanSession: false,
    store,
    timeout: 30,
    protocol: V31,
  })
  await client.connect()
  const newer = client.publish('a', 'new', { qos: 1 })
  const received = await nextMessages(reader, 2501)
  // Each QoS keeps its order.
  for (const remainder of [0, 1]) {
    const texts = received.map((message) => message.text()).filter((text) => Number(text) % 2 === remainder)
    t.deepEqual(
      texts,
      numbers(1, 2500).filter((number) => Number(number) % 2 === remainder),
    )
  }
  await within(patience, 'publishing', newer)
  await client.disconnect()
  t.is(store.stats.records, 0)
  await store.close()
})
