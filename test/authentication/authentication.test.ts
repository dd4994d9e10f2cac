import {
  type Client,
  type ClientOptions,
  type MqttCodeError,
  type MqttConnectError,
  type MqttError,
  MqttReentrantError,
  ProtocolVersion,
} from 'aiomqtt'
import test, { type ExecutionContext } from 'ava'
import { field, number, packet } from '../helpers/bytes.js'
import { atOnce, clientOf, listening, patience } from '../helpers/client.js'
import { rejection, within } from '../helpers/deadline.js'
import type { Session } from '../helpers/peer.js'

type Authentication = NonNullable<ClientOptions['authentication']>

/** AUTH or CONNACK's code and properties: the method, unless it is null, and the data, if there is any. */
function said(code: string, method: string | null = 'scram', data?: string): string {
  const list = `${method === null ? '' : `15${field(method)}`}${data === undefined ? '' : `16${field(data)}`}`
  return code + number(list.length / 2, 1) + list
}

const auth = (code: string, method?: string | null, data?: string) => packet('f0', said(code, method, data))
const connack = (code = '00', method?: string | null, data?: string) =>
  packet('20', '00', said(code, method, data))

/** Answers a challenge with the same in capitals. */
const capitals = {
  method: 'scram',
  data: Buffer.from('first'),
  respond: (challenge: Buffer | null) =>
    challenge === null ? null : Buffer.from(challenge.toString().toUpperCase()),
}

/** A client that has sent its CONNECT. */
async function connecting(
  t: ExecutionContext,
  authentication: Authentication = capitals,
  options: ClientOptions = {},
): Promise<{ client: Client; connected: Promise<Client>; session: Session }> {
  const peer = await listening(t)
  const client = clientOf(t, peer, { protocol: ProtocolVersion.V5, authentication, ...options })
  const connected = client.connect()
  connected.catch(() => {})
  const session = await peer.accept()
  const { properties } = await session.next('connect')
  t.is(properties?.authenticationMethod, authentication.method)
  t.is(properties?.authenticationData?.toString(), authentication.data?.toString())
  return { client, connected, session }
}

/** A client that is authenticated and connected. */
async function authenticated(t: ExecutionContext, authentication?: Authentication, options?: ClientOptions) {
  const set = await connecting(t, authentication, options)
  set.session.send(connack())
  await within(patience, 'connecting', set.connected)
  return set
}

/** The client's next AUTH: its reason code, method and data. */
async function nextAuth(session: Session): Promise<[number, string | undefined, string | undefined]> {
  const { reasonCode, properties } = await session.next('auth')
  return [reasonCode ?? 0, properties?.authenticationMethod, properties?.authenticationData?.toString()]
}

/** Sees that the connection ends as a violation when the peer sends this. */
async function seeViolation(t: ExecutionContext, client: Client, session: Session, bytes: string) {
  const next = client.messages.next()
  session.send(bytes)
  const { cause } = (await rejection(patience, 'iteration', next)) as MqttError
  t.is(Number((cause as MqttCodeError).rc), 0x82)
  t.is((await session.next('disconnect')).reasonCode, 0x82)
}

for (const way of ['at once', 'later'] as const) {
  test(`challenges are answered before CONNACK, ${way}`, async (t) => {
    const respond =
      way === 'at once'
        ? capitals.respond
        : async (challenge: Buffer | null) => {
            await new Promise((resolve) => setTimeout(resolve, 10))
            return capitals.respond(challenge)
          }
    const { client, connected, session } = await connecting(t, { ...capitals, respond })
    session.send(auth('18', 'scram', 'one'))
    t.deepEqual(await nextAuth(session), [0x18, 'scram', 'ONE'])
    session.send(auth('18', 'scram', 'two'))
    t.deepEqual(await nextAuth(session), [0x18, 'scram', 'TWO'])
    session.send(auth('18'))
    t.deepEqual(await nextAuth(session), [0x18, 'scram', undefined])
    session.send(connack('00', 'scram', 'proof'))
    t.is(await within(patience, 'connecting', connected), client)
    await client.publish('a')
    t.is((await session.next('publish')).topic, 'a')
  })
}

