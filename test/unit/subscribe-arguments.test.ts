import {
  ProtocolVersion,
  type SubscribeCallOptions,
  SubscribeOptions,
  type SubscribeTopic,
  Topic,
  Wildcard,
} from 'aiomqtt'
import test from 'ava'
import { checkSubscribe, checkUnsubscribe } from './internals.js'

const { V31, V311, V5 } = ProtocolVersion
const versions = [V31, V311, V5]
const old = [V31, V311]

type Good = [
  what: string,
  protocols: readonly ProtocolVersion[],
  topic: SubscribeTopic,
  options: SubscribeCallOptions | undefined,
  filters: Array<[filter: string, options: number]>,
]

const noLocal = new SubscribeOptions({ qos: 1, noLocal: true })

const good: Good[] = [
  ['a string', versions, 'a', undefined, [['a', 0]]],
  ['a string with a QoS', versions, 'a', { qos: 1 }, [['a', 1]]],
  ['a wildcard', versions, new Wildcard('a/#'), { qos: 2 }, [['a/#', 2]]],
  ['a topic', versions, new Topic('a'), undefined, [['a', 0]]],
  ['a pair', versions, ['a', 1], undefined, [['a', 1]]],
  ['a pair of a wildcard', versions, [new Wildcard('+'), 2], undefined, [['+', 2]]],
  ['a pair, whose QoS counts', versions, ['a', 1], { qos: 2 }, [['a', 1]]],
  [
    'two strings',
    versions,
    ['a', 'b'],
    { qos: 1 },
    [
      ['a', 1],
      ['b', 1],
    ],
  ],
  ['one string in a list', versions, ['a'], { qos: 1 }, [['a', 1]]],
  [
    'two wildcards',
    versions,
    [new Wildcard('a'), new Wildcard('b')],
    undefined,
    [
      ['a', 0],
      ['b', 0],
    ],
  ],
  [
    'three strings',
    versions,
    ['a', 'b', 'c'],
    undefined,
    [
      ['a', 0],
      ['b', 0],
      ['c', 0],
    ],
  ],
  [
    'a list of pairs',
    versions,
    [
      ['a', 1],
      ['b', 2],
    ],
    undefined,
    [
      ['a', 1],
      ['b', 2],
    ],
  ],
  ['a list of one pair', versions, [['a', 1]], undefined, [['a', 1]]],
  [
    'a mixed list',
    versions,
    ['a', ['b', 2]],
    { qos: 1 },
    [
      ['a', 1],
      ['b', 2],
    ],
  ],
  ['a long filter', versions, 'ü'.repeat(32767), undefined, [['ü'.repeat(32767), 0]]],
  ['options', [V5], 'a', { options: noLocal }, [['a', 0b101]]],
  ['options as a literal', [V5], 'a', { options: { retainHandling: 2 } }, [['a', 0b10_0000]]],
  [
    'options for a list of strings',
    [V5],
    ['a', 'b'],
    { options: noLocal },
    [
      ['a', 0b101],
      ['b', 0b101],
    ],
  ],
  ['a pair with options', [V5], ['a', noLocal], undefined, [['a', 0b101]]],
  ['a pair with literal options', [V5], ['a', { qos: 2 }], undefined, [['a', 2]]],
  [
    'a list with options',
    [V5],
    [
      ['a', noLocal],
      ['b', 1],
    ],
    { qos: 2 },
    [
      ['a', 0b101],
      ['b', 1],
    ],
  ],
  ['options, which MQTT 3.x ignores', old, 'a', { qos: 1, options: noLocal }, [['a', 1]]],
  ['a shared subscription', versions, '$share/g/a/#', { qos: 1 }, [['$share/g/a/#', 1]]],
  [
    'a filter that only looks shared',
    versions,
    ['$share', '$shared/x'],
    undefined,
    [
      ['$share', 0],
      ['$shared/x', 0],
    ],
  ],
  ['what shared means nothing in', old, '$share/g', undefined, [['$share/g', 0]]],
]

for (const [what, protocols, topic, options, filters] of good) {
  for (const protocol of protocols) {
    test(`subscribing to ${what} on version ${protocol}`, (t) => {
      t.deepEqual(
        checkSubscribe(protocol, topic, options).filters.map(({ filter, options }) => [filter, options]),
        filters,
      )
    })
  }
}

