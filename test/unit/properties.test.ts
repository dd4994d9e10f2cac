import { inspect } from 'node:util'
import { MqttCodeError, type PacketType, PacketTypes, Properties, type PropertiesLiteral } from 'aiomqtt'
import test from 'ava'
import { generate, type Packet, parser } from 'mqtt-packet'

type PropertyName = keyof PropertiesLiteral

/** For each packet the properties that MQTT 5 gives it (2.2.2.2). */
const messageProperties: PropertyName[] = [
  ...(['payloadFormatIndicator', 'messageExpiryInterval', 'contentType', 'responseTopic'] as const),
  ...(['correlationData', 'userProperty'] as const),
]
const applying: Record<string, PropertyName[]> = {
  CONNECT: [
    ...(['sessionExpiryInterval', 'authenticationMethod', 'authenticationData'] as const),
    ...(['requestProblemInformation', 'requestResponseInformation', 'receiveMaximum'] as const),
    ...(['topicAliasMaximum', 'userProperty', 'maximumPacketSize'] as const),
  ],
  CONNACK: [
    ...(['sessionExpiryInterval', 'assignedClientIdentifier', 'serverKeepAlive'] as const),
    ...(['authenticationMethod', 'authenticationData', 'responseInformation', 'serverReference'] as const),
    ...(['reasonString', 'receiveMaximum', 'topicAliasMaximum', 'maximumQoS', 'retainAvailable'] as const),
    ...(['userProperty', 'maximumPacketSize', 'wildcardSubscriptionAvailable'] as const),
    ...(['subscriptionIdentifierAvailable', 'sharedSubscriptionAvailable'] as const),
  ],
  PUBLISH: [...messageProperties, 'subscriptionIdentifier', 'topicAlias'],
  PUBACK: ['reasonString', 'userProperty'],
  PUBREC: ['reasonString', 'userProperty'],
  PUBREL: ['reasonString', 'userProperty'],
  PUBCOMP: ['reasonString', 'userProperty'],
  SUBSCRIBE: ['subscriptionIdentifier', 'userProperty'],
  SUBACK: ['reasonString', 'userProperty'],
  UNSUBSCRIBE: ['userProperty'],
  UNSUBACK: ['reasonString', 'userProperty'],
  DISCONNECT: ['sessionExpiryInterval', 'serverReference', 'reasonString', 'userProperty'],
  AUTH: ['authenticationMethod', 'authenticationData', 'reasonString', 'userProperty'],
  WILLMESSAGE: [...messageProperties, 'willDelayInterval'],
}

/** A value for each property, and what it looks like on the wire, its number included. */
const samples: Record<PropertyName, [value: unknown, hex: string]> = {
  payloadFormatIndicator: [1, '0101'],
  messageExpiryInterval: [4_294_967_295, '02ffffffff'],
  contentType: ['text/plain', `03000a${text('text/plain')}`],
  responseTopic: ['ü/b', '080004c3bc2f62'],
  correlationData: [Buffer.from([0, 255]), '09000200ff'],
  subscriptionIdentifier: [[268_435_455], '0bffffff7f'],
  sessionExpiryInterval: [0, '1100000000'],
  assignedClientIdentifier: ['id', '1200026964'],
  serverKeepAlive: [65535, '13ffff'],
  authenticationMethod: ['m', '1500016d'],
  authenticationData: [Buffer.from([1]), '16000101'],
  requestProblemInformation: [0, '1700'],
  willDelayInterval: [258, '1800000102'],
  requestResponseInformation: [1, '1901'],
  responseInformation: ['r', '1a000172'],
  serverReference: ['s', '1c000173'],
  reasonString: ['', '1f0000'],
  receiveMaximum: [1, '210001'],
  topicAliasMaximum: [0, '220000'],
  topicAlias: [65535, '23ffff'],
  maximumQoS: [1, '2401'],
  retainAvailable: [0, '2500'],
  userProperty: [
    [
      ['a', 'b'],
      ['a', '😀'],
    ],
    '2600016100016226000161' + '0004f09f9880',
  ],
  maximumPacketSize: [268_435_455, '270fffffff'],
  wildcardSubscriptionAvailable: [0, '2800'],
  subscriptionIdentifierAvailable: [1, '2901'],
  sharedSubscriptionAvailable: [0, '2a00'],
}
const names = Object.keys(samples) as PropertyName[]