test('a broker may be content with what CONNECT carries, which may be no data', async (t) => {
  const { method, respond } = capitals
  const { session, connected } = await connecting(t, { method, respond })
  session.send(connack())
  await within(patience, 'connecting', connected)
  t.pass()
})

test("CONNECT's other properties stay, and the challenge is a copy that may be kept", async (t) => {
  const challenges: Array<Buffer | null> = []
  const respond = (challenge: Buffer | null) => {
    challenges.push(challenge)
    return null
  }
  const peer = await listening(t)
  const client = clientOf(t, peer, {
    protocol: ProtocolVersion.V5,
    properties: { sessionExpiryInterval: 5, userProperty: ['a', 'b'] },
    authentication: { method: 'm', respond },
  })
  const connected = client.connect()
  const session = await peer.accept()
  const { properties } = await session.next('connect')
  t.is(properties?.sessionExpiryInterval, 5)
  t.is(properties?.authenticationMethod, 'm')
  t.is(properties?.authenticationData, undefined)
  for (let i = 0; i < 200; i++) {
    session.send(auth('18', 'm', `challenge ${i}`))
    await session.next('auth')
  }
  session.send(connack('00', 'm'))
  await within(patience, 'connecting', connected)
  t.deepEqual(
    challenges.map(String),
    Array.from({ length: 200 }, (_, i) => `challenge ${i}`),
  )
})

test('the broker refuses after a challenge', async (t) => {
  const { connected, session } = await connecting(t)
  session.send(auth('18', 'scram', 'one'))
  await nextAuth(session)
  session.send(connack('87', null))
  const error = (await rejection(patience, 'connecting', connected)) as MqttConnectError
  t.is(error.message, '[code:135] Not authorized')
})

for (const [how, respond, expected] of [
  [
    'throws',
    () => {
      throw new Error('no token')
    },
    'no token',
  ],
  ['rejects', () => Promise.reject(new Error('no token')), 'no token'],
  [
    'returns a string',
    () => 'x' as never,
    'What authentication.respond returns must be a Uint8Array, not string',
  ],
  ['returns nothing', () => undefined as never, 'authentication.respond must return a Uint8Array or null'],
  [
    'returns too much',
    async () => new Uint8Array(65_536),
    'What authentication.respond returns must be at most 65535 bytes',
  ],
] as const) {
  test(`connect() rejects when respond() ${how}, and the client can be used again`, async (t) => {
    const { client, connected, session } = await connecting(t, { method: 'scram', respond })
    session.send(auth('18', 'scram', 'one'))
    const error = (await rejection(atOnce, 'connecting', connected)) as MqttError
    t.is(error.code, 'ERR_MQTT_AUTHENTICATION')
    t.regex(error.message, /^The challenge of the broker was not answered \(127\.0\.0\.1:\d+\)$/)
    t.is((error.cause as Error).message, expected)
    t.is(client.state, 'disconnected')
    await within(patience, 'the end', session.ended)
  })

  test(`a re-authentication ends the connection when respond() ${how}`, async (t) => {
    const { client, session } = await authenticated(t, { method: 'scram', respond })
    const again = client.reauthenticate()
    await nextAuth(session)
    session.send(auth('18', 'scram', 'one'))
    const error = (await rejection(atOnce, 'authenticating', again)) as MqttError
    t.is(error.code, 'ERR_MQTT_AUTHENTICATION')
    t.is((error.cause as Error).message, expected)
    t.is((await session.next('disconnect')).reasonCode, 0x80)
    const lost = (await rejection(patience, 'iteration', client.messages.next())) as MqttError
    t.is((lost.cause as MqttError).code, 'ERR_MQTT_AUTHENTICATION')
  })
}

