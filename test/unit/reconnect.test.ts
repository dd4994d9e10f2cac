import { MqttCodeError, MqttConnectError, MqttError, PacketTypes, ReasonCode } from 'aiomqtt'
import test from 'ava'
import {
  Backoff,
  connectionLost,
  disconnection,
  Failure,
  HostList,
  nativeTlsFailure,
  nodeTlsFailure,
  notPemFailure,
  PacketIdentifiers,
  parseServerReference,
  refusal,
  StateLog,
  StatesIterator,
  thrownFailure,
} from './internals.js'

/** The longest delays, one after the other: those of somebody who has no luck at all. */
function bounds(minDelay: number, maxDelay: number, count: number): number[] {
  const backoff = new Backoff({ minDelay, maxDelay }, () => 1)
  return Array.from({ length: count }, () => backoff.next())
}

test('the bound of the delay doubles from minDelay to maxDelay, after one that is nearly nothing', (t) => {
  t.deepEqual(bounds(1, 60, 9), [0.25, 1, 2, 4, 8, 16, 32, 60, 60])
  t.deepEqual(bounds(0.01, 0.05, 5), [0.0025, 0.01, 0.02, 0.04, 0.05])
  t.deepEqual(bounds(30, 30, 3), [0.25, 30, 30])
  t.deepEqual(bounds(0, 0, 3), [0, 0, 0])
})

test('the delay stays a number however long it goes on', (t) => {
  for (const minDelay of [0, 1]) {
    const backoff = new Backoff({ minDelay, maxDelay: 60 }, () => 1)
    for (let round = 0; round < 3000; round++) t.true(Number.isFinite(backoff.next()))
    t.is(backoff.next(), minDelay === 0 ? 0 : 60)
  }
})

test('after a reset it begins anew', (t) => {
  const backoff = new Backoff({ minDelay: 1, maxDelay: 60 }, () => 1)
  t.deepEqual([backoff.next(), backoff.next(), backoff.next()], [0.25, 1, 2])
  backoff.reset()
  t.deepEqual([backoff.next(), backoff.next()], [0.25, 1])
})

test('a thousand clients that lose their broker together do not come back together', (t) => {
  const clients = Array.from({ length: 1000 }, () => new Backoff({ minDelay: 1, maxDelay: 60 }))
  // Round after round: how many come within the same tenth of the time that the round is spread over.
  for (const spread of [0.25, 1, 2, 4, 8, 16, 32, 60]) {
    const tenths = new Array<number>(10).fill(0)
    for (const client of clients) {
      const delay = client.next()
      t.true(delay >= 0 && delay < spread)
      const tenth = Math.floor((delay / spread) * 10)
      tenths[tenth] = (tenths[tenth] ?? 0) + 1
    }
    // 100 are to be expected; 50 more or less are five standard deviations.
    for (const count of tenths) t.true(count > 50 && count < 150, `${tenths}`)
  }
})

const own = { hostname: 'own', port: 1 }
const further: Array<[string, number]> = [
  ['b', 2],
  ['c', 3],
]

/** The names of the hosts of a round. */
function round(list: InstanceType<typeof HostList>): string[] {
  const names: string[] = []
  for (let host = list.next(); host !== null; host = list.next()) names.push(host.hostname)
  return names
}

test('hosts come in the order given, the own one first', (t) => {
  const list = new HostList(own, further, null)
  list.begin()
  t.deepEqual(round(list), ['own', 'b', 'c'])
  list.again()
  t.deepEqual(round(list), ['own', 'b', 'c'])
})

test('the host that worked last comes first, once in each series', (t) => {
  const list = new HostList(own, further, null)
  list.begin()
  list.succeeded({ hostname: 'c', port: 3 })
  list.begin()
  t.deepEqual(round(list), ['c', 'own', 'b'])
  list.again()
  t.deepEqual(round(list), ['own', 'b', 'c'])
})

test('in a random order the own host still comes first, and every order of the others occurs', (t) => {
  const orders = new Set<string>()
  const list = new HostList(own, [...further, ['d', 4]], Math.random)
  for (let times = 0; times < 500; times++) {
    list.begin()
    orders.add(round(list).join())
  }
  t.is(orders.size, 6)
  for (const order of orders) t.true(order.startsWith('own,'))
})

