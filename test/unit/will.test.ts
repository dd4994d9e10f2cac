import { PacketTypes, Properties, Topic, Will } from 'aiomqtt'
import test from 'ava'

test('a will has the defaults of aiomqtt, and is frozen', (t) => {
  const will = new Will('a/b')
  t.deepEqual({ ...will }, { topic: 'a/b', payload: undefined, qos: 0, retain: false, properties: null })
  t.true(Object.isFrozen(will))
})

test('a will keeps what it was given', (t) => {
  const payload = Buffer.from('x')
  const will = new Will(new Topic('a/b'), payload, {
    qos: 2,
    retain: true,
    properties: { willDelayInterval: 5 },
  })
  t.is(will.topic, 'a/b')
  t.is(will.payload, payload)
  t.is(will.qos, 2)
  t.true(will.retain)
  t.is(will.properties?.willDelayInterval, 5)
  t.is(will.properties?.packetType, PacketTypes.WILLMESSAGE)
})

test('properties of a message serve for a will, as a copy', (t) => {
  const properties = Properties.from(PacketTypes.PUBLISH, { contentType: 'a' })
  const will = new Will('a', '', { properties })
  properties.contentType = 'b'
  t.is(will.properties?.contentType, 'a')
})

const wrong: Array<
  [what: string, make: () => Will, error: typeof TypeError | typeof RangeError, message: string]
> = [
  ['an empty topic', () => new Will(''), RangeError, 'Invalid topic.'],
  ['no topic', () => new Will(null as never), TypeError, 'Invalid topic.'],
  [
    'a number as the topic',
    () => new Will(5 as never),
    TypeError,
    'topic must be a string or a Topic, not number',
  ],
  ['a wildcard', () => new Will('a/#'), RangeError, 'Publish topic cannot contain wildcards.'],
  ['a topic too long', () => new Will('a'.repeat(65536)), RangeError, 'Publish topic is too long.'],
  ['a QoS of 3', () => new Will('a', '', { qos: 3 as never }), RangeError, 'Invalid QoS level.'],
  [
    'a QoS of text',
    () => new Will('a', '', { qos: '1' as never }),
    TypeError,
    'qos must be 0, 1 or 2, not string',
  ],
  [
    'a retain of 1',
    () => new Will('a', '', { retain: 1 as never }),
    TypeError,
    'retain must be a boolean, not number',
  ],
  [
    'a list as the payload',
    () => new Will('a', [] as never),
    TypeError,
    'payload must be a string, bytearray, int, float or None.',
  ],
  [
    'a payload too long',
    () => new Will('a', Buffer.alloc(65536)),
    RangeError,
    'The payload of a will must be at most 65535 bytes',
  ],
  [
    'a number as the properties',
    () => new Will('a', '', { properties: 1 as never }),
    TypeError,
    'The properties argument must be an instance of the Properties class.',
  ],
  [
    'properties of another packet',
    () => new Will('a', '', { properties: { topicAlias: 1 } }),
    RangeError,
    'Property topicAlias does not apply to packet type Willmessage',
  ],
  [
    'an unknown option',
    () => new Will('a', '', { QoS: 1 } as object),
    TypeError,
    "Will() got an unexpected keyword argument 'QoS'. Did you mean 'qos'?",
  ],
  [
    'a wrong topic, whatever else is wrong',
    () => new Will('', [] as never, { qos: 5 as never }),
    RangeError,
    'Invalid topic.',
  ],
  [
    'a wrong QoS, whatever follows',
    () => new Will('a', [] as never, { qos: 5 as never }),
    RangeError,
    'Invalid QoS level.',
  ],
  [
    'wrong properties, whatever the payload',
    () => new Will('a', [] as never, { properties: 5 as never }),
    TypeError,
    'The properties argument must be an instance of the Properties class.',
  ],
]

for (const [what, make, instanceOf, message] of wrong) {
  test(`a will with ${what} is refused`, (t) => {
    t.throws(make, { instanceOf, message })
  })
}
