// What the broker answers: with an acknowledgement of another kind, with a refusal and its reasons, or not at all.
import {
  type Client,
  type ClientOptions,
  type MqttCodeError,
  MqttError,
  ProtocolVersion,
  ReasonCode,
} from 'aiomqtt'
import test, { type ExecutionContext } from 'ava'
import { atOnce, clientOf, listening, paired, patience } from '../helpers/client.js'
import { rejection, within } from '../helpers/deadline.js'
import { Recorder } from '../helpers/logger.js'
import type { Session } from '../helpers/peer.js'
import { protocols } from '../helpers/protocols.js'
import { lasting, quickly, welcomed } from '../helpers/reconnect.js'

const v5 = { protocol: ProtocolVersion.V5 }
const lives: Array<[string, ClientOptions]> = [
  ['without options', {}],
  ['with reconnect', { reconnect: quickly }],
]

/** What is refused, as an error of the broker's. */
async function refusal(what: string, promise: Promise<unknown>): Promise<MqttCodeError> {
  return (await rejection(patience, what, promise)) as MqttCodeError
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}

for (const { name, protocol } of protocols) {
  for (const [life, options] of lives) {
    test(`${name}, ${life}: PUBACK settles a publish of QoS 2 and frees its place, with one warning`, async (t) => {
      const logger = new Recorder()
      const { client, session } = await paired(t, {
        protocol,
        ...options,
        logger,
        maxInflightMessages: 2,
      })
      client.pendingCallsThreshold = 100
      const publishing = Array.from({ length: 6 }, (_, i) => client.publish('a', String(i), { qos: 2 }))
      for (let i = 0; i < 6; i++) {
        const { messageId, payload } = await session.next('publish')
        t.is(String(payload), String(i))
        session.send({ cmd: 'puback', messageId: messageId ?? 0 })
      }
      await within(patience, 'the publishes', Promise.all(publishing))
      const last = client.publish('b', '', { qos: 2 })
      const { messageId = 0 } = await session.next('publish')
      session.send({ cmd: 'pubrec', messageId })
      t.is((await session.next('pubrel')).messageId, messageId)
      session.send({ cmd: 'pubcomp', messageId })
      await within(patience, 'a publish that is answered as it should be', last)
      t.is(logger.lines.warn.filter((line) => line.includes('PUBACK')).length, 1)
      t.is(client.stats.inflight, 0)
    })
  }

  const wrong = [
    ['PUBREC', 'QoS 1', (client: Client) => client.publish('a', '', { qos: 1 }), 'publish', 'pubrec'],
    ['PUBCOMP', 'QoS 1', (client: Client) => client.publish('a', '', { qos: 1 }), 'publish', 'pubcomp'],
    ['PUBCOMP', 'QoS 2', (client: Client) => client.publish('a', '', { qos: 2 }), 'publish', 'pubcomp'],
    ['PUBACK', 'SUBSCRIBE', (client: Client) => client.subscribe('a'), 'subscribe', 'puback'],
    ['PUBREC', 'UNSUBSCRIBE', (client: Client) => client.unsubscribe('a'), 'unsubscribe', 'pubrec'],
  ] as const
  for (const [answer, question, call, sent, cmd] of wrong) {
    test(`${name}: ${answer} for ${question} ends the connection, and the call says why`, async (t) => {
      const { client, session } = await paired(t, { protocol })
      const calling = call(client)
      const { messageId = 0 } = await session.next(sent)
      session.send({ cmd, messageId })
      const error = await refusal('the call', calling)
      t.is(Number(error.rc), 0x82)
      t.regex(messageOf(error.cause), new RegExp(`^${answer} answers what is no .*127\\.0\\.0\\.1`))
      if (protocol === ProtocolVersion.V5) t.is((await session.next('disconnect')).reasonCode, 0x82)
      t.is(client.state, 'disconnected')
    })
  }

  test(`${name}: an acknowledgement for which there is nothing is absorbed`, async (t) => {
    const { client, session } = await paired(t, { protocol })
    for (const cmd of ['puback', 'pubcomp'] as const) session.send({ cmd, messageId: 999 })
    session.send({ cmd: 'suback', messageId: 999, granted: [0] })
    const publishing = client.publish('a', '', { qos: 1 })
    const { messageId = 0 } = await session.next('publish')
    session.send({ cmd: 'puback', messageId })
    session.send({ cmd: 'puback', messageId })
    await within(patience, 'the publish', publishing)
    t.is(client.state, 'connected')
  })

  for (const [life, options] of lives) {
    for (const qos of [1, 2] as const) {
      test(`${name}, ${life}: a publish of QoS ${qos} that timed out gives its place back at once`, async (t) => {
        const { client, session } = await paired(t, { protocol, ...options, maxInflightMessages: 1 })
        const late: number[] = []
        for (let i = 0; i < 3; i++) {
          const publishing = client.publish('a', String(i), { qos, timeout: 0.05 })
          t.regex(messageOf(await rejection(patience, 'the publish', publishing)), /timed out/)
          late.push((await session.next('publish')).messageId ?? 0)
        }
        const waiting = client.publish('a', 'held', { qos, timeout: 0.2 })
        const next = client.publish('a', 'next', { qos })
        late.push((await session.next('publish')).messageId ?? 0)
        await rejection(patience, 'the publish that is held', waiting)
        const { messageId = 0, payload } = await session.next('publish')
        t.is(String(payload), 'next')
        // Late answers settle nothing else, and free no place twice.
        for (const id of [...late, messageId]) await answer(session, qos, id)
        await within(patience, 'the publish behind', next)
        const [first, second] = [1, 2].map((i) => client.publish('a', String(i), { qos }))
        const one = (await session.next('publish')).messageId ?? 0
        t.false(await hasMore(client, session))
        await answer(session, qos, one)
        await answer(session, qos, (await session.next('publish')).messageId ?? 0)
        await within(patience, 'the last ones', Promise.all([first, second]))
      })
    }
  }
}