function text(characters: string): string {
  return Buffer.from(characters).toString('hex')
}

function sample(name: PropertyName): PropertiesLiteral {
  return { [name]: samples[name][0] } as PropertiesLiteral
}

function encoded(properties: Properties): string {
  return Buffer.from(properties.encode()).toString('hex')
}

function decode(packetType: PacketType, hex: string): Properties {
  return Properties.decode(packetType, Buffer.from(hex.replaceAll(' ', ''), 'hex'))
}

for (const [packet, packetType] of Object.entries(PacketTypes)) {
  const own = applying[packet] ?? []
  const title = `${packet.charAt(0)}${packet.slice(1).toLowerCase()}`

  test(`${packet} takes its own properties and no others`, (t) => {
    for (const name of names) {
      const properties = new Properties(packetType)
      if (own.includes(name)) {
        Object.assign(properties, sample(name))
        t.deepEqual(properties[name], samples[name][0] as never)
      } else {
        t.throws(() => Object.assign(properties, sample(name)), {
          instanceOf: RangeError,
          message: `Property ${name} does not apply to packet type ${title}`,
        })
        t.true(properties.isEmpty())
        t.throws(
          () => decode(packetType, samples[name][1]).isEmpty() || decode(packetType, samples[name][1])[name],
          {
            instanceOf: MqttCodeError,
            message: '[code:129] Malformed packet',
          },
        )
      }
    }
  })
}

for (const name of names) {
  const [value, hex] = samples[name]
  const packet = Object.keys(applying).find((each) => applying[each]?.includes(name)) ?? ''
  const packetType = PacketTypes[packet as keyof typeof PacketTypes]

  test(`${name} is encoded and decoded`, (t) => {
    const length = (hex.length / 2).toString(16).padStart(2, '0')
    const properties = Properties.from(packetType, sample(name))
    t.is(encoded(properties), length + hex)
    const received = decode(packetType, hex)
    t.is(encoded(received), length + hex)
    t.deepEqual(received[name], value as never)
    t.is(encoded(received), length + hex)
    t.deepEqual(received.toJSON(), properties.toJSON())
  })
}

/** Values out of range, and how Python says so. */
const outOfRange: Array<[name: PropertyName, packetType: PacketType, range: string, values: unknown[]]> = [
  ['receiveMaximum', PacketTypes.CONNECT, 'in the range 1-65535', [0, 65536, -1, 1.5]],
  ['topicAlias', PacketTypes.PUBLISH, 'in the range 1-65535', [0, 65536]],
  ['topicAliasMaximum', PacketTypes.CONNECT, 'in the range 0-65535', [-1, 65536]],
  ['maximumPacketSize', PacketTypes.CONNECT, 'in the range 1-268435455', [0, 268_435_456]],
  ['subscriptionIdentifier', PacketTypes.SUBSCRIBE, 'in the range 1-268435455', [0, 268_435_456, [0]]],
  ['requestResponseInformation', PacketTypes.CONNECT, '0 or 1', [2, -1]],
  ['requestProblemInformation', PacketTypes.CONNECT, '0 or 1', [2, -1, Number.NaN]],
  ['payloadFormatIndicator', PacketTypes.PUBLISH, '0 or 1', [2, 0.5, 256]],
  ['sessionExpiryInterval', PacketTypes.CONNECT, 'in the range 0-4294967295', [-1, 4_294_967_296]],
  ['messageExpiryInterval', PacketTypes.PUBLISH, 'in the range 0-4294967295', [-1, Number.POSITIVE_INFINITY]],
  ['serverKeepAlive', PacketTypes.CONNACK, 'in the range 0-65535', [-1, 65536]],
]