test('a host that is excluded is left out until the next series', (t) => {
  const list = new HostList(own, further, null)
  list.begin()
  list.next()
  list.exclude({ hostname: 'b', port: 2 })
  t.deepEqual(round(list), ['c'])
  list.again()
  t.deepEqual(round(list), ['own', 'c'])
  list.begin()
  t.deepEqual(round(list), ['own', 'b', 'c'])
})

test('a redirection for the time being is followed at once and forgotten', (t) => {
  const list = new HostList(own, further, null)
  list.begin()
  list.next()
  list.redirect([{ hostname: 'x', port: 9 }], false)
  t.deepEqual(round(list), ['x', 'b', 'c'])
  list.succeeded({ hostname: 'x', port: 9 })
  list.begin()
  t.deepEqual(round(list), ['own', 'b', 'c'])
})

test('a redirection for good replaces the own host', (t) => {
  const list = new HostList(own, further, null)
  list.begin()
  list.redirect([{ hostname: 'x', port: 9 }], true)
  list.begin()
  t.deepEqual(round(list), ['x', 'b', 'c'])
})

for (const [text, hosts] of [
  ['broker', [['broker', 1883]]],
  ['broker:8883', [['broker', 8883]]],
  [
    'a b:2  [::1]:3 [fe80::1] 10.0.0.1:4',
    [
      ['a', 1883],
      ['b', 2],
      ['::1', 3],
      ['fe80::1', 1883],
      ['10.0.0.1', 4],
    ],
  ],
  ['2001:db8::1', [['2001:db8::1', 1883]]],
  ['', []],
  ['broker:0', []],
  ['broker:65536', []],
  ['broker:port', []],
  ['http://broker', []],
  ['[::1', []],
] as const) {
  test(`the Server Reference ${JSON.stringify(text)} is understood`, (t) => {
    t.deepEqual(
      parseServerReference(text, 1883).map(({ hostname, port }) => [hostname, port]),
      hosts as unknown as Array<[string, number]>,
    )
  })
}

const connack = (code: number) => refusal(new ReasonCode(PacketTypes.CONNACK, undefined, code), null, 'h:1')
const disconnected = (code: number) => disconnection(code, new Error('why'))
const native = (text: string) => nativeTlsFailure(0, text, 'h:1', { options: 'never', contents: 'later' })
const tls = (code: string) => nodeTlsFailure(Object.assign(new Error('no'), { code }), 'h:1')

test('there is no use in trying again what would be refused again', (t) => {
  for (const code of [0x81, 0x82, 0x84, 0x85, 0x8c, 0x90, 0x95, 0x99, 0x9a, 0x9b])
    t.is(connack(code).retry, 'elsewhere', String(code))
  t.is(disconnected(0x8c).retry, 'elsewhere')
  for (const option of ['ciphers', 'cipherSuites', 'groups', 'signatureAlgorithms', 'version', 'alpn'])
    t.is(native(`${option}: error:0A0000B9:SSL routines::no cipher match`).retry, 'never')
  t.is(native('error:0A0000BF:SSL routines::no protocols available').retry, 'never')
  const argument = new TypeError('transport must return a Duplex of bytes')
  t.is(thrownFailure(Object.assign(argument, { code: 'ERR_MQTT_INVALID_ARG_TYPE' }), 'h:1').retry, 'never')
})

test('what passes is tried again', (t) => {
  for (const code of [0x80, 0x83, 0x86, 0x87, 0x88, 0x89, 0x8a, 0x97, 0x9c, 0x9f])
    t.is(connack(code).retry, 'later', String(code))
  for (const code of [0x82, 0x87, 0x89, 0x8b, 0x8d, 0x98, 0xa0])
    t.is(disconnected(code).retry, 'later', String(code))
  t.is(connectionLost().retry, 'later')
  const codes = ['CERT_HAS_EXPIRED', 'CERT_NOT_YET_VALID', 'ERR_TLS_CERT_ALTNAME_INVALID']
  for (const code of [...codes, 'ERR_SSL_TLSV1_ALERT_UNKNOWN_CA']) t.is(tls(code)?.retry, 'later', code)
  t.is(tls('ECONNRESET'), null)
  t.is(notPemFailure('/a/file').retry, 'later')
  for (const option of ['ca', 'crl', 'certificate', 'key'])
    t.is(native(`${option}: error:0480006C:PEM routines::no start line`).retry, 'later')
  const refused = Object.assign(new Error('no'), { code: 'ECONNREFUSED', errno: -111 })
  for (const thrown of [refused, new Error('of a user'), 'a text', undefined, null])
    t.is(thrownFailure(thrown, 'h:1').retry, 'later')
})