const NO_TOPIC = 'No topic specified, or incorrect topic type.'
const NO_OPTIONS = 'Subscribe options must be instance of SubscribeOptions class.'
const COMBINED = 'Subscribe options and qos parameters cannot be combined.'
const NO_FILTER = 'Invalid subscription filter.'
const NO_SHARE = `${NO_FILTER} A shared subscription is $share/name/filter, its name without wildcards.`

type Bad = [
  what: string,
  protocols: readonly ProtocolVersion[],
  topic: unknown,
  options: unknown,
  error: typeof TypeError | typeof RangeError,
  message: string,
]

const bad: Bad[] = [
  ['an empty string', old, '', undefined, RangeError, 'Invalid topic.'],
  ['an empty string', [V5], '', undefined, RangeError, NO_FILTER],
  ['a list of an empty string', old, [['', 1]], undefined, RangeError, 'Invalid topic.'],
  ['a list of an empty string', [V5], [['', 1]], undefined, RangeError, NO_FILTER],
  ['a/#/b', versions, 'a/#/b', undefined, RangeError, NO_FILTER],
  ['a#', versions, 'a#', undefined, RangeError, NO_FILTER],
  ['+a', versions, ['b', '+a'], undefined, RangeError, NO_FILTER],
  ['a NUL', versions, 'a\0', undefined, RangeError, NO_FILTER],
  ['a lone surrogate', versions, '\udc00', undefined, RangeError, NO_FILTER],
  ['too many bytes', versions, 'ü'.repeat(32768), undefined, RangeError, NO_FILTER],
  ['null', versions, null, undefined, TypeError, NO_TOPIC],
  ['nothing', versions, undefined, { qos: 3 }, TypeError, NO_TOPIC],
  ['a number', versions, 5, undefined, TypeError, NO_TOPIC],
  ['a list of a number', versions, [5], undefined, TypeError, NO_TOPIC],
  ['a pair of numbers', versions, [5, 1], undefined, TypeError, NO_TOPIC],
  ['a list of a pair of numbers', versions, [[5, 1]], undefined, TypeError, NO_TOPIC],
  ['an empty list', versions, [], { qos: 3 }, RangeError, 'Empty topic list'],
  [
    'half a pair',
    versions,
    [['a']],
    undefined,
    RangeError,
    'not enough values to unpack (expected 2, got 1)',
  ],
  [
    'too long a pair',
    versions,
    [['a', 1, 2]],
    undefined,
    RangeError,
    'too many values to unpack (expected 2)',
  ],
  ['a QoS of 3', versions, 'a#', { qos: 3 }, RangeError, 'Invalid QoS level.'],
  ['a QoS of text', versions, 'a', { qos: '1' }, TypeError, 'qos must be 0, 1 or 2, not string'],
  ['a pair with a QoS of 3', versions, ['a', 3], undefined, RangeError, 'Invalid QoS level.'],
  [
    'a list with a QoS of 3',
    versions,
    [
      ['a#', 1],
      ['b', 3],
    ],
    undefined,
    RangeError,
    'Invalid QoS level.',
  ],
  ['a pair with null', versions, ['a', null], undefined, TypeError, NO_OPTIONS],
  ['a list with text for options', versions, [['a', 'b']], undefined, TypeError, NO_OPTIONS],
  ['a number for options', [V5], 'a#', { options: 1 }, TypeError, NO_OPTIONS],
  [
    'options that are out of range',
    [V5],
    'a',
    { options: { qos: 3 } },
    RangeError,
    'QoS should be 0, 1 or 2, not 3',
  ],
  ['options and a QoS', [V5], 'a#', { qos: 1, options: noLocal }, RangeError, COMBINED],
  ['a pair with options, and a QoS', [V5], ['a', noLocal], { qos: 1 }, RangeError, COMBINED],
  [
    'options in a list',
    old,
    [['a', noLocal]],
    undefined,
    RangeError,
    'Subscribe options only apply to MQTT V5',
  ],
  ['a shared subscription without a filter', [V5], '$share/g', undefined, RangeError, NO_SHARE],
  ['a shared subscription with an empty filter', [V5], '$share/g/', undefined, RangeError, NO_SHARE],
  ['a shared subscription without a name', [V5], '$share//a', undefined, RangeError, NO_SHARE],
  ['a shared subscription with a wildcard for a name', [V5], '$share/+/a', undefined, RangeError, NO_SHARE],
  ['a shared subscription of nothing', [V5], new Wildcard('$share/#'), undefined, RangeError, NO_SHARE],
  [
    'a shared subscription with No Local',
    [V5],
    ['$share/g/a', noLocal],
    undefined,
    RangeError,
    'No Local must not be set for a shared subscription.',
  ],
  [
    'properties',
    old,
    'a',
    { properties: { subscriptionIdentifier: 1 } },
    RangeError,
    'Properties only apply to MQTT V5',
  ],
  [
    'properties of a message',
    [V5],
    'a',
    { properties: { topicAlias: 1 } },
    RangeError,
    'Property topicAlias does not apply to packet type Subscribe',
  ],
  [
    'an unknown option',
    versions,
    'a',
    { option: {} },
    TypeError,
    "Client.subscribe() got an unexpected keyword argument 'option'. Did you mean 'options'?",
  ],
  [
    'a timeout of text',
    versions,
    'a',
    { timeout: '1' },
    TypeError,
    'timeout must be a number of seconds, not string',
  ],
]