for (const [name, packetType, range, values] of outOfRange) {
  test(`${name} must be ${range}`, (t) => {
    const properties = new Properties(packetType)
    const message = `${name} property value must be ${range}`
    for (const value of values) {
      t.throws(() => Object.assign(properties, { [name]: value }), { instanceOf: RangeError, message })
    }
    for (const value of ['1', true, {}]) {
      t.throws(() => Object.assign(properties, { [name]: value }), { instanceOf: TypeError, message })
    }
    t.true(properties.isEmpty())
  })
}

test('texts are well-formed, without NUL, and at most 65535 bytes long', (t) => {
  const properties = new Properties(PacketTypes.PUBLISH)
  for (const value of ['a\0', '\ud800', '€'.repeat(21846)]) {
    t.throws(() => Object.assign(properties, { contentType: value }), {
      instanceOf: RangeError,
      message: /^contentType /,
    })
    t.throws(() => Object.assign(properties, { userProperty: ['a', value] }), { instanceOf: RangeError })
    t.throws(() => Object.assign(properties, { userProperty: [[value, 'a']] }), { instanceOf: RangeError })
  }
  for (const value of [5, Buffer.from('x'), {}]) {
    t.throws(() => Object.assign(properties, { contentType: value }), {
      instanceOf: TypeError,
      message: /^contentType /,
    })
  }
  t.true(properties.isEmpty())
})

test('a response topic is a topic', (t) => {
  for (const responseTopic of ['a/+', '#', '']) {
    t.throws(() => Properties.from(PacketTypes.PUBLISH, { responseTopic }), {
      instanceOf: RangeError,
      message: 'responseTopic property value must be a topic without wildcards',
    })
  }
})

test('binary values are bytes, are copied, and are at most 65535 bytes long', (t) => {
  const bytes = new Uint8Array([1, 2])
  const properties = Properties.from(PacketTypes.PUBLISH, { correlationData: bytes })
  bytes[0] = 9
  t.deepEqual(properties.correlationData, Buffer.from([1, 2]))
  properties.correlationData = new Uint8Array([3]).buffer
  t.deepEqual(properties.correlationData, Buffer.from([3]))
  properties.correlationData = new Uint8Array(new SharedArrayBuffer(1)).fill(4)
  t.deepEqual(properties.correlationData, Buffer.from([4]))
  t.throws(() => Object.assign(properties, { correlationData: 'text' }), { instanceOf: TypeError })
  t.throws(() => Object.assign(properties, { correlationData: Buffer.alloc(65536) }), {
    instanceOf: RangeError,
  })
})

test('a user property is a pair of texts or a list of pairs, and replaces what was there', (t) => {
  const properties = new Properties(PacketTypes.CONNECT)
  properties.userProperty = ['a', 'b']
  t.deepEqual(properties.userProperty, [['a', 'b']])
  properties.userProperty = [
    ['c', 'd'],
    ['c', 'e'],
  ]
  t.deepEqual(properties.userProperty, [
    ['c', 'd'],
    ['c', 'e'],
  ])
  for (const value of [5, 'ab', ['a', 5], ['a'], ['a', 'b', 'c'], [['a']], [['a', 'b'], 5], { a: 'b' }]) {
    t.throws(() => Object.assign(properties, { userProperty: value }), { instanceOf: TypeError })
  }
  properties.userProperty = []
  t.true(properties.isEmpty())
})

test('a subscription has one identifier, a message may have many', (t) => {
  const subscribe = new Properties(PacketTypes.SUBSCRIBE)
  subscribe.subscriptionIdentifier = 5
  t.deepEqual(subscribe.subscriptionIdentifier, [5])
  t.throws(() => Object.assign(subscribe, { subscriptionIdentifier: [1, 2] }), {
    instanceOf: RangeError,
    message: 'subscriptionIdentifier property must not stand more than once in packet type Subscribe',
  })
  t.deepEqual(decode(PacketTypes.PUBLISH, '0b01 0b8001 0b02').subscriptionIdentifier, [1, 128, 2])
})