async function answer(session: Session, qos: 1 | 2, messageId: number): Promise<void> {
  if (qos === 2) {
    session.send({ cmd: 'pubrec', messageId })
    await session.next('pubrel')
  }
  session.send({ cmd: qos === 1 ? 'puback' : 'pubcomp', messageId })
}

/** Whether the client has sent anything that the test has not read. */
async function hasMore(client: Client, session: Session): Promise<boolean> {
  await client.publish('marker')
  return (await session.next('publish')).topic !== 'marker'
}

for (const [life, options] of lives) {
  test(`MQTT 5, ${life}: a place in the broker’s Receive Maximum comes back with the answer alone`, async (t) => {
    const { client, session } = await paired(t, { ...v5, ...options }, { properties: { receiveMaximum: 1 } })
    const lost = client.publish('a', '1', { qos: 1, timeout: 0.05 })
    await rejection(patience, 'the publish', lost)
    const { messageId = 0 } = await session.next('publish')
    const next = client.publish('a', '2', { qos: 1 })
    t.false(await hasMore(client, session))
    session.send({ cmd: 'puback', messageId })
    const { messageId: second = 0 } = await session.next('publish')
    session.send({ cmd: 'puback', messageId: second })
    await within(patience, 'the publish behind', next)
    t.is(client.state, 'connected')
  })
}

const why = { reasonString: 'read-only', userProperties: { tenant: '7' } }

function saysWhy(t: ExecutionContext, error: MqttCodeError, rc: number, cause: RegExp): void {
  t.is(Number(error.rc), rc)
  t.is(error.properties?.reasonString, 'read-only')
  t.deepEqual(error.properties?.userProperty, [['tenant', '7']])
  t.regex(messageOf(error.cause), cause)
}

for (const [life, options] of lives) {
  test(`${life}: what the broker says beside a refusal is in the error`, async (t) => {
    const { client, session } = await paired(t, { ...v5, ...options })
    const refused = client.publish('a', '', { qos: 1 })
    const { messageId: first = 0 } = await session.next('publish')
    session.send({ cmd: 'puback', messageId: first, reasonCode: 0x87, properties: why })
    saysWhy(t, await refusal('QoS 1', refused), 0x87, /^read-only$/)

    const refusedTwo = client.publish('a', '', { qos: 2 })
    const { messageId: second = 0 } = await session.next('publish')
    session.send({ cmd: 'pubrec', messageId: second, reasonCode: 0x97, properties: why })
    saysWhy(t, await refusal('QoS 2', refusedTwo), 0x97, /^read-only$/)

    const unsubscribing = client.unsubscribe('a')
    const { messageId: third = 0 } = await session.next('unsubscribe')
    session.send({ cmd: 'unsuback', messageId: third, granted: [0x87], properties: why })
    saysWhy(t, await refusal('UNSUBSCRIBE', unsubscribing), 0x87, /^read-only$/)

    const asking = client.request('question')
    const { messageId: fourth = 0 } = await session.next('subscribe')
    session.send({ cmd: 'suback', messageId: fourth, granted: [0x87], properties: why })
    saysWhy(t, await refusal('the request', asking), 0x87, /subscription to the answers: read-only/)

    const mute = client.publish('a', '', { qos: 1 })
    const { messageId: fifth = 0 } = await session.next('publish')
    session.send({ cmd: 'puback', messageId: fifth, reasonCode: 0x87 })
    const error = await refusal('QoS 1', mute)
    t.is(error.properties, null)
    t.false(Object.hasOwn(error, 'properties'))
  })
}

