import {
  PacketTypes,
  type PayloadType,
  Properties,
  ProtocolVersion,
  type PublishOptions,
  Topic,
  Wildcard,
} from 'aiomqtt'
import test from 'ava'
import { checkPublish } from './internals.js'

const { V31, V311, V5 } = ProtocolVersion
const versions = [V31, V311, V5]

test('without options a message is not retained and of QoS 0', (t) => {
  for (const protocol of versions) {
    for (const options of [
      undefined,
      {},
      { qos: undefined, retain: undefined, properties: null, timeout: null, signal: null },
    ]) {
      t.deepEqual(checkPublish(protocol, 'a/b', 'x', options), {
        topic: 'a/b',
        payload: 'x',
        qos: 0,
        retain: false,
        properties: undefined,
        encodedProperties: null,
        timeout: undefined,
        signal: undefined,
      })
    }
  }
})

test('everything that was given is there', (t) => {
  const { signal } = new AbortController()
  const payload = Buffer.from('x')
  const call = checkPublish(V5, new Topic('a/b'), payload, {
    qos: 2,
    retain: true,
    properties: { topicAlias: 3 },
    timeout: 0.5,
    signal,
  })
  t.is(call.topic, 'a/b')
  t.is(call.payload, payload)
  t.is(call.qos, 2)
  t.true(call.retain)
  t.is(call.properties?.topicAlias, 3)
  t.deepEqual(call.encodedProperties, Buffer.from([3, 0x23, 0, 3]))
  t.is(call.timeout, 0.5)
  t.is(call.signal, signal)
})

test('properties may be an instance, for this packet or another', (t) => {
  const properties = Properties.from(PacketTypes.PUBLISH, { contentType: 'a' })
  t.is(checkPublish(V5, 'a', '', { properties }).properties, properties)
  const will = Properties.from(PacketTypes.WILLMESSAGE, { contentType: 'a' })
  t.is(checkPublish(V5, 'a', '', { properties: will }).properties?.contentType, 'a')
  t.is(checkPublish(V5, 'a', '', { properties: new Properties(PacketTypes.PUBLISH) }).encodedProperties, null)
})

test('an empty topic needs a topic alias', (t) => {
  t.is(checkPublish(V5, '', '', { properties: { topicAlias: 1 } }).topic, '')
  t.is(
    checkPublish(V5, '', '', { properties: Properties.from(PacketTypes.PUBLISH, { topicAlias: 1 }) }).topic,
    '',
  )
})

test('any timeout is a timeout', (t) => {
  for (const timeout of [0, -1, 1e-3, Number.POSITIVE_INFINITY]) {
    t.is(checkPublish(V311, 'a', '', { timeout }).timeout, timeout)
  }
})

type Wrong = [
  what: string,
  protocols: readonly ProtocolVersion[],
  topic: unknown,
  payload: unknown,
  options: object | undefined,
  error: typeof TypeError | typeof RangeError,
  message: string,
]