test('a property that is not there is undefined, and can be removed', (t) => {
  const properties = Properties.from(PacketTypes.PUBLISH, { topicAlias: 1, contentType: undefined })
  t.is(properties.contentType, undefined)
  t.is(properties.receiveMaximum, undefined)
  t.false(properties.isEmpty())
  properties.topicAlias = undefined
  t.is(properties.topicAlias, undefined)
  t.true(properties.isEmpty())
  t.is(encoded(properties), '00')
})

test('what was encoded before does not count after an assignment', (t) => {
  const properties = Properties.from(PacketTypes.PUBLISH, { topicAlias: 1 })
  t.is(encoded(properties), '03230001')
  properties.topicAlias = 2
  t.is(encoded(properties), '03230002')
  properties.topicAlias = undefined
  t.is(encoded(properties), '00')
})

test('clear() removes all, also what came in', (t) => {
  const made = Properties.from(PacketTypes.PUBLISH, { topicAlias: 1 })
  const received = decode(PacketTypes.PUBLISH, '230001')
  for (const properties of [made, received]) {
    t.false(properties.isEmpty())
    properties.clear()
    t.true(properties.isEmpty())
    t.is(encoded(properties), '00')
    properties.topicAlias = 2
    t.is(encoded(properties), '03230002')
  }
})

test('an unknown property is a TypeError that names the known ones', (t) => {
  const message =
    /^Property name must be one of payloadFormatIndicator, .*, sharedSubscriptionAvailable, not topicAlais\. Did you mean topicAlias\?$/
  const properties = new Properties(PacketTypes.PUBLISH)
  t.throws(() => Object.assign(properties, { topicAlais: 1 }), { instanceOf: TypeError, message })
  t.throws(() => Properties.from(PacketTypes.PUBLISH, { topicAlais: 1 } as PropertiesLiteral), {
    instanceOf: TypeError,
    message,
  })
})

test('properties are made for a packet type, from an object', (t) => {
  t.throws(() => new Properties(55 as PacketType), {
    instanceOf: RangeError,
    message: '55 is not one of PacketTypes',
  })
  t.is(new Properties(PacketTypes.AUTH).packetType, PacketTypes.AUTH)
  for (const source of [5, 'text', null, undefined, [], () => ({})]) {
    t.throws(() => Properties.from(PacketTypes.PUBLISH, source as never), {
      instanceOf: TypeError,
      message: 'The properties argument must be an instance of the Properties class.',
    })
  }
})

test('a copy is a copy, for another packet as well if the properties apply to it', (t) => {
  const source = Properties.from(PacketTypes.PUBLISH, { contentType: 'a', userProperty: ['b', 'c'] })
  const copy = Properties.from(PacketTypes.WILLMESSAGE, source)
  source.contentType = 'x'
  t.is(copy.contentType, 'a')
  t.is(copy.packetType, PacketTypes.WILLMESSAGE)
  t.deepEqual(copy.userProperty, [['b', 'c']])
  source.topicAlias = 1
  t.throws(() => Properties.from(PacketTypes.WILLMESSAGE, source), {
    instanceOf: RangeError,
    message: 'Property topicAlias does not apply to packet type Willmessage',
  })
})

test('as JSON, binary values are hexadecimal', (t) => {
  const properties = Properties.from(PacketTypes.PUBLISH, {
    userProperty: ['a', 'b'],
    topicAlias: 3,
    correlationData: Buffer.from([1, 255]),
  })
  t.is(JSON.stringify(properties), '{"correlationData":"01ff","topicAlias":3,"userProperty":[["a","b"]]}')
})