test('a challenge that is never answered takes no longer than the timeout of connect()', async (t) => {
  const never = () => new Promise<null>(() => {})
  const { connected, session } = await connecting(t, { method: 'scram', respond: never }, { timeout: 0.3 })
  session.send(auth('18'))
  const error = (await rejection(patience, 'connecting', connected)) as MqttError
  t.is(error.message, 'Operation timed out')
})

test('an answer that comes when nobody waits any more goes nowhere', async (t) => {
  let answer: (data: Uint8Array) => void = () => {}
  const respond = () =>
    new Promise<Uint8Array>((resolve) => {
      answer = resolve
    })
  const { client, connected, session } = await connecting(t, { method: 'scram', respond })
  session.send(auth('18'))
  session.send(connack())
  await within(patience, 'connecting', connected)
  answer(Buffer.from('late'))
  await client.publish('a')
  t.is((await session.next('publish')).topic, 'a')
  const again = client.reauthenticate()
  await nextAuth(session)
  session.send(auth('18'))
  session.reset()
  await rejection(patience, 'authenticating', again)
  answer(Buffer.from('later'))
  t.is(client.state, 'disconnected')
})

test('reauthenticate() resolves when the broker is content, and other packets go on meanwhile', async (t) => {
  const { client, session } = await authenticated(t)
  for (let round = 0; round < 2; round++) {
    const again = client.reauthenticate(round === 0 ? Buffer.from('again') : undefined)
    t.deepEqual(await nextAuth(session), [0x19, 'scram', round === 0 ? 'again' : undefined])
    const published = client.publish('a', '', { qos: 1 })
    const { messageId } = await session.next('publish')
    session.send(auth('18', 'scram', 'one'))
    t.deepEqual(await nextAuth(session), [0x18, 'scram', 'ONE'])
    session.send({ cmd: 'puback', messageId: messageId ?? 0 })
    await within(patience, 'publishing', published)
    // The short form has no method.
    session.send(round === 0 ? auth('00', 'scram', 'proof') : 'f0 00')
    t.is(await within(patience, 'authenticating', again), undefined)
  }
})

test('a broker that is not content says so in DISCONNECT', async (t) => {
  const { client, session } = await authenticated(t)
  const again = client.reauthenticate()
  await nextAuth(session)
  session.send('e0 01 87')
  const error = (await rejection(patience, 'authenticating', again)) as MqttCodeError
  t.is(error.message, '[code:135] Not authorized')
  t.regex(error.stack ?? '', /authentication\.test/)
})

test('one re-authentication at a time, also when the last one timed out', async (t) => {
  const { client, session } = await authenticated(t)
  client.timeout = 0.2
  const first = client.reauthenticate()
  const second = await rejection(patience, 'another one', client.reauthenticate())
  t.true(second instanceof MqttReentrantError)
  const error = (await rejection(patience, 'authenticating', first)) as MqttError
  t.is(error.message, 'Operation timed out')
  t.true((await rejection(patience, 'another one', client.reauthenticate())) instanceof MqttReentrantError)
  await nextAuth(session)
  session.send(auth('00'))
  client.timeout = 5
  const marker = client.publish('a', '', { qos: 1 })
  session.send({ cmd: 'puback', messageId: (await session.next('publish')).messageId ?? 0 })
  await marker
  const third = client.reauthenticate()
  await nextAuth(session)
  session.send(auth('00'))
  await within(patience, 'authenticating', third)
})

