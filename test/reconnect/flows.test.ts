import { type MqttCodeError, type MqttError, ProtocolVersion } from 'aiomqtt'
import test from 'ava'
import { atOnce, isPending, paired, patience, roundTrip } from '../helpers/client.js'
import { rejection, within } from '../helpers/deadline.js'
import type { Received, Session } from '../helpers/peer.js'
import { protocols } from '../helpers/protocols.js'
import { lasting, reached, quickly as reconnect, shown, welcomed } from '../helpers/reconnect.js'

const { V31, V5 } = ProtocolVersion

/** The session that the broker says there is: MQTT 3.1 has no word for it. */
const present = (protocol: ProtocolVersion) => protocol !== V31

/** Acknowledges publishes in full. */
async function acknowledge(session: Session, ...publishes: Received<'publish'>[]): Promise<void> {
  for (const { qos, messageId = 0 } of publishes) {
    session.send({ cmd: qos === 1 ? 'puback' : 'pubrec', messageId })
    if (qos < 2) continue
    await session.next('pubrel')
    session.send({ cmd: 'pubcomp', messageId })
  }
}

for (const { name, protocol } of protocols) {
  test(`${name}: what is not acknowledged is sent again with DUP, its identifier and in its order`, async (t) => {
    const { client, peer, session } = await paired(t, { ...lasting(protocol), reconnect })
    const calls = [1, 2, 1, 2].map((qos, index) => client.publish('a', index, { qos: qos as 1 | 2 }))
    const first = await session.take('publish', 4)
    t.deepEqual(first.map(shown), ['1 a 0 #1', '2 a 1 #2', '1 a 2 #3', '2 a 3 #4'])
    session.send({ cmd: 'puback', messageId: 1 })
    await within(atOnce, 'the first', calls[0] as Promise<void>)
    session.reset()
    const again = await welcomed(peer, present(protocol))
    const second = await again.take('publish', 3)
    t.deepEqual(second.map(shown), ['2 dup a 1 #2', '1 dup a 2 #3', '2 dup a 3 #4'])
    await acknowledge(again, ...second)
    await within(atOnce, 'the others', Promise.all(calls))
    const next = client.publish('a', 'new', { qos: 1 })
    const publish = await again.next('publish')
    t.is(shown(publish), '1 a new #5')
    await acknowledge(again, publish)
    await next
  })

  test(`${name}: a QoS 2 publish goes on with PUBREL after PUBREC, in the order of those, before all others`, async (t) => {
    const { client, peer, session } = await paired(t, { ...lasting(protocol), reconnect })
    const calls = [0, 1, 2].map((index) => client.publish('a', index, { qos: 2 }))
    await session.take('publish', 3)
    session.send({ cmd: 'pubrec', messageId: 3 }, { cmd: 'pubrec', messageId: 1 })
    await session.take('pubrel', 2)
    session.reset()
    const again = await welcomed(peer, present(protocol))
    t.deepEqual(
      (await again.take('pubrel', 2)).map(({ messageId }) => messageId),
      [3, 1],
    )
    const publish = await again.next('publish')
    t.is(shown(publish), '2 dup a 1 #2')
    again.send({ cmd: 'pubcomp', messageId: 1 }, { cmd: 'pubcomp', messageId: 3 })
    await within(atOnce, 'those with PUBCOMP', Promise.all([calls[0], calls[2]]))
    await acknowledge(again, publish)
    await within(atOnce, 'the other one', calls[1] as Promise<void>)
  })

  test(`${name}: what the broker has no session for is sent as new, in its order`, async (t) => {
    const { client, peer, session } = await paired(t, { protocol, reconnect })
    const calls = [1, 2].map((qos, index) => client.publish('a', index, { qos: qos as 1 | 2 }))
    await session.take('publish', 2)
    session.reset()
    const again = await welcomed(peer)
    const second = await again.take('publish', 2)
    t.deepEqual(second.map(shown), ['1 a 0 #1', '2 a 1 #2'])
    await acknowledge(again, ...second)
    await within(atOnce, 'publishing', Promise.all(calls))
  })

  test(`${name}: after PUBREC, when the broker has no session, nobody can say what became of the message`, async (t) => {
    const { client, peer, session } = await paired(t, { protocol, reconnect })
    const publishing = rejection(patience, 'publishing', client.publish('a', 'x', { qos: 2 }))
    await session.next('publish')
    session.send({ cmd: 'pubrec', messageId: 1 })
    await session.next('pubrel')
    session.reset()
    const again = await welcomed(peer)
    t.regex(((await publishing) as MqttError).message, /between PUBREC and PUBCOMP/)
    await roundTrip(client, again)
  })

  test(`${name}: a publish of QoS 1 that was given up is not sent again, one of QoS 2 is completed`, async (t) => {
    const { client, peer, session } = await paired(t, { ...lasting(protocol), reconnect })
    const abort = new AbortController()
    const { signal } = abort
    const given = [1, 2].map((qos) =>
      rejection(atOnce, 'a call', client.publish('a', '', { qos: qos as 1 | 2, signal })),
    )
    const kept = client.publish('a', 'kept', { qos: 1 })
    await session.take('publish', 3)
    abort.abort('enough')
    t.deepEqual(await Promise.all(given), ['enough', 'enough'])
    session.reset()
    const again = await welcomed(peer, present(protocol))
    t.is((await again.next('pubrel')).messageId, 2)
    const publish = await again.next('publish')
    t.is(shown(publish), '1 dup a kept #3')
    await acknowledge(again, publish)
    await within(atOnce, 'what was kept', kept)
    // Its identifier is not used again before its end.
    for (let count = 0; count < 3; count++) {
      const call = client.publish('a', 'x', { qos: 1 })
      const next = await again.next('publish')
      t.not(next.messageId, 2)
      await acknowledge(again, next)
      await call
    }
    again.send({ cmd: 'pubcomp', messageId: 2 })
    await roundTrip(client, again)
  })

  test(`${name}: what is given up in the gap, before it was sent, leaves no trace`, async (t) => {
    const { client, peer, session } = await paired(t, { ...lasting(protocol), reconnect })
    session.reset()
    await reached(client, 'reconnecting')
    const abort = new AbortController()
    const { signal } = abort
    const calls = [
      ...([0, 1, 2] as const).map((qos) => client.publish('a', 'x', { qos, signal })),
      client.subscribe('a', { signal }),
      client.unsubscribe('a', { signal }),
    ].map((call) => rejection(atOnce, 'a call', call))
    abort.abort('enough')
    t.deepEqual(await Promise.all(calls), ['enough', 'enough', 'enough', 'enough', 'enough'])
    const again = await welcomed(peer, present(protocol))
    await roundTrip(client, again)
  })

  test(`${name}: connection after connection is lost, and all goes on each time`, async (t) => {
    const patient = { ...reconnect, maxDeliveryLosses: Number.POSITIVE_INFINITY }
    const { client, peer, session } = await paired(t, { ...lasting(protocol), reconnect: patient })
    const call = client.publish('a', 'x', { qos: 2 })
    await session.next('publish')
    let last = session
    for (let count = 0; count < 5; count++) {
      last.reset()
      last = await welcomed(peer, present(protocol))
      t.is(shown(await last.next('publish')), '2 dup a x #1')
    }
    last.send({ cmd: 'pubrec', messageId: 1 })
    await last.next('pubrel')
    for (let count = 0; count < 5; count++) {
      last.reset()
      last = await welcomed(peer, present(protocol))
      t.is((await last.next('pubrel')).messageId, 1)
    }
    t.true(await isPending(call))
    last.send({ cmd: 'pubcomp', messageId: 1 })
    await within(atOnce, 'publishing', call)
  })
}