for (const [what, protocols, topic, options, instanceOf, message] of bad) {
  for (const protocol of protocols) {
    test(`subscribing to ${what} is refused on version ${protocol}`, (t) => {
      t.throws(() => checkSubscribe(protocol, topic as SubscribeTopic, options as SubscribeCallOptions), {
        instanceOf,
        message,
      })
    })
  }
}

test('a subscription has properties, a timeout and a signal', (t) => {
  const { signal } = new AbortController()
  const call = checkSubscribe(V5, 'a', { properties: { subscriptionIdentifier: 5 }, timeout: 1, signal })
  t.deepEqual(call.encodedProperties, Buffer.from([2, 0x0b, 5]))
  t.deepEqual(call.properties?.subscriptionIdentifier, [5])
  t.is(call.timeout, 1)
  t.is(call.signal, signal)
})

test('one filter or several are unsubscribed from', (t) => {
  const { signal } = new AbortController()
  t.deepEqual(checkUnsubscribe(V311, 'a', undefined), {
    filters: [{ filter: 'a', options: 0 }],
    properties: undefined,
    encodedProperties: null,
    timeout: undefined,
    signal: undefined,
  })
  const call = checkUnsubscribe(V5, [new Wildcard('a/#'), 'b', '$share/g/a'], {
    properties: { userProperty: ['a', 'b'] },
    timeout: 1,
    signal,
  })
  t.deepEqual(
    call.filters.map(({ filter }) => filter),
    ['a/#', 'b', '$share/g/a'],
  )
  t.is(call.encodedProperties?.length, 8)
  t.is(call.timeout, 1)
  t.is(call.signal, signal)
})

const badUnsubscriptions: Bad[] = [
  ['an empty string', versions, '', undefined, RangeError, 'Invalid topic.'],
  ['a list of an empty string', versions, ['a', ''], undefined, RangeError, 'Invalid topic.'],
  ['null', versions, null, undefined, TypeError, 'Invalid topic.'],
  ['a number', versions, 5, undefined, TypeError, NO_TOPIC],
  ['a list with a number', versions, ['a', 5], undefined, TypeError, NO_TOPIC],
  ['an empty list', versions, [], undefined, RangeError, 'Empty topic list'],
  ['a/#/b', versions, 'a/#/b', undefined, RangeError, NO_FILTER],
  ['too many bytes', versions, 'a'.repeat(65536), undefined, RangeError, NO_FILTER],
  ['a NUL', versions, 'a\0', undefined, RangeError, NO_FILTER],
  ['half a shared subscription', [V5], '$share/g', undefined, RangeError, NO_SHARE],
  ['properties', old, 'a', { properties: {} }, RangeError, 'Properties only apply to MQTT V5'],
  [
    'an unknown option',
    versions,
    'a',
    { qos: 1 },
    TypeError,
    /^Client\.unsubscribe\(\) got an unexpected keyword argument 'qos'\. Did you mean /.source,
  ],
]

for (const [what, protocols, topic, options, instanceOf, message] of badUnsubscriptions) {
  for (const protocol of protocols) {
    test(`unsubscribing from ${what} is refused on version ${protocol}`, (t) => {
      const expected = message.startsWith('^') ? new RegExp(message) : message
      t.throws(() => checkUnsubscribe(protocol, topic as string, options as object), {
        instanceOf,
        message: expected,
      })
    })
  }
}