test('reauthenticate() needs a connection, the option, bytes, and a broker that takes as many', async (t) => {
  const peer = await listening(t)
  const options = { protocol: ProtocolVersion.V5, authentication: capitals }
  const away = clientOf(t, peer, options)
  const offline = (await rejection(patience, 'offline', away.reauthenticate())) as MqttCodeError
  t.is(offline.message, '[code:4] The client is not currently connected.')
  const without = clientOf(t, peer, { protocol: ProtocolVersion.V5 })
  const noOption = (await rejection(patience, 'without', without.reauthenticate())) as Error
  t.is(noOption.message, 'There is no option authentication')
  const noBytes = (await rejection(patience, 'text', away.reauthenticate('x' as never))) as Error
  t.is(noBytes.message, 'data must be a Uint8Array, not string')

  const connected = away.connect()
  const session = await peer.accept()
  await session.next('connect')
  const properties = `270000001415${field('scram')}`
  session.send(packet('20', '0000', number(properties.length / 2, 1), properties))
  await within(patience, 'connecting', connected)
  const tooLarge = away.reauthenticate(Buffer.alloc(20))
  t.is(
    ((await rejection(patience, 'large', tooLarge)) as MqttCodeError).message,
    '[code:149] Packet too large',
  )
})

test('a challenge without the option authentication ends the connection', async (t) => {
  const peer = await listening(t)
  const client = clientOf(t, peer, {
    protocol: ProtocolVersion.V5,
    properties: { authenticationMethod: 'scram' },
  })
  const connected = client.connect()
  const session = await peer.accept()
  await session.next('connect')
  session.send(auth('18', 'scram', 'one'))
  const error = (await rejection(atOnce, 'connecting', connected)) as MqttError
  t.is(error.code, 'ERR_MQTT_AUTHENTICATION')
})

for (const [what, bytes] of [
  ['AUTH without a method', auth('18', null)],
  ['AUTH with another method', auth('18', 'other')],
  ['AUTH that says success', auth('00')],
  ['AUTH that wants to re-authenticate', auth('19')],
  ['two AUTHs', auth('18') + auth('18')],
  ['CONNACK without the method', connack('00', null)],
  ['CONNACK with another method', connack('00', 'other')],
] as const) {
  test(`before CONNACK a violation: ${what}`, async (t) => {
    const { connected, session } = await connecting(t, {
      method: 'scram',
      respond: () => new Promise<null>(() => {}),
    })
    session.send(bytes)
    const error = (await rejection(atOnce, 'connecting', connected)) as MqttCodeError
    t.is(Number(error.rc), 0x82)
  })
}

for (const [what, bytes] of [
  ['AUTH without a method', auth('18', null)],
  ['AUTH with another method', auth('00', 'other')],
  ['AUTH that wants to re-authenticate', auth('19')],
  ['AUTH when all is said', auth('00') + auth('00')],
] as const) {
  test(`while a re-authentication is under way a violation: ${what}`, async (t) => {
    const { client, session } = await authenticated(t)
    client.reauthenticate().catch(() => {})
    await nextAuth(session)
    await seeViolation(t, client, session, bytes)
  })
}

test('AUTH and an Authentication Method that nobody asked for are violations', async (t) => {
  const peer = await listening(t)
  for (const bytes of [auth('18'), 'f0 00', connack()]) {
    const client = clientOf(t, peer, { protocol: ProtocolVersion.V5 })
    const connected = client.connect()
    const session = await peer.accept()
    await session.next('connect')
    session.send(bytes)
    const error = (await rejection(atOnce, 'connecting', connected)) as MqttCodeError
    t.is(Number(error.rc), 0x82)
  }
  const { client, session } = await authenticated(t)
  await seeViolation(t, client, session, auth('18'))
})

test('each connection authenticates anew', async (t) => {
  const peer = await listening(t)
  const client = clientOf(t, peer, {
    protocol: ProtocolVersion.V5,
    authentication: capitals,
    reconnect: { minDelay: 0.01, maxDelay: 0.01 },
  })
  const connected = client.connect()
  for (let round = 0; round < 3; round++) {
    const session = await peer.accept()
    const { properties } = await session.next('connect')
    t.is(properties?.authenticationData?.toString(), 'first')
    session.send(auth('18', 'scram', `round ${round}`))
    t.deepEqual(await nextAuth(session), [0x18, 'scram', `ROUND ${round}`])
    session.send(connack())
    if (round === 0) await within(patience, 'connecting', connected)
    await within(patience, 'publishing', client.publish('a'))
    await session.next('publish')
    session.reset()
  }
})