test('a session that was taken over is told from other ends', (t) => {
  t.is(disconnected(0x8e).retry, 'never')
  t.is(disconnected(0x8b).retry, 'later')
})

test('each error of a failure is another one that says the same, and knows it', (t) => {
  const cause = Object.assign(new Error('connect ECONNREFUSED h:1'), { code: 'ECONNREFUSED', errno: -111 })
  const failure = thrownFailure(cause, 'h:1')
  const errors = [failure.error(), failure.error()]
  t.not(errors[0], errors[1])
  for (const error of errors) {
    t.true(error instanceof MqttError)
    t.is(error.message, '[Errno 111] Connection refused (h:1)')
    t.is(error.code, 'ERR_MQTT_TRANSPORT')
    t.is(error.cause, cause)
    t.is(Failure.of(error), failure)
    t.is(thrownFailure(error, 'elsewhere'), failure)
  }
  t.is(Failure.of(new MqttError('another')), undefined)
  const refused = connack(0x87).error()
  t.true(refused instanceof MqttConnectError)
  t.is(refused.message, '[code:135] Not authorized')
  t.is(disconnected(0x8e).error().message, '[code:142] Session taken over')
})

test('what calls are told of a connection that was there is that it was lost', (t) => {
  const failure = tls('CERT_HAS_EXPIRED')
  const error = failure?.afterConnack().error()
  t.true(error instanceof MqttCodeError)
  t.is(error?.message, '[code:7] The connection was lost.')
  t.is(error?.cause, failure?.cause)
})

test('packet identifiers are from 1 to 65535, none twice, each as long unused as possible', (t) => {
  const identifiers = new PacketIdentifiers()
  const taken = new Set<number>()
  for (let count = 0; count < 65535; count++) taken.add(identifiers.take())
  t.is(taken.size, 65535)
  t.is(Math.min(...taken), 1)
  t.is(Math.max(...taken), 65535)
  t.is(identifiers.take(), 0)
  identifiers.free(7)
  identifiers.free(5)
  t.false(identifiers.isUsed(5))
  t.deepEqual([identifiers.take(), identifiers.take(), identifiers.take()], [5, 7, 0])
})

test('a packet identifier that is in use already is not given out', (t) => {
  const identifiers = new PacketIdentifiers()
  identifiers.reserve(2)
  t.deepEqual([identifiers.take(), identifiers.take()], [1, 3])
  identifiers.free(0)
  t.is(identifiers.take(), 4)
})

test('every view of the states sees each change from its start on, in order', async (t) => {
  const log = new StateLog()
  log.add({ state: 'connecting' })
  const first = new StatesIterator(log)
  const waiting = [first.next(), first.next()]
  log.add({ state: 'connected', sessionPresent: false })
  const second = new StatesIterator(log)
  log.add({ state: 'disconnected' })
  t.deepEqual(
    (await Promise.all(waiting)).map(({ value }) => value?.state),
    ['connected', 'disconnected'],
  )
  t.is((await second.next()).value?.state, 'disconnected')
  t.is(log.state, 'disconnected')
})

test('a view that nobody reads keeps the last hundred changes', async (t) => {
  const log = new StateLog()
  const view = new StatesIterator(log)
  for (let attempt = 1; attempt <= 250; attempt++) log.add({ state: 'reconnecting', attempt })
  for (let attempt = 151; attempt <= 250; attempt++) t.is((await view.next()).value?.attempt, attempt)
})

test('return() ends a view, and no other', async (t) => {
  const log = new StateLog()
  const [one, other] = [new StatesIterator(log), new StatesIterator(log)]
  const [ended, waits] = [one.next(), other.next()]
  t.deepEqual(await one.return(), { value: undefined, done: true })
  t.deepEqual(await ended, { value: undefined, done: true })
  log.add({ state: 'connecting' })
  t.deepEqual(await one.next(), { value: undefined, done: true })
  t.is((await waits).value?.state, 'connecting')
})