test('properties are readable when inspected, but for what authenticates', (t) => {
  const publish = Properties.from(PacketTypes.PUBLISH, { contentType: 'text/plain', topicAlias: 1 })
  t.is(inspect(publish), "Properties(Publish) { contentType: 'text/plain', topicAlias: 1 }")
  t.is(inspect(new Properties(PacketTypes.CONNECT)), 'Properties(Connect) {}')
  const connect = Properties.from(PacketTypes.CONNECT, {
    authenticationMethod: 'm',
    authenticationData: Buffer.from('secret'),
  })
  t.is(inspect(connect), "Properties(Connect) { authenticationMethod: 'm', authenticationData: '[hidden]' }")
})

/** What a broker must not send, as properties of PUBLISH. */
const malformed: Array<[what: string, hex: string, message: string, cause: string]> = [
  [
    'an unknown property',
    '63',
    '[code:129] Malformed packet',
    'Property 99 does not apply to packet type Publish',
  ],
  ['a property cut off', '02000000', '[code:129] Malformed packet', 'The properties end too early'],
  ['a text cut off', '03000561', '[code:129] Malformed packet', 'The properties end too early'],
  ['a length cut off', '0300', '[code:129] Malformed packet', 'The properties end too early'],
  ['half a pair', '26000161', '[code:129] Malformed packet', 'The properties end too early'],
  ['a text that is not UTF-8', '030001ff', '[code:129] Malformed packet', 'A string is not UTF-8'],
  ['a text with a surrogate', '030003eda080', '[code:129] Malformed packet', 'A string is not UTF-8'],
  ['a text with a NUL', '03000100', '[code:129] Malformed packet', 'A string contains a NUL character'],
  [
    'a number of five bytes',
    '0b8080808001',
    '[code:129] Malformed packet',
    'A variable byte integer is longer than four bytes',
  ],
  [
    'a property twice',
    '0101 0101',
    '[code:130] Protocol error',
    'Property payloadFormatIndicator stands more than once',
  ],
  ['a flag of 2', '0102', '[code:130] Protocol error', 'Property payloadFormatIndicator must not be 2'],
  ['a topic alias of 0', '230000', '[code:130] Protocol error', 'Property topicAlias must not be 0'],
  [
    'a subscription identifier of 0',
    '0b00',
    '[code:130] Protocol error',
    'Property subscriptionIdentifier must not be 0',
  ],
]

for (const [what, hex, message, cause] of malformed) {
  test(`${what} is reported when the properties are first looked at`, (t) => {
    const properties = decode(PacketTypes.PUBLISH, hex)
    for (const look of [() => properties.contentType, () => properties.toJSON(), () => inspect(properties)]) {
      const error = t.throws(look, { instanceOf: MqttCodeError, message })
      t.is((error.cause as Error).message, cause)
    }
  })
}

test('a U+FFFD that was sent is no error', (t) => {
  t.is(decode(PacketTypes.PUBLISH, '030003efbfbd').contentType, '\ufffd')
})

test('a broker may take larger packets than this client can send', (t) => {
  t.is(decode(PacketTypes.CONNACK, '27ffffffff').maximumPacketSize, 4_294_967_295)
})

/** Lengths around those at which the prefix grows, as they are encoded. */
const lengths: Array<[length: number, prefix: string]> = [
  [127, '7f'],
  [128, '8001'],
  [16_383, 'ff7f'],
  [16_384, '808001'],
]

for (const [length, prefix] of lengths) {
  test(`the length ${length} of properties is encoded as ${prefix}, also when they came in`, (t) => {
    const properties = Properties.from(PacketTypes.PUBLISH, { correlationData: new Uint8Array(length - 3) })
    const bytes = properties.encode()
    t.is(Buffer.from(bytes.subarray(0, prefix.length / 2)).toString('hex'), prefix)
    t.is(bytes.length, length + prefix.length / 2)
    const received = Properties.decode(PacketTypes.PUBLISH, bytes.subarray(prefix.length / 2))
    t.deepEqual(received.encode(), bytes)
  })
}

