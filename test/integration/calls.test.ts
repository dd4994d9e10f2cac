import { fileURLToPath } from 'node:url'
import { Client, type ClientOptions, MqttError } from 'aiomqtt'
import anyTest, { type TestFn } from 'ava'
import { clientOf, connected, freshTopic, nextMessage, patience } from '../helpers/client.js'
import { rejection, within } from '../helpers/deadline.js'
import { Recorder } from '../helpers/logger.js'
import { Mosquitto } from '../helpers/mosquitto.js'
import { protocols } from '../helpers/protocols.js'

const test = anyTest as TestFn<{ broker: Mosquitto }>

test.before(async (t) => {
  t.context.broker = await Mosquitto.start()
})
test.after.always((t) => t.context.broker.stop())

const here = fileURLToPath(import.meta.url)

for (const { name, protocol } of protocols) {
  test(`${name}: more pending calls than the threshold are warned of, once a call`, async (t) => {
    const broker = await Mosquitto.start()
    t.teardown(() => broker.stop())
    const logger = new Recorder()
    const client = await connected(t, broker, { protocol, logger })
    t.is(client.pendingCallsThreshold, 10)
    broker.pause()
    const calls = Array.from({ length: 10 }, () => client.publish('a', '', { qos: 1 }))
    t.deepEqual(logger.lines.warn, [])
    calls.push(client.publish('a', '', { qos: 1 }))
    client.pendingCallsThreshold = 11
    const subscribing = client.subscribe('a')
    client.pendingCallsThreshold = 100
    calls.push(client.publish('a', '', { qos: 2 }))
    broker.resume()
    await within(patience, 'the calls', Promise.all([...calls, subscribing]))
    t.deepEqual(logger.lines.warn, [
      'There are 11 pending publish calls.',
      'There are 12 pending publish calls.',
    ])
  })

  test(`${name}: the logger is told of each packet at debug`, async (t) => {
    const logger = new Recorder()
    const identifier = `logged-${protocol}`
    const client = await connected(t, t.context.broker, { protocol, logger, identifier })
    const topic = freshTopic()
    await client.subscribe(topic, { qos: 1 })
    await client.publish(topic, 'x', { qos: 1 })
    await nextMessage(client)
    await client.unsubscribe(topic)
    await client.publish(topic, 'y', { qos: 2 })
    await client.disconnect()
    const expected = [
      /^Sending CONNECT \(u0, p0, wr0, wq0, wf0, c1, k60\).*logged-\d/,
      /^Received CONNACK \(0, /,
      /^Sending SUBSCRIBE \(d0, m\d+\) .*test/,
      /^Received SUBACK/,
      /^Sending PUBLISH \(d0, q1, r0, m\d+\).*\(1 bytes\)/,
      /^Received PUBLISH \(d0, q1, r0, m\d+\)/,
      /^Received PUBACK \(Mid: \d+/,
      /^Sending UNSUBSCRIBE/,
      /^Received UNSUBACK \(Mid: \d+/,
      /^Sending PUBLISH \(d0, q2, r0, m\d+\)/,
      /^Received PUBCOMP \(Mid: \d+/,
      /^Sending DISCONNECT/,
    ]
    for (const pattern of expected)
      t.true(
        logger.lines.debug.some((line) => pattern.test(line)),
        `${pattern}`,
      )
    t.deepEqual(logger.lines.warn, [])
    t.deepEqual(logger.lines.error, [])
  })
}

test('a stack starts at the line that called', async (t) => {
  const client = await connected(t, t.context.broker)
  const refused = new Client('127.0.0.1', 1)
  await client.disconnect()
  for (const call of [
    () => client.publish('a'),
    () => client.subscribe('a'),
    () => client.unsubscribe('a'),
    () => client.publish('#'),
    () => refused.connect(),
  ]) {
    const awaits = async () => {
      await call()
    }
    const { stack = '' } = (await rejection(patience, 'the call', awaits())) as Error
    const frames = stack.split('\n').filter((line) => /^\s+at /.test(line))
    t.true(frames[0]?.includes(here), stack)
  }
})

test('a stack of a call that was pending shows who waits for it', async (t) => {
  const broker = await Mosquitto.start()
  t.teardown(() => broker.stop())
  const client = await connected(t, broker)
  broker.pause()
  const awaits = async (call: () => Promise<unknown>) => {
    await call()
  }
  const timed = rejection(
    patience,
    'publishing',
    awaits(() => client.publish('a', '', { qos: 1, timeout: 0.05 })),
  )
  const lost = rejection(
    patience,
    'publishing',
    awaits(() => client.publish('a', '', { qos: 1 })),
  )
  const subscribed = rejection(
    patience,
    'subscribing',
    awaits(() => client.subscribe('a')),
  )
  const first = (await timed) as Error
  await broker.kill()
  for (const { stack = '' } of [first, (await lost) as Error, (await subscribed) as Error]) {
    const frames = stack.split('\n').filter((line) => /^\s+at /.test(line))
    t.true(
      frames.some((line) => line.includes(here)),
      stack,
    )
    t.false(frames[0]?.includes('node:internal'), stack)
  }
})

test('errors say what they are to programs', async (t) => {
  const client = clientOf(t, { host: '127.0.0.1', port: 1 })
  const refused = (await rejection(patience, 'connect()', client.connect())) as MqttError
  t.is(refused.code, 'ERR_MQTT_TRANSPORT')
  const offline = (await rejection(patience, 'publish()', client.publish('a'))) as MqttError
  t.is(offline.code, 'ERR_MQTT_CODE')
  t.is(offline.name, 'MqttCodeError')
  t.true(offline instanceof MqttError)
})

test('timeout: Infinity waits for ever, 0 and less reject at once', async (t) => {
  const client = await connected(t, t.context.broker, { timeout: Number.POSITIVE_INFINITY })
  await client.publish(freshTopic(), '', { qos: 1 })
  for (const timeout of [0, -1]) {
    await t.throwsAsync(client.publish(freshTopic(), '', { qos: 1, timeout }), {
      instanceOf: MqttError,
      message: 'Operation timed out',
    })
  }
})

test('maxConcurrentOutgoingCalls lets everything through in its turn', async (t) => {
  const logger = new Recorder()
  const client = await connected(t, t.context.broker, { maxConcurrentOutgoingCalls: 3, logger })
  const topic = freshTopic()
  await client.subscribe(topic, { qos: 1 })
  await Promise.all(Array.from({ length: 200 }, (_, index) => client.publish(topic, index, { qos: 1 })))
  for (let index = 0; index < 200; index++) t.is((await nextMessage(client)).text(), String(index))
  t.deepEqual(logger.lines.warn, [])
})

test('methods may be called again from wherever a promise of theirs leads', async (t) => {
  const client = await connected(t, t.context.broker)
  const topic = freshTopic()
  await client.subscribe(topic, { qos: 1 })
  await client.publish(topic, 'first', { qos: 1 })
  const seen: string[] = []
  for await (const message of client.messages) {
    seen.push(message.text())
    if (message.text() === 'after') break
    await client.publish(topic, 'nested', { qos: 1 })
    seen.push((await nextMessage(client)).text())
    await client.disconnect()
    await client.connect()
    await client.subscribe(topic)
    await client.publish(topic, 'after', { qos: 1 })
  }
  t.deepEqual(seen, ['first', 'nested', 'after'])
})

const contradictions: Array<[string, ClientOptions & { port?: number }, ErrorConstructor, RegExp]> = [
  ['a port of 70000', { port: 70_000 }, RangeError, /port/],
  ['a port of 0', { port: 0 }, RangeError, /Invalid port number\./],
  ['a negative keepalive', { keepalive: -1 }, RangeError, /Keepalive must be >=0\./],
  ['a keepalive above 65535', { keepalive: 65_536 }, RangeError, /keepalive/i],
  ['an unknown option', { keepAlive: 1 } as ClientOptions, TypeError, /keepAlive.*keepalive/],
  [
    'cleanSession on MQTT 5',
    { protocol: 5, cleanSession: true },
    RangeError,
    /Clean session is not used for MQTT 5\.0/,
  ],
  [
    'a session without an identifier',
    { cleanSession: false },
    RangeError,
    /A client id must be provided if clean session is False\./,
  ],
  ['cleanStart on MQTT 3.1.1', { cleanStart: true }, RangeError, /Clean start only applies to MQTT V5/],
  [
    'properties on MQTT 3.1.1',
    { properties: { receiveMaximum: 1 } },
    RangeError,
    /Properties only apply to MQTT V5/,
  ],
  ['a will without a topic', { will: { topic: '' } }, RangeError, /Invalid topic\./],
  ['a will of QoS 3', { will: { topic: 'a', qos: 3 as 2 } }, RangeError, /Invalid QoS level\./],
  ['a negative inflight', { maxInflightMessages: -1 }, RangeError, /Invalid inflight\./],
  ['a negative queue', { maxQueuedOutgoingMessages: -1 }, RangeError, /Invalid queue size\./],
  ['a protocol that does not exist', { protocol: 6 as 5 }, RangeError, /protocol/i],
  [
    'a transport that does not exist',
    { transport: 'udp' as 'tcp' },
    RangeError,
    /transport must be "websockets", "tcp" or "unix", not udp/,
  ],
]
for (const [what, { port = 1883, ...options }, instanceOf, message] of contradictions) {
  test(`${what} is an argument error of the constructor`, (t) => {
    t.throws(() => new Client('localhost', port, options), { instanceOf, message })
  })
}

test('an empty host name is an argument error', (t) => {
  t.throws(() => new Client(''), { instanceOf: RangeError, message: /Invalid host\./ })
})
