import { type Client, type ClientOptions, MqttCodeError, MqttError, ProtocolVersion } from 'aiomqtt'
import test, { type ExecutionContext } from 'ava'
import { atOnce, clientOf, isPending, listening, nextMessage, paired, patience } from '../helpers/client.js'
import { rejection, within } from '../helpers/deadline.js'
import { freePort } from '../helpers/mosquitto.js'
import { protocols } from '../helpers/protocols.js'
import { lasting, message, reached, quickly as reconnect, welcomed } from '../helpers/reconnect.js'

const { V311, V5 } = ProtocolVersion

for (const { name, protocol } of protocols) {
  test(`${name}: iteration goes on over the gap`, async (t) => {
    const { client, peer, session } = await paired(t, { protocol, reconnect })
    session.send(message('a', 'before'))
    t.is((await nextMessage(client)).text(), 'before')
    const next = client.messages.next()
    session.reset()
    const again = await welcomed(peer)
    t.true(await isPending(next))
    again.send(message('a', 'after'))
    t.is((await nextMessage(client, next)).text(), 'after')
  })

  test(`${name}: new calls wait for the connection, and are made in their order`, async (t) => {
    const { client, peer, session } = await paired(t, { protocol, reconnect })
    session.reset()
    await reached(client, 'reconnecting')
    const calls = [
      client.subscribe('a'),
      client.publish('b', '1'),
      client.publish('b', '2'),
      client.publish('c', '1', { qos: 1 }),
    ]
    const again = await welcomed(peer)
    const subscribe = await again.next('subscribe')
    again.send({ cmd: 'suback', messageId: subscribe.messageId ?? 0, granted: [0] })
    t.deepEqual(
      (await again.take('publish', 2)).map(({ payload }) => String(payload)),
      ['1', '2'],
    )
    const publish = await again.next('publish')
    again.send({ cmd: 'puback', messageId: publish.messageId ?? 0 })
    await within(atOnce, 'the calls', Promise.all(calls))
  })

  test(`${name}: a publish of QoS 1 and a subscription that were under way go on`, async (t) => {
    const { client, peer, session } = await paired(t, { ...lasting(protocol), reconnect })
    const publishing = client.publish('a', 'x', { qos: 1 })
    const first = await session.next('publish')
    const subscribing = client.subscribe('b', { qos: 1 })
    await session.next('subscribe')
    session.reset()
    const again = await welcomed(peer, protocol !== ProtocolVersion.V31)
    const packets = [await again.any(), await again.any()]
    const publish = packets.find(({ cmd }) => cmd === 'publish')
    const subscribe = packets.find(({ cmd }) => cmd === 'subscribe')
    t.is(publish?.messageId, first.messageId)
    t.true(publish?.cmd === 'publish' && publish.dup)
    again.send({ cmd: 'puback', messageId: publish?.messageId ?? 0 })
    again.send({ cmd: 'suback', messageId: subscribe?.messageId ?? 0, granted: [1] })
    await within(atOnce, 'publishing', publishing)
    t.is((await within(atOnce, 'subscribing', subscribing))[0]?.value, 1)
  })
}

test('the states tell what happens', async (t) => {
  const peer = await listening(t)
  const client = clientOf(t, peer, { protocol: V5, reconnect })
  t.is(client.state, 'disconnected')
  const { states } = client
  const connecting = client.connect()
  t.is(client.state, 'connecting')
  const session = await peer.welcome()
  await within(patience, 'connecting', connecting)
  t.is(client.state, 'connected')
  session.close()
  await reached(client, 'reconnecting')
  const again = await welcomed(peer, true)
  await reached(client, 'connected')
  t.is(again.socket.destroyed, false)
  await client.disconnect()
  t.is(client.state, 'disconnected')
  const seen = []
  for await (const change of states) {
    seen.push(change)
    if (change.state === 'disconnected') break
  }
  t.deepEqual(
    seen.map(({ state, sessionPresent, attempt }) => ({ state, sessionPresent, attempt })),
    [
      { state: 'connecting', sessionPresent: undefined, attempt: undefined },
      { state: 'connected', sessionPresent: false, attempt: undefined },
      { state: 'reconnecting', sessionPresent: undefined, attempt: 1 },
      { state: 'connected', sessionPresent: true, attempt: undefined },
      { state: 'disconnected', sessionPresent: undefined, attempt: undefined },
    ],
  )
  t.is(seen[2]?.error?.message, '[code:7] The connection was lost.')
  t.like(seen[2]?.error?.cause, { code: 'EOF' })
  t.is(seen[4]?.error, undefined)
})

/** A client whose broker has gone for good after it was connected. */
async function orphaned(t: ExecutionContext, options: ClientOptions): Promise<Client> {
  const { client, peer } = await paired(t, options)
  await peer.close()
  return client
}