test('MQTT 5: PUBCOMP without a known identifier ends a continued publish well', async (t) => {
  const { client, peer, session } = await paired(t, { ...lasting(V5), reconnect })
  const publishing = client.publish('a', 'x', { qos: 2 })
  await session.next('publish')
  session.send({ cmd: 'pubrec', messageId: 1 })
  await session.next('pubrel')
  session.reset()
  const again = await welcomed(peer, true)
  await again.next('pubrel')
  again.send('70 03 00 01 92')
  t.is(await within(atOnce, 'publishing', publishing), undefined)
})

test('MQTT 5: a refusal of a continued publish rejects', async (t) => {
  const { client, peer, session } = await paired(t, { ...lasting(V5), reconnect })
  const publishing = rejection(patience, 'publishing', client.publish('a', 'x', { qos: 2 }))
  await session.next('publish')
  session.reset()
  const again = await welcomed(peer, true)
  await again.next('publish')
  again.send('50 03 00 01 97')
  t.is(((await publishing) as Error).message, '[code:151] Quota exceeded')
  await roundTrip(client, again)
})

test('MQTT 5: repetitions keep to the Receive Maximum of the new connection, and QoS 0 passes them', async (t) => {
  const { client, peer, session } = await paired(t, { ...lasting(V5), reconnect })
  const calls = Array.from({ length: 6 }, (_, index) => client.publish('a', index, { qos: 1 }))
  await session.take('publish', 6)
  session.reset()
  const again = await peer.accept()
  await again.next('connect')
  again.welcome({ sessionPresent: true, properties: { receiveMaximum: 2 } })
  const seen = await again.take('publish', 2)
  t.deepEqual(seen.map(shown), ['1 dup a 0 #1', '1 dup a 1 #2'])
  await client.publish('b', 'urgent')
  t.is(shown(await again.next('publish')), '0 b urgent')
  for (let index = 2; index < 6; index++) {
    again.send({ cmd: 'puback', messageId: index - 1 })
    t.is(shown(await again.next('publish')), `1 dup a ${index} #${index + 1}`)
  }
  again.send({ cmd: 'puback', messageId: 5 }, { cmd: 'puback', messageId: 6 })
  await within(atOnce, 'publishing', Promise.all(calls))
})