// mqtt-packet is an independent implementation of the wire format. Flags are booleans there, a user property
// is an object, and so is what it gives.
const flags = new Set<string>([
  ...['payloadFormatIndicator', 'requestProblemInformation', 'requestResponseInformation', 'retainAvailable'],
  ...['wildcardSubscriptionAvailable', 'subscriptionIdentifierAvailable', 'sharedSubscriptionAvailable'],
])
const foreignNames: Record<string, string> = {
  userProperty: 'userProperties',
  subscriptionIdentifierAvailable: 'subscriptionIdentifiersAvailable',
}

function foreign(properties: Properties): Record<string, unknown> {
  const translated: Record<string, unknown> = {}
  for (const name of names) {
    const value = properties[name]
    if (value === undefined) continue
    const foreignName = foreignNames[name] ?? name
    if (flags.has(name)) translated[foreignName] = value === 1
    else if (name === 'userProperty') translated[foreignName] = { a: ['b', '😀'] }
    else if (name === 'subscriptionIdentifier') translated[foreignName] = (value as number[])[0]
    else translated[foreignName] = value
  }
  return translated
}

/** A packet around the properties, and where they begin after the fixed header. */
const frames: Record<string, [offset: number, frame: object]> = {
  CONNECT: [10, { cmd: 'connect', protocolVersion: 5, clientId: 'c', keepalive: 1, clean: true }],
  CONNACK: [2, { cmd: 'connack', sessionPresent: false, reasonCode: 0 }],
  PUBLISH: [3, { cmd: 'publish', topic: 't', payload: '', qos: 0, dup: false, retain: false }],
  PUBACK: [3, { cmd: 'puback', messageId: 1, reasonCode: 0 }],
  SUBSCRIBE: [2, { cmd: 'subscribe', messageId: 1, subscriptions: [{ topic: 't', qos: 0 }] }],
  SUBACK: [2, { cmd: 'suback', messageId: 1, granted: [0] }],
  UNSUBSCRIBE: [2, { cmd: 'unsubscribe', messageId: 1, unsubscriptions: ['t'] }],
  UNSUBACK: [2, { cmd: 'unsuback', messageId: 1, granted: [0] }],
  DISCONNECT: [1, { cmd: 'disconnect', reasonCode: 0 }],
  AUTH: [1, { cmd: 'auth', reasonCode: 0 }],
}

for (const [packet, [offset, frame]] of Object.entries(frames)) {
  const packetType = PacketTypes[packet as keyof typeof PacketTypes]

  test(`what mqtt-packet encodes for ${packet} is decoded, and the other way round`, (t) => {
    const properties = new Properties(packetType)
    for (const name of applying[packet] ?? []) Object.assign(properties, sample(name))
    const theirs = generate({ ...frame, properties: foreign(properties) } as Packet, { protocolVersion: 5 })
    const start = 1 + prefixLength(theirs, 1) + offset
    const end = start + properties.encode().length

    const raw = theirs.subarray(start + prefixLength(theirs, start), end)
    t.deepEqual(Properties.decode(packetType, raw).toJSON(), properties.toJSON())

    // They may order the properties in another way, but not make more or fewer bytes of them.
    const ours = Buffer.concat([theirs.subarray(0, start), properties.encode(), theirs.subarray(end)])
    t.deepEqual({ ...parse(ours).properties }, foreign(properties))
  })
}

/** The number of bytes that a variable byte integer takes. */
function prefixLength(bytes: Uint8Array, start: number): number {
  return bytes.subarray(start).findIndex((byte) => byte < 128) + 1
}

function parse(bytes: Buffer): { properties?: object } {
  const packets: object[] = []
  const reader = parser({ protocolVersion: 5 })
  reader.on('packet', (packet) => packets.push(packet))
  reader.on('error', (error) => {
    throw error
  })
  reader.parse(bytes)
  return packets[0] ?? {}
}