const wrong: Wrong[] = [
  ['an empty topic', versions, '', '', undefined, RangeError, 'Invalid topic.'],
  ['an empty topic with options', versions, '', '', { qos: 1 }, RangeError, 'Invalid topic.'],
  [
    'an empty topic and other properties',
    [V5],
    '',
    '',
    { properties: { contentType: 'a' } },
    RangeError,
    'Invalid topic.',
  ],
  [
    'an alias that MQTT 3.x has not',
    [V31, V311],
    '',
    '',
    { properties: { topicAlias: 1 } },
    RangeError,
    'Invalid topic.',
  ],
  ['null as the topic', versions, null, '', undefined, TypeError, 'Invalid topic.'],
  [
    'a number as the topic',
    versions,
    5,
    '',
    undefined,
    TypeError,
    'topic must be a string or a Topic, not number',
  ],
  [
    'a wildcard object as the topic',
    versions,
    new Wildcard('a'),
    '',
    undefined,
    TypeError,
    'topic must be a string or a Topic, not object',
  ],
  ['a wildcard', versions, 'a/+', '', undefined, RangeError, 'Publish topic cannot contain wildcards.'],
  [
    'a wildcard in a level',
    versions,
    'a#',
    '',
    undefined,
    RangeError,
    'Publish topic cannot contain wildcards.',
  ],
  ['a topic too long', versions, 'a'.repeat(65536), '', undefined, RangeError, 'Publish topic is too long.'],
  [
    'a topic of too many bytes',
    versions,
    'ü'.repeat(32768),
    '',
    undefined,
    RangeError,
    'Publish topic is too long.',
  ],
  ['a NUL', versions, 'a\0', '', undefined, RangeError, 'Publish topic cannot contain NUL characters.'],
  [
    'a lone surrogate',
    versions,
    'a\ud800',
    '',
    undefined,
    RangeError,
    'Publish topic cannot contain lone surrogates.',
  ],
  ['a QoS of 3', versions, 'a', '', { qos: 3 }, RangeError, 'Invalid QoS level.'],
  ['a QoS of -1', versions, 'a', '', { qos: -1 }, RangeError, 'Invalid QoS level.'],
  ['a QoS of 1.5', versions, 'a', '', { qos: 1.5 }, RangeError, 'Invalid QoS level.'],
  ['a QoS of text', versions, 'a', '', { qos: '1' }, TypeError, 'qos must be 0, 1 or 2, not string'],
  [
    'a list as the payload',
    versions,
    'a',
    [],
    undefined,
    TypeError,
    'payload must be a string, bytearray, int, float or None.',
  ],
  ['a retain of 1', versions, 'a', '', { retain: 1 }, TypeError, 'retain must be a boolean, not number'],
  ['properties', [V31, V311], 'a', '', { properties: {} }, RangeError, 'Properties only apply to MQTT V5'],
  [
    'a number as the properties',
    versions,
    'a',
    '',
    { properties: 5 },
    TypeError,
    'The properties argument must be an instance of the Properties class.',
  ],
  [
    'properties of CONNECT',
    [V5],
    'a',
    '',
    { properties: Properties.from(PacketTypes.CONNECT, { receiveMaximum: 1 }) },
    RangeError,
    'Property receiveMaximum does not apply to packet type Publish',
  ],
  [
    'a subscription identifier',
    [V5],
    'a',
    '',
    { properties: { subscriptionIdentifier: 1 } },
    RangeError,
    'Property subscriptionIdentifier must not be sent by a client in packet type Publish',
  ],
  [
    'a timeout of NaN',
    versions,
    'a',
    '',
    { timeout: Number.NaN },
    RangeError,
    'timeout must be a number of seconds, not NaN',
  ],
  [
    'a timeout of text',
    versions,
    'a',
    '',
    { timeout: '1' },
    TypeError,
    'timeout must be a number of seconds, not string',
  ],
  [
    'a signal of text',
    versions,
    'a',
    '',
    { signal: 'x' },
    TypeError,
    'signal must be an AbortSignal, not string',
  ],
  [
    'an unknown option',
    versions,
    'a',
    '',
    { time_out: 1 },
    TypeError,
    "Client.publish() got an unexpected keyword argument 'time_out'. Did you mean 'timeout'?",
  ],
  [
    'a number as the options',
    versions,
    'a',
    '',
    1 as never,
    TypeError,
    'Client.publish() takes an object of options, not number',
  ],
  [
    'a wrong topic, whatever follows',
    versions,
    '#'.repeat(70000),
    [],
    { qos: 4 },
    RangeError,
    'Publish topic cannot contain wildcards.',
  ],
  ['a wrong QoS, whatever the payload', versions, 'a', [], { qos: 3 }, RangeError, 'Invalid QoS level.'],
]

for (const [what, protocols, topic, payload, options, instanceOf, message] of wrong) {
  for (const protocol of protocols) {
    test(`publishing with ${what} is refused on version ${protocol}`, (t) => {
      t.throws(
        () => checkPublish(protocol, topic as string, payload as PayloadType, options as PublishOptions),
        {
          instanceOf,
          message,
        },
      )
    })
  }
}