test('large repetitions do not hold back QoS 0', async (t) => {
  const { client, peer, session } = await paired(t, { ...lasting(V5), reconnect, timeout: 30 })
  const payload = Buffer.alloc(200_000, 'x')
  const calls = Array.from({ length: 10 }, () => client.publish('a', payload, { qos: 1 }))
  const first = await session.take('publish', 10)
  session.reset()
  const again = await welcomed(peer, true)
  await reached(client, 'connected')
  // The first two, which are more than a quarter of a mebibyte, are on their way.
  const early = await again.take('publish', 2)
  await client.publish('b', 'urgent')
  t.is(shown(await again.next('publish')), '0 b urgent')
  await acknowledge(again, ...early)
  for (const { messageId } of first.slice(2)) {
    const publish = await again.next('publish')
    t.is(publish.messageId, messageId)
    await acknowledge(again, publish)
  }
  await within(patience, 'publishing', Promise.all(calls))
})

test('MQTT 5: a kept publish that the new broker does not take rejects, and the others go on', async (t) => {
  const { client, peer, session } = await paired(t, { ...lasting(V5), reconnect })
  const calls = [
    client.publish('a', 'x', { qos: 2 }),
    client.publish('a', Buffer.alloc(100), { qos: 1 }),
    client.publish('a', 'x', { qos: 1, retain: true }),
  ].map((call) => rejection(patience, 'a call', call))
  const good = client.publish('a', 'good', { qos: 1 })
  await session.take('publish', 4)
  session.reset()
  const again = await peer.accept()
  await again.next('connect')
  again.welcome({ properties: { maximumQoS: 1, retainAvailable: false, maximumPacketSize: 50 } })
  t.deepEqual(
    (await Promise.all(calls)).map((reason) => Number((reason as MqttCodeError).rc)),
    [155, 149, 154],
  )
  const publish = await again.next('publish')
  t.is(shown(publish), '1 a good #4')
  await acknowledge(again, publish)
  await within(atOnce, 'publishing', good)
})

test('MQTT 5: a publish that is nothing but an alias cannot be continued', async (t) => {
  const welcome = { properties: { topicAliasMaximum: 5 } }
  const { client, peer, session } = await paired(t, { ...lasting(V5), reconnect }, welcome)
  await client.publish('a', 'x', { properties: { topicAlias: 1 } })
  const publishing = rejection(
    atOnce,
    'publishing',
    client.publish('', 'y', { qos: 1, properties: { topicAlias: 1 } }),
  )
  await session.take('publish', 2)
  session.reset()
  t.is(((await publishing) as Error).message, '[code:7] The connection was lost.')
  await reached(client, 'reconnecting')
  const late = await rejection(
    atOnce,
    'late',
    client.publish('', 'y', { qos: 1, properties: { topicAlias: 1 } }),
  )
  t.is((late as Error).message, '[code:148] Topic alias invalid')
  await roundTrip(client, await welcomed(peer, true))
})

test('a timeout goes on over the gap', async (t) => {
  const { client, peer, session } = await paired(t, { ...lasting(V5), reconnect })
  const publishing = rejection(patience, 'publishing', client.publish('a', 'x', { qos: 1, timeout: 0.5 }))
  await session.next('publish')
  session.reset()
  const again = await welcomed(peer, true)
  await again.next('publish')
  t.is(((await publishing) as Error).message, 'Operation timed out')
  again.send({ cmd: 'puback', messageId: 1 })
  await roundTrip(client, again)
})

test('calls that wait for their turn go on, too', async (t) => {
  const options = { ...lasting(V5), reconnect, maxConcurrentOutgoingCalls: 2 }
  const { client, peer, session } = await paired(t, options)
  const calls = Array.from({ length: 6 }, (_, index) => client.publish('a', index, { qos: 1 }))
  await session.take('publish', 2)
  session.reset()
  const again = await welcomed(peer, true)
  const seen: string[] = []
  while (seen.length < 6) {
    const publish = await again.next('publish')
    seen.push(String(publish.payload))
    await acknowledge(again, publish)
  }
  t.deepEqual(seen, ['0', '1', '2', '3', '4', '5'])
  await within(atOnce, 'publishing', Promise.all(calls))
})

test('maxQueuedOutgoingMessages counts what waits in the gap', async (t) => {
  const options = { ...lasting(V5), reconnect, maxQueuedOutgoingMessages: 2 }
  const { client, peer, session } = await paired(t, options)
  const calls = [client.publish('a', 0, { qos: 1 })]
  await session.next('publish')
  session.reset()
  await reached(client, 'reconnecting')
  calls.push(client.publish('a', 1, { qos: 1 }))
  const third = await rejection(atOnce, 'the third', client.publish('a', 2, { qos: 1 }))
  t.is((third as Error).message, '[code:15] Message queue full.')
  const again = await welcomed(peer, true)
  await acknowledge(again, ...(await again.take('publish', 2)))
  await within(atOnce, 'publishing', Promise.all(calls))
  const fourth = client.publish('a', 3, { qos: 1 })
  await acknowledge(again, await again.next('publish'))
  await within(atOnce, 'publishing', fourth)
})