test('when the attempts are spent everything rejects with the last error', async (t) => {
  const { client, peer } = await paired(t, { reconnect: { minDelay: 0.1, maxDelay: 0.1, maxAttempts: 3 } })
  const changes = client.states
  await peer.close()
  const next = rejection(patience, 'next()', client.messages.next())
  const publishing = rejection(patience, 'publish()', client.publish('a', 'b', { qos: 1 }))
  const subscribing = rejection(patience, 'subscribe()', client.subscribe('a'))
  for (const reason of [await publishing, await subscribing]) {
    t.true(reason instanceof MqttError)
    t.regex((reason as MqttError).message, /^\[Errno 111\] Connection refused/)
  }
  t.is((await publishing) === (await subscribing), false)
  const ended = (await next) as MqttError
  t.is(ended.message, 'Disconnected during message iteration')
  t.regex((ended.cause as MqttError).message, /^\[Errno 111\] Connection refused/)
  t.is(client.state, 'disconnected')
  const attempts: Array<number | undefined> = []
  for await (const { state, attempt } of changes) {
    if (state === 'disconnected') break
    attempts.push(attempt)
  }
  t.deepEqual(attempts.slice(-3), [1, 2, 3])
  const offline = (await rejection(atOnce, 'publish()', client.publish('a'))) as MqttError
  t.is(offline.message, '[code:4] The client is not currently connected.')
})

test('a call waits for the connection no longer than its timeout', async (t) => {
  const client = await orphaned(t, { reconnect: { minDelay: 30, maxDelay: 30 } })
  await reached(client, 'reconnecting')
  for (const call of [
    client.publish('a', 'b', { timeout: 0.05 }),
    client.publish('a', 'b', { qos: 1, timeout: 0.05 }),
    client.subscribe('a', { timeout: 0.05 }),
    client.unsubscribe('a', { timeout: 0.05 }),
  ]) {
    const reason = (await rejection(atOnce, 'a call', call)) as MqttError
    t.is(reason.message, 'Operation timed out')
  }
  t.is(client.state, 'reconnecting')
})

test('disconnect() wins while the client is reconnecting', async (t) => {
  const client = await orphaned(t, { reconnect: { minDelay: 30, maxDelay: 30 } })
  await reached(client, 'reconnecting')
  const calls = [client.messages.next(), client.publish('a', 'b', { qos: 2 }), client.subscribe('a')]
  const rejected = calls.map((call) => rejection(atOnce, 'a call', call))
  await within(atOnce, 'disconnecting', client.disconnect())
  t.is(client.state, 'disconnected')
  const [next, publishing, subscribing] = (await Promise.all(rejected)) as MqttError[]
  t.is(next?.message, 'Disconnected during message iteration')
  t.is(next?.cause, undefined)
  for (const reason of [publishing, subscribing]) t.is(reason?.message, '[code:7] The connection was lost.')
})

test('the first connect() is not tried again', async (t) => {
  const client = clientOf(t, { host: '127.0.0.1', port: await freePort() }, { reconnect })
  const reason = (await rejection(atOnce, 'connecting', client.connect())) as MqttError
  t.regex(reason.message, /Connection refused/)
  t.is(client.state, 'disconnected')
})

test('with `initial` the first connect() is tried again as well', async (t) => {
  const peer = await listening(t)
  const client = clientOf(t, peer, { reconnect: { ...reconnect, initial: true } })
  const connecting = client.connect()
  ;(await peer.accept()).reset()
  const second = await peer.accept()
  await second.next('connect')
  second.send({ cmd: 'connack', returnCode: 3, sessionPresent: false })
  t.is(client.state, 'connecting')
  await welcomed(peer)
  await within(atOnce, 'connecting', connecting)
})

test('an identifier that is refused is not tried again', async (t) => {
  const { client, peer, session } = await paired(t, { reconnect })
  const next = rejection(patience, 'next()', client.messages.next())
  session.reset()
  const again = await peer.accept()
  await again.next('connect')
  again.send({ cmd: 'connack', returnCode: 2, sessionPresent: false })
  const { cause } = (await next) as { cause: MqttCodeError }
  t.true(cause instanceof MqttCodeError)
  t.is(cause.message, '[code:133] Client identifier not valid')
  t.is(client.state, 'disconnected')
  t.is(peer.connections, 2)
})

test('a session that was taken over is not fought for', async (t) => {
  const { client, session, peer } = await paired(t, { protocol: V5, reconnect })
  const next = rejection(patience, 'next()', client.messages.next())
  session.send('e0 01 8e')
  t.is(((await next) as { cause: Error }).cause.message, '[code:142] Session taken over')
  t.is(client.state, 'disconnected')
  t.is(peer.connections, 1)
})

test('the client identifier that the broker assigned is kept, and the session is asked for', async (t) => {
  const { client, peer, session, connect } = await paired(
    t,
    { protocol: V5, reconnect },
    { properties: { assignedClientIdentifier: 'assigned' } },
  )
  t.is(connect.clientId, '')
  t.true(connect.clean)
  session.reset()
  const again = await peer.accept()
  const second = await again.next('connect')
  t.is(second.clientId, 'assigned')
  t.false(second.clean)
  again.welcome()
  await reached(client, 'connected')
  t.is(client.identifier, 'assigned')
})

test('a clean session of MQTT 3.1.1 is a clean one each time', async (t) => {
  const { peer, session } = await paired(t, { protocol: V311, reconnect })
  session.reset()
  t.true((await (await peer.accept()).next('connect')).clean)
})
