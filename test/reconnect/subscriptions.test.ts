import { ProtocolVersion } from 'aiomqtt'
import test from 'ava'
import { atOnce, nextMessage, paired, roundTrip } from '../helpers/client.js'
import { within } from '../helpers/deadline.js'
import { Recorder } from '../helpers/logger.js'
import type { Received, Session } from '../helpers/peer.js'
import { protocols } from '../helpers/protocols.js'
import { lasting, message, reached, quickly as reconnect, welcomed } from '../helpers/reconnect.js'

const { V31, V5 } = ProtocolVersion

/** Reads a SUBSCRIBE or UNSUBSCRIBE and answers it, each filter with the code of the same place. */
async function answer<Command extends 'subscribe' | 'unsubscribe'>(
  session: Session,
  command: Command,
  ...granted: number[]
): Promise<Received<Command>> {
  const packet = await session.next(command)
  const { messageId = 0 } = packet as { messageId?: number }
  const is5 = session.version === 5
  if (command === 'subscribe') session.send({ cmd: 'suback', messageId, granted })
  else session.send({ cmd: 'unsuback', messageId, ...(is5 ? { granted } : {}) } as never)
  return packet
}

/** The filters of a SUBSCRIBE, with their QoS. */
const filters = ({ subscriptions }: Received<'subscribe'>) =>
  subscriptions.map(({ topic, qos }) => `${topic} ${qos}`)

for (const { name, protocol } of protocols) {
  test(`${name}: subscriptions are made again, call by call, if the broker has no session`, async (t) => {
    const { client, peer, session } = await paired(t, { protocol, reconnect })
    const calls = [
      client.subscribe('a', { qos: 1 }),
      client.subscribe([
        ['b', 2],
        ['c', 0],
      ]),
    ]
    await answer(session, 'subscribe', 1)
    await answer(session, 'subscribe', 2, 0)
    await within(atOnce, 'subscribing', Promise.all(calls))
    for (let count = 0, last = session; count < 3; count++) {
      last.reset()
      last = await welcomed(peer)
      t.deepEqual(filters(await answer(last, 'subscribe', 1)), ['a 1'])
      t.deepEqual(filters(await answer(last, 'subscribe', 2, 0)), ['b 2', 'c 0'])
      last.send(message('a', String(count)))
      t.is((await nextMessage(client)).text(), String(count))
    }
  })

  if (protocol !== V31) {
    test(`${name}: subscriptions are left alone if the broker has the session`, async (t) => {
      const { client, peer, session } = await paired(t, { ...lasting(protocol), reconnect })
      const subscribing = client.subscribe('a', { qos: 1 })
      await answer(session, 'subscribe', 1)
      await subscribing
      session.reset()
      await t.notThrowsAsync(roundTrip(client, await welcomed(peer, true)))
    })
  }

  test(`${name}: what was unsubscribed from is forgotten, and what was refused was never there`, async (t) => {
    const { client, peer, session } = await paired(t, { protocol, reconnect })
    const subscribing = client.subscribe(['a', 'b', 'c', 'd'])
    await answer(session, 'subscribe', 0, 0, 0x80, 0)
    await subscribing
    const unsubscribing = client.unsubscribe(['a', 'x'])
    await answer(session, 'unsubscribe', 0, 0x11)
    await unsubscribing
    session.reset()
    const again = await welcomed(peer)
    t.deepEqual(filters(await answer(again, 'subscribe', 0, 0)), ['b 0', 'd 0'])
    await roundTrip(client, again)
  })

  test(`${name}: the last subscription to a filter counts`, async (t) => {
    const { client, peer, session } = await paired(t, { protocol, reconnect })
    for (const qos of [0, 2] as const) {
      const subscribing = client.subscribe('a', { qos })
      await answer(session, 'subscribe', qos)
      await subscribing
    }
    session.reset()
    const again = await welcomed(peer)
    t.deepEqual(filters(await answer(again, 'subscribe', 2)), ['a 2'])
    await roundTrip(client, again)
  })

  test(`${name}: subscriptions that are wanted in the gap come after those that are made again`, async (t) => {
    const { client, peer, session } = await paired(t, { protocol, reconnect })
    const subscribing = client.subscribe('a')
    await answer(session, 'subscribe', 0)
    await subscribing
    session.reset()
    await reached(client, 'reconnecting')
    const calls = [client.unsubscribe('a'), client.subscribe('b')]
    const again = await welcomed(peer)
    t.deepEqual(filters(await answer(again, 'subscribe', 0)), ['a 0'])
    await answer(again, 'unsubscribe', 0)
    t.deepEqual(filters(await answer(again, 'subscribe', 0)), ['b 0'])
    await within(atOnce, 'the calls', Promise.all(calls))
    again.reset()
    const third = await welcomed(peer)
    t.deepEqual(filters(await answer(third, 'subscribe', 0)), ['b 0'])
    await roundTrip(client, third)
  })
}

test('MQTT 5: options and identifiers of subscriptions are made again as they were', async (t) => {
  const { client, peer, session } = await paired(t, { protocol: V5, reconnect })
  const options = { qos: 1, noLocal: true, retainAsPublished: true, retainHandling: 2 } as const
  const properties = { subscriptionIdentifier: 7, userProperty: [['k', 'v']] as Array<[string, string]> }
  const subscribing = client.subscribe('a', { options, properties })
  const first = await answer(session, 'subscribe', 1)
  await subscribing
  session.reset()
  const second = await answer(await welcomed(peer), 'subscribe', 1)
  t.deepEqual(second.subscriptions, first.subscriptions)
  t.deepEqual(second.properties, first.properties)
})

test('with `resubscribe: false` nothing is subscribed to again', async (t) => {
  const { client, peer, session } = await paired(t, { reconnect: { ...reconnect, resubscribe: false } })
  const subscribing = client.subscribe('a')
  await answer(session, 'subscribe', 0)
  await subscribing
  session.reset()
  await t.notThrowsAsync(roundTrip(client, await welcomed(peer)))
})

test('a subscription that is not renewed is told to the logger, and tried again', async (t) => {
  const logger = new Recorder()
  const { client, peer, session } = await paired(t, { protocol: V5, reconnect, logger })
  const subscribing = client.subscribe('a')
  await answer(session, 'subscribe', 0)
  await subscribing
  session.reset()
  const again = await welcomed(peer)
  await answer(again, 'subscribe', 0x87)
  await roundTrip(client, again)
  t.deepEqual(logger.lines.warn, ['The broker did not renew the subscription to a: Not authorized'])
  again.reset()
  t.deepEqual(filters(await answer(await welcomed(peer), 'subscribe', 0)), ['a 0'])
})

test('a new connect() makes no subscription again', async (t) => {
  const { client, peer, session } = await paired(t, { reconnect })
  const subscribing = client.subscribe('a')
  await answer(session, 'subscribe', 0)
  await subscribing
  await client.disconnect()
  const connecting = client.connect()
  const second = await welcomed(peer)
  await connecting
  await roundTrip(client, second)
  second.reset()
  await t.notThrowsAsync(roundTrip(client, await welcomed(peer)))
})
