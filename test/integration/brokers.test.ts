import { MqttCodeError, MqttConnectError, MqttError, ProtocolVersion } from 'aiomqtt'
import anyTest, { type TestFn } from 'ava'
import { atOnce, clientTo, connected, freshTopic, nextMessage, patience } from '../helpers/client.js'
import { rejection, within } from '../helpers/deadline.js'
import { Mosquitto } from '../helpers/mosquitto.js'
import { protocols } from '../helpers/protocols.js'
import { isDirect } from '../helpers/ways.js'

const test = anyTest as TestFn<{ guarded: Mosquitto; limited: Mosquitto }>

test.before(async (t) => {
  t.context.guarded = await Mosquitto.start({
    users: { alice: 'wönderland', 'no-password': '' },
    acl: [
      'user alice',
      'topic readwrite open/#',
      'topic read read/#',
      'user no-password',
      'topic readwrite open/#',
    ],
  })
  t.context.limited = await Mosquitto.start({
    settings: [
      'max_qos 1',
      'retain_available false',
      'max_packet_size 1000',
      'max_inflight_messages 3',
      'max_connections 200',
    ],
  })
})
test.after.always(async (t) => {
  await t.context.guarded.stop()
  await t.context.limited.stop()
})

const login = { username: 'alice', password: 'wönderland' }

for (const { name, protocol } of protocols) {
  const isV5 = protocol === ProtocolVersion.V5

  test(`${name}: a user with the right password is let in`, async (t) => {
    const client = await connected(t, t.context.guarded, { protocol, ...login })
    await client.subscribe('open/x')
    await client.publish('open/x', 'hello')
    t.is((await nextMessage(client)).text(), 'hello')
  })

  for (const [what, options] of [
    ['a wrong password', { ...login, password: 'wrong' }],
    ['an unknown user', { ...login, username: 'mallory' }],
    ['no user', {}],
  ] as const) {
    test(`${name}: ${what} is refused at once, and the client can try again`, async (t) => {
      const client = await clientTo(t, t.context.guarded, { protocol, ...options })
      for (let round = 0; round < 2; round++) {
        const error = (await rejection(atOnce, 'connect()', client.connect())) as MqttConnectError
        t.true(error instanceof MqttConnectError)
        t.is(error.message, '[code:135] Not authorized')
        t.is(Number(error.rc), 135)
      }
    })
  }

  test(`${name}: what the access list denies`, async (t) => {
    const client = await connected(t, t.context.guarded, { protocol, ...login })
    const denied = client.publish('read/x', 'denied', { qos: 1 })
    if (isV5) await t.throwsAsync(denied, { instanceOf: MqttCodeError, message: '[code:135] Not authorized' })
    else await denied
    await client.subscribe('open/marker')
    await client.publish('open/marker', 'marker')
    t.is((await nextMessage(client)).text(), 'marker')
  })

  test(`${name}: no more than the broker takes is in flight, and everything arrives`, async (t) => {
    const client = await connected(t, t.context.limited, { protocol })
    const topic = freshTopic()
    await client.subscribe(topic, { qos: 1 })
    const publishing = Array.from({ length: 300 }, (_, index) => client.publish(topic, index, { qos: 1 }))
    for (let index = 0; index < 300; index++) t.is((await nextMessage(client)).text(), String(index))
    await within(patience, 'publishing', Promise.all(publishing))
  })

  test(`${name}: another client with the same identifier takes the session over`, async (t) => {
    const options = { protocol, identifier: `taken-${protocol}` }
    const first = await connected(t, t.context.limited, options)
    const lost = rejection(patience, 'next()', first.messages.next())
    const second = await connected(t, t.context.limited, options)
    const { cause } = (await lost) as Error
    // Newer ones than Debian's give MQTT 5's reason; the wire tests check what becomes of it.
    t.regex((cause as MqttError).message, /^\[code:(142|7)\] (Session taken over|The connection was lost\.)$/)
    await second.publish(freshTopic(), 'x', { qos: 1 })
  })

  test(`${name}: a broker that shuts down, is away, and comes back`, async (t) => {
    const broker = await Mosquitto.start()
    t.teardown(() => broker.stop())
    const client = await connected(t, broker, { protocol })
    const lost = rejection(patience, 'next()', client.messages.next())
    await broker.shutDown()
    const { cause } = (await lost) as Error
    t.regex(
      (cause as MqttError).message,
      /^\[code:(139|7)\] (Server shutting down|The connection was lost\.)$/,
    )
    const refused = (await rejection(atOnce, 'connect()', client.connect())) as MqttError
    if (isDirect) t.is(refused.message, `[Errno 111] Connection refused (127.0.0.1:${broker.port})`)
    else t.true(refused instanceof MqttError)
    await broker.restart()
    await within(patience, 'connecting', client.connect())
    await client.publish(freshTopic(), 'x', { qos: 2 })
  })

  test(`${name}: a broker that is killed ends every pending call at once`, async (t) => {
    const broker = await Mosquitto.start()
    t.teardown(() => broker.stop())
    const client = await connected(t, broker, { protocol })
    broker.pause()
    const calls = [
      client.publish('a', '', { qos: 1 }),
      client.publish('a', '', { qos: 2 }),
      client.subscribe('a'),
      client.unsubscribe('a'),
      client.messages.next(),
    ].map((call) => rejection(atOnce, 'a pending call', call))
    await broker.kill()
    for (const error of await Promise.all(calls)) {
      t.regex(
        (error as Error).message,
        /^\[code:7\] The connection was lost\.$|^Disconnected during message iteration$/,
      )
    }
  })

  test(`${name}: a broker that hangs makes calls reject on their timeout, and they go on when it does`, async (t) => {
    const broker = await Mosquitto.start()
    t.teardown(() => broker.stop())
    const client = await connected(t, broker, { protocol })
    broker.pause()
    await t.throwsAsync(client.publish('a', '', { qos: 1, timeout: 0.1 }), { message: 'Operation timed out' })
    await t.throwsAsync(client.subscribe('a', { timeout: 0.1 }), { message: 'Operation timed out' })
    const other = await clientTo(t, broker, { protocol, timeout: 1 })
    await t.throwsAsync(other.connect(), { message: 'Operation timed out' })
    const waiting = client.publish('a', 'later', { qos: 1 })
    broker.resume()
    await within(patience, 'publishing', waiting)
    await within(patience, 'connecting', other.connect())
  })
}

for (const { name, protocol } of protocols) {
  test(`${name}: a broker that grants less than asked for says so`, async (t) => {
    const client = await connected(t, t.context.limited, { protocol })
    const codes = await client.subscribe([
      ['granted/less', 2],
      ['granted', 0],
    ])
    t.deepEqual(codes.map(Number), [1, 0])
  })
}

const refused = [
  ['QoS 2 where QoS 1 is the maximum', '', { qos: 2 }, '[code:155] QoS not supported'],
  ['a retained message where none are kept', '', { retain: true }, '[code:154] Retain not supported'],
  ['a packet above the maximum size', 'x'.repeat(1_000), {}, '[code:149] Packet too large'],
] as const
for (const [what, payload, options, message] of refused) {
  test(`MQTT 5: ${what} is refused, and the connection goes on`, async (t) => {
    const client = await connected(t, t.context.limited, { protocol: ProtocolVersion.V5 })
    await t.throwsAsync(client.publish(freshTopic(), payload, options), {
      instanceOf: MqttCodeError,
      message,
    })
    await client.publish(freshTopic(), 'x', { qos: 1 })
  })
}