test('what the broker says in CONNACK and in DISCONNECT is in the error', async (t) => {
  const peer = await listening(t)
  const client = clientOf(t, peer, v5)
  const refused = client.connect()
  const first = await peer.accept()
  await first.next('connect')
  first.send({ cmd: 'connack', sessionPresent: false, reasonCode: 0x97, properties: why })
  saysWhy(t, await refusal('connecting', refused), 0x97, /read-only \(127\.0\.0\.1:/)

  const connecting = client.connect()
  const second = await peer.welcome()
  await within(patience, 'connecting', connecting)
  const iterating = client.messages.next()
  second.send({ cmd: 'disconnect', reasonCode: 0x8b, properties: why })
  const error = (await rejection(patience, 'iteration', iterating)) as MqttError
  saysWhy(t, error.cause as MqttCodeError, 0x8b, /read-only \(127\.0\.0\.1:/)
})

test('a subscription that is not renewed is told with the broker’s words', async (t) => {
  const { peer, client, session } = await paired(t, { ...lasting(v5.protocol), reconnect: quickly })
  const subscribing = client.subscribe('a')
  session.send({
    cmd: 'suback',
    messageId: (await session.next('subscribe')).messageId ?? 0,
    granted: [0],
  })
  await within(patience, 'subscribing', subscribing)
  const told = (async () => {
    for await (const { error } of client.states) if (/did not renew/.test(messageOf(error))) return error
    return undefined
  })()
  session.reset()
  const next = await welcomed(peer)
  const { messageId = 0 } = await next.next('subscribe')
  next.send({ cmd: 'suback', messageId, granted: [0x87], properties: why })
  const error = await within(patience, 'the report', told)
  saysWhy(t, error?.cause as MqttCodeError, 0x87, /^read-only$/)
})

for (const how of ['a signal', 'its timeout'] as const) {
  test(`a subscribe() that ${how} gave up is not renewed, though the broker grants it later`, async (t) => {
    const { peer, client, session } = await paired(t, { ...lasting(v5.protocol), reconnect: quickly })
    const kept = client.subscribe('kept')
    const first = (await session.next('subscribe')).messageId ?? 0
    const stop = new AbortController()
    const given = client.subscribe(
      'given/up',
      how === 'a signal' ? { signal: stop.signal } : { timeout: 0.05 },
    )
    const second = (await session.next('subscribe')).messageId ?? 0
    stop.abort()
    await rejection(patience, 'subscribing', given)
    for (const messageId of [first, second]) session.send({ cmd: 'suback', messageId, granted: [0] })
    await within(patience, 'subscribing', kept)
    await client.publish('marker')
    await session.next('publish')
    session.reset()
    const next = await welcomed(peer)
    const renewed = await next.next('subscribe')
    t.deepEqual(
      renewed.subscriptions.map(({ topic }) => topic),
      ['kept'],
    )
    t.false(await hasMore(client, next))
  })
}

test('disconnect() says what it is told to, on MQTT 5', async (t) => {
  const { client, session } = await paired(t, { ...v5, properties: { sessionExpiryInterval: 60 } })
  const disconnecting = client.disconnect({
    reasonCode: 4,
    properties: { sessionExpiryInterval: 3600, reasonString: 'update' },
  })
  const { reasonCode, properties } = await session.next('disconnect')
  t.is(reasonCode, 4)
  t.deepEqual({ ...properties }, { sessionExpiryInterval: 3600, reasonString: 'update' })
  session.close()
  await within(patience, 'disconnecting', disconnecting)
})

test('disconnect() takes a ReasonCode, and sends what was published before', async (t) => {
  const { client, session } = await paired(t, v5)
  const publishing = client.publish('a', 'last')
  const disconnecting = client.disconnect({ reasonCode: new ReasonCode(14, 'Administrative action') })
  await publishing
  t.is(String((await session.next('publish')).payload), 'last')
  t.is((await session.next('disconnect')).reasonCode, 0x98)
  session.close()
  await within(patience, 'disconnecting', disconnecting)
})

test('disconnect() refuses what a client may not say, and stays connected', async (t) => {
  const { client } = await paired(t, v5)
  const old = await paired(t)
  const rows: Array<[Client, object, ErrorConstructor, RegExp]> = [
    [client, { reasonCode: 0x8b }, RangeError, /Reason code 139 does not apply/],
    [client, { reasonCode: '4' }, TypeError, /reasonCode must be a number/],
    [client, { reason: 4 }, TypeError, /reason/],
    [client, { properties: { sessionExpiryInterval: 1 } }, RangeError, /must be 0 in DISCONNECT/],
    [client, { properties: { serverReference: 'x' } }, RangeError, /serverReference/],
    [client, { properties: { topicAlias: 1 } }, RangeError, /topicAlias/],
    [old.client, { reasonCode: 4 }, RangeError, /only apply to MQTT V5/],
    [old.client, { properties: { reasonString: 'x' } }, RangeError, /only apply to MQTT V5/],
  ]
  for (const [one, options, type, text] of rows) {
    const error = await rejection(atOnce, 'disconnecting', one.disconnect(options))
    t.true(error instanceof type, messageOf(error))
    t.regex(messageOf(error), text)
    t.is(one.state, 'connected')
  }
})

test('connect() that disconnect() ends says so, and where it was going', async (t) => {
  const peer = await listening(t)
  const client = clientOf(t, peer)
  const connecting = client.connect()
  await (await peer.accept()).next('connect')
  const disconnecting = client.disconnect()
  const error = (await rejection(atOnce, 'connecting', connecting)) as MqttError
  t.true(error instanceof MqttError)
  t.is(error.code, 'ERR_MQTT_DISCONNECTED')
  t.is(error.message, `disconnect() was called before the connection was made (127.0.0.1:${peer.port})`)
  await within(atOnce, 'disconnecting', disconnecting)
  t.is(client.state, 'disconnected')
})
