import {
  MqttCodeError,
  MqttError,
  type PayloadType,
  ProtocolVersion,
  type PublishOptions,
  Topic,
} from 'aiomqtt'
import test from 'ava'
import { field, hex, packet } from '../helpers/bytes.js'
import { atOnce, isPending, paired, patience, roundTrip } from '../helpers/client.js'
import { rejection, within } from '../helpers/deadline.js'
import { protocols } from '../helpers/protocols.js'

for (const { name, protocol } of protocols) {
  const properties = protocol === ProtocolVersion.V5 ? '00' : ''

  test(`${name}: QoS 0 leaves without a packet identifier and resolves without an answer`, async (t) => {
    const { client, session } = await paired(t, { protocol })
    await within(patience, 'publishing', client.publish('a/b', 'x'))
    t.is((await session.next('publish')).hex, packet('30', field('a/b'), properties, '78'))
    await within(patience, 'publishing', client.publish('a/b', null, { retain: true }))
    t.is((await session.next('publish')).hex, packet('31', field('a/b'), properties))
  })

  test(`${name}: QoS 1 resolves on PUBACK`, async (t) => {
    const { client, session } = await paired(t, { protocol })
    const publishing = client.publish('a/b', 'x', { qos: 1 })
    t.is((await session.next('publish')).hex, packet('32', field('a/b'), '0001', properties, '78'))
    t.true(await isPending(publishing))
    session.send('40 02 0001')
    t.is(await within(patience, 'publishing', publishing), undefined)
  })

  test(`${name}: QoS 2 resolves on PUBCOMP, after PUBREC was answered with PUBREL`, async (t) => {
    const { client, session } = await paired(t, { protocol })
    const publishing = client.publish('ä', 'x', { qos: 2, retain: true })
    t.is((await session.next('publish')).hex, packet('35', field('ä'), '0001', properties, '78'))
    session.send('50 02 0001')
    t.is((await session.next('pubrel')).hex, hex('62 02 0001'))
    t.true(await isPending(publishing))
    session.send('70 02 0001')
    t.is(await within(patience, 'publishing', publishing), undefined)
  })

  test(`${name}: QoS 0 uses no packet identifier, and those of QoS 1 and 2 count up`, async (t) => {
    const { client, session } = await paired(t, { protocol })
    for (let round = 0; round < 3; round++) await client.publish('zero', '')
    const pending = [client.publish('one', '', { qos: 1 }), client.publish('two', '', { qos: 2 })]
    await session.take('publish', 3)
    t.is((await session.next('publish')).messageId, 1)
    t.is((await session.next('publish')).messageId, 2)
    session.send('40 02 0001', '50 02 0002')
    await session.next('pubrel')
    session.send('70 02 0002')
    await within(patience, 'publishing', Promise.all(pending))
  })

  test(`${name}: what is published in one turn of the event loop arrives in that order`, async (t) => {
    const { client, session } = await paired(t, { protocol })
    const numbers = Array.from({ length: 1_000 }, (_, index) => index)
    const publishing = numbers.map((index) => client.publish('a', index))
    const packets = await session.take('publish', numbers.length)
    t.deepEqual(
      packets.map(({ payload }) => Number(payload)),
      numbers,
    )
    await within(patience, 'publishing', Promise.all(publishing))
  })

  test.serial(
    `${name}: a payload of five megabytes arrives as it was when publish() was called`,
    async (t) => {
      const { client, session } = await paired(t, { protocol })
      const payload = Buffer.alloc(5_000_000, 'one two three ')
      const expected = Buffer.from(payload)
      const publishing = client.publish('large', payload, { qos: 1 })
      payload.fill(0)
      const { payload: arrived, messageId = 0 } = await session.next('publish')
      t.true(expected.equals(Buffer.from(arrived)))
      session.send({ cmd: 'puback', messageId })
      await within(patience, 'publishing', publishing)
    },
  )

  for (const length of [120, 121, 122, 123, 127, 128, 16_374, 16_376, 16_383, 16_384, 2_097_142, 2_097_152]) {
    test.serial(`${name}: a payload of ${length} bytes has the right remaining length`, async (t) => {
      const { client, session } = await paired(t, { protocol })
      await client.publish('abc', Buffer.alloc(length, 'x'))
      const { hex: sent } = await session.next('publish')
      t.is(sent, packet('30', field('abc'), properties, '78'.repeat(length)))
    })
  }

  test(`${name}: a topic of 65535 bytes is sent whole`, async (t) => {
    const { client, session } = await paired(t, { protocol })
    const topic = `${'ä/'.repeat(21_844)}abc`
    t.is(Buffer.byteLength(topic), 65_535)
    await client.publish(topic, 'x')
    t.is((await session.next('publish')).topic, topic)
  })

  test(`${name}: a Topic serves as topic`, async (t) => {
    const { client, session } = await paired(t, { protocol })
    await client.publish(new Topic('a/b'), 'x')
    t.is((await session.next('publish')).topic, 'a/b')
  })

  test(`${name}: beyond maxInflightMessages publishes wait in order, and hold back nothing else`, async (t) => {
    const { client, session } = await paired(t, { protocol, maxInflightMessages: 2 })
    const publishing = [1, 2, 3, 4].map((payload) =>
      client.publish('a', payload, { qos: payload === 2 ? 2 : 1 }),
    )
    await session.take('publish', 2)
    await client.publish('marker', '')
    t.is((await session.next('publish')).topic, 'marker')
    const subscribing = client.subscribe('a')
    const { messageId = 0 } = await session.next('subscribe')
    session.send({ cmd: 'suback', messageId, granted: [0] })
    await within(patience, 'subscribing', subscribing)
    session.send('40 02 0001')
    const third = await session.next('publish')
    t.is(String(third.payload), '3')
    session.send('50 02 0002')
    await session.next('pubrel')
    await client.publish('marker', '')
    t.is((await session.next('publish')).topic, 'marker')
    session.send('70 02 0002')
    const fourth = await session.next('publish')
    t.is(String(fourth.payload), '4')
    for (const { messageId: identifier = 0 } of [third, fourth])
      session.send({ cmd: 'puback', messageId: identifier })
    await within(patience, 'publishing', Promise.all(publishing))
  })

  test(`${name}: twenty publishes are in flight by default`, async (t) => {
    const { client, session } = await paired(t, { protocol })
    const publishing = Array.from({ length: 21 }, () => client.publish('a', '', { qos: 1 }))
    const packets = await session.take('publish', 20)
    await client.publish('marker', '')
    t.is((await session.next('publish')).topic, 'marker')
    for (const { messageId = 0 } of packets) session.send({ cmd: 'puback', messageId })
    session.send({ cmd: 'puback', messageId: (await session.next('publish')).messageId ?? 0 })
    await within(patience, 'publishing', Promise.all(publishing))
  })

  test(`${name}: maxInflightMessages 0 sends without a bound`, async (t) => {
    const { client, session } = await paired(t, { protocol, maxInflightMessages: 0 })
    const publishing = Array.from({ length: 500 }, () => client.publish('a', '', { qos: 1 }))
    const packets = await session.take('publish', 500)
    for (const { messageId = 0 } of packets) session.send({ cmd: 'puback', messageId })
    t.is((await within(patience, 'publishing', Promise.all(publishing))).length, 500)
  })

  test.serial(`${name}: packet identifiers in use are skipped when they start again from 1`, async (t) => {
    const { client, session } = await paired(t, { protocol, maxInflightMessages: 100 })
    const slow = [client.publish('slow', '', { qos: 1 }), client.publish('slow', '', { qos: 2 })]
    await session.take('publish', 2)
    session.send('50 02 0002')
    await session.next('pubrel')
    const seen = new Set([1, 2])
    while (seen.size < 65_535) {
      const count = Math.min(90, 65_535 - seen.size)
      const batch = Array.from({ length: count }, () => client.publish('fast', '', { qos: 1 }))
      const identifiers = (await session.take('publish', count)).map(({ messageId = 0 }) => messageId)
      for (const identifier of identifiers) seen.add(identifier)
      session.send(...identifiers.map((messageId) => ({ cmd: 'puback', messageId }) as const))
      await within(patience, 'publishing', Promise.all(batch))
    }
    t.is(seen.size, 65_535)
    const next = client.publish('after', '', { qos: 1 })
    t.is((await session.next('publish')).messageId, 3)
    session.send('40 02 0003', '40 02 0001', '70 02 0002')
    await within(patience, 'publishing', Promise.all([next, ...slow]))
  })

  test(`${name}: a publish that is not acknowledged in time rejects, and the connection goes on`, async (t) => {
    const { client, session } = await paired(t, { protocol })
    for (const qos of [1, 2] as const) {
      const error = await rejection(patience, 'publishing', client.publish('a', 'x', { qos, timeout: 0.05 }))
      t.true(error instanceof MqttError)
      t.is((error as MqttError).message, 'Operation timed out')
      const { messageId = 0 } = await session.next('publish')
      session.send({ cmd: qos === 1 ? 'puback' : 'pubrec', messageId })
      if (qos === 2) {
        await session.next('pubrel')
        session.send({ cmd: 'pubcomp', messageId })
      }
    }
    const again = client.publish('a', 'y', { qos: 1 })
    session.send({ cmd: 'puback', messageId: (await session.next('publish')).messageId ?? 0 })
    await within(patience, 'publishing', again)
  })

  test(`${name}: the client’s timeout holds where a call has none, and can be changed`, async (t) => {
    const { client } = await paired(t, { protocol })
    t.is(client.timeout, 10)
    client.timeout = 0.05
    const error = await rejection(atOnce, 'publishing', client.publish('a', 'x', { qos: 1 }))
    t.is((error as MqttError).message, 'Operation timed out')
  })

  test(`${name}: a publish that waits for its turn can be withdrawn by its signal and is then never sent`, async (t) => {
    const { client, session } = await paired(t, { protocol, maxInflightMessages: 1 })
    const controller = new AbortController()
    const first = client.publish('first', '', { qos: 1 })
    const second = client.publish('second', '', { qos: 1, signal: controller.signal })
    const third = client.publish('third', '', { qos: 1 })
    await session.next('publish')
    const reason = new Error('no longer wanted')
    controller.abort(reason)
    t.is(await rejection(atOnce, 'the withdrawn publish', second), reason)
    await client.publish('marker')
    t.is((await session.next('publish')).topic, 'marker')
    session.send('40 02 0001')
    const { topic, messageId = 0 } = await session.next('publish')
    t.is(topic, 'third')
    session.send({ cmd: 'puback', messageId })
    await within(patience, 'publishing', Promise.all([first, third]))
  })

  test(`${name}: a publish on its way can be given up by its signal, and its late PUBACK is absorbed`, async (t) => {
    const { client, session } = await paired(t, { protocol })
    const controller = new AbortController()
    const publishing = client.publish('a', '', { qos: 1, signal: controller.signal })
    await session.next('publish')
    controller.abort()
    const error = await rejection(atOnce, 'the publish', publishing)
    t.is((error as Error).name, 'AbortError')
    session.send('40 02 0001')
    const again = client.publish('b', '', { qos: 1 })
    session.send({ cmd: 'puback', messageId: (await session.next('publish')).messageId ?? 0 })
    await within(patience, 'publishing', again)
  })

  test(`${name}: an aborted signal rejects before anything is sent`, async (t) => {
    const { client, session } = await paired(t, { protocol })
    const reason = new Error('too late')
    t.is(
      await rejection(atOnce, 'it', client.publish('a', '', { signal: AbortSignal.abort(reason) })),
      reason,
    )
    t.is(await rejection(atOnce, 'it', client.subscribe('a', { signal: AbortSignal.abort(reason) })), reason)
    t.is(
      await rejection(atOnce, 'it', client.unsubscribe('a', { signal: AbortSignal.abort(reason) })),
      reason,
    )
    await client.publish('marker', '')
    t.is((await session.next('publish')).topic, 'marker')
  })

  test(`${name}: an acknowledgement for a packet identifier that nobody uses is absorbed`, async (t) => {
    const { client, session } = await paired(t, { protocol })
    session.send('40 02 0009', '70 02 0009')
    const publishing = client.publish('a', '', { qos: 1 })
    session.send({ cmd: 'puback', messageId: (await session.next('publish')).messageId ?? 0 })
    t.is(await within(patience, 'publishing', publishing), undefined)
  })
}

const payloads: Array<[string, PayloadType, string]> = [
  ['a string in UTF-8', 'ü€😀', 'c3bce282acf09f9880'],
  ['an empty string', '', ''],
  ['null', null, ''],
  ['undefined', undefined, ''],
  ['bytes', Uint8Array.of(255, 0, 1), 'ff0001'],
  ['a Buffer that is a part of a larger one', Buffer.from('abcdef').subarray(2, 4), '6364'],
  ['an ArrayBuffer', Uint8Array.of(1, 2).buffer, '0102'],
  ['a number', -28.5, Buffer.from('-28.5').toString('hex')],
  ['a bigint', 10n ** 30n, Buffer.from(`1${'0'.repeat(30)}`).toString('hex')],
  ['true', true, Buffer.from('true').toString('hex')],
  ['false', false, Buffer.from('false').toString('hex')],
]
for (const [what, payload, bytes] of payloads) {
  test(`a payload can be ${what}`, async (t) => {
    const { client, session } = await paired(t)
    await client.publish('a', payload)
    t.is((await session.next('publish')).hex, packet('30', field('a'), bytes))
  })
}

const v5 = { protocol: ProtocolVersion.V5, timeout: 5 }

const publishProperties: Array<[string, NonNullable<PublishOptions['properties']>, string]> = [
  ['a payload format', { payloadFormatIndicator: 1 }, '01 01'],
  ['the longest expiry', { messageExpiryInterval: 0xffffffff }, '02 ffffffff'],
  ['a content type', { contentType: 'application/json' }, `03 ${field('application/json')}`],
  ['a response topic', { responseTopic: 'ä' }, `08 ${field('ä')}`],
  ['correlation data', { correlationData: Buffer.of(0, 255, 10) }, '09 0003 00ff0a'],
  ['a user property', { userProperty: [['k', 'v']] }, hex('26', field('k'), field('v'))],
]
for (const [what, properties, bytes] of publishProperties) {
  test(`MQTT 5: PUBLISH carries ${what}`, async (t) => {
    const { client, session } = await paired(t, v5)
    await client.publish('a', 'x', { properties })
    const length = (hex(bytes).length / 2).toString(16).padStart(2, '0')
    t.is((await session.next('publish')).hex, packet('30', field('a'), length, bytes, '78'))
  })
}

test('MQTT 5: PUBLISH carries many properties at once, their length in more than one byte', async (t) => {
  const { client, session } = await paired(t, v5)
  const userProperty = Array.from({ length: 50 }, (_, index): [string, string] => [
    `key ${index}`,
    `value ${index}`,
  ])
  await client.publish('a', 'x', { properties: { userProperty, contentType: 'c', messageExpiryInterval: 3 } })
  const { properties } = await session.next('publish')
  t.like(properties, { contentType: 'c', messageExpiryInterval: 3 })
  t.deepEqual(Object.entries(properties?.userProperties ?? {}), userProperty)
})

for (const qos of [1, 2] as const) {
  test(`MQTT 5: a negative ${qos === 1 ? 'PUBACK' : 'PUBREC'} rejects with its reason and ends the exchange`, async (t) => {
    const { client, session } = await paired(t, { ...v5, maxInflightMessages: 1 })
    const publishing = client.publish('a', '', { qos })
    await session.next('publish')
    session.send(`${qos === 1 ? '40' : '50'} 03 0001 87`)
    const error = await rejection(atOnce, 'publishing', publishing)
    t.true(error instanceof MqttCodeError)
    t.is((error as MqttCodeError).message, '[code:135] Not authorized')
    t.is(Number((error as MqttCodeError).rc), 135)
    const next = client.publish('b', '', { qos: 1 })
    const { topic, messageId = 0 } = await session.next('publish')
    t.is(topic, 'b')
    session.send({ cmd: 'puback', messageId, reasonCode: 0 })
    await within(patience, 'publishing', next)
  })

  test(`MQTT 5: ${qos === 1 ? 'PUBACK' : 'PUBREC'} without a matching subscriber is a success`, async (t) => {
    const { client, session } = await paired(t, v5)
    const publishing = client.publish('a', '', { qos })
    await session.next('publish')
    if (qos === 1) {
      session.send('40 03 0001 10')
    } else {
      session.send('50 03 0001 10')
      t.is((await session.next('pubrel')).messageId, 1)
      session.send('70 03 0001 00')
    }
    await within(patience, 'publishing', publishing)
    t.pass()
  })
}

test('MQTT 5: PUBACK may carry properties', async (t) => {
  const { client, session } = await paired(t, v5)
  const publishing = client.publish('a', '', { qos: 1 })
  await session.next('publish')
  const properties = { reasonString: 'quota', userProperties: { a: 'b' } }
  session.send({ cmd: 'puback', messageId: 1, reasonCode: 151, properties })
  await t.throwsAsync(publishing, { instanceOf: MqttCodeError, message: '[code:151] Quota exceeded' })
})

test('MQTT 5: a negative PUBCOMP rejects with its reason', async (t) => {
  const { client, session } = await paired(t, v5)
  const publishing = client.publish('a', '', { qos: 2 })
  await session.next('publish')
  session.send('50 02 0001')
  await session.next('pubrel')
  session.send('70 03 0001 92')
  await t.throwsAsync(publishing, {
    instanceOf: MqttCodeError,
    message: '[code:146] Packet identifier not found',
  })
})

test('MQTT 5: the broker’s Receive Maximum bounds what is in flight', async (t) => {
  const { client, session } = await paired(t, v5, { properties: { receiveMaximum: 1 } })
  const publishing = [client.publish('first', '', { qos: 1 }), client.publish('second', '', { qos: 2 })]
  await session.next('publish')
  await client.publish('marker', '')
  t.is((await session.next('publish')).topic, 'marker')
  session.send('40 02 0001')
  const { topic, messageId = 0 } = await session.next('publish')
  t.is(topic, 'second')
  session.send({ cmd: 'pubrec', messageId, reasonCode: 0 })
  await session.next('pubrel')
  session.send({ cmd: 'pubcomp', messageId, reasonCode: 0 })
  await within(patience, 'publishing', Promise.all(publishing))
})

test('MQTT 5: a Receive Maximum holds for its connection only', async (t) => {
  const { client, session, peer } = await paired(t, v5, { properties: { receiveMaximum: 1 } })
  await client.disconnect()
  await session.next('disconnect')
  const connecting = client.connect()
  const second = await peer.welcome()
  await within(patience, 'connecting', connecting)
  const publishing = [client.publish('a', '', { qos: 1 }), client.publish('b', '', { qos: 1 })]
  for (const { messageId = 0 } of await second.take('publish', 2)) {
    second.send({ cmd: 'puback', messageId, reasonCode: 0 })
  }
  await within(patience, 'publishing', Promise.all(publishing))
  t.pass()
})

const refused: Array<[string, object, PublishOptions, PayloadType, string]> = [
  ['QoS 1 above a Maximum QoS of 0', { maximumQoS: 0 }, { qos: 1 }, '', '[code:155] QoS not supported'],
  ['QoS 2 above a Maximum QoS of 1', { maximumQoS: 1 }, { qos: 2 }, '', '[code:155] QoS not supported'],
  [
    'a retained message without Retain Available',
    { retainAvailable: false },
    { retain: true },
    '',
    '[code:154] Retain not supported',
  ],
  [
    'a packet above the Maximum Packet Size',
    { maximumPacketSize: 30 },
    {},
    Buffer.alloc(25),
    '[code:149] Packet too large',
  ],
  [
    'a topic alias above the Topic Alias Maximum',
    { topicAliasMaximum: 2 },
    { properties: { topicAlias: 3 } },
    '',
    '[code:148] Topic alias invalid',
  ],
  [
    'a topic alias without a Topic Alias Maximum',
    {},
    { properties: { topicAlias: 1 } },
    '',
    '[code:148] Topic alias invalid',
  ],
]
for (const [what, properties, options, payload, message] of refused) {
  test(`MQTT 5: ${what} is refused before anything is sent`, async (t) => {
    const { client, session } = await paired(t, v5, { properties })
    await t.throwsAsync(client.publish('a', payload, options), { instanceOf: MqttCodeError, message })
    await client.publish('marker', '')
    t.is((await session.next('publish')).topic, 'marker')
  })
}

test('MQTT 5: a packet of just the Maximum Packet Size is sent', async (t) => {
  const { client, session } = await paired(t, v5, { properties: { maximumPacketSize: 30 } })
  await client.publish('a', Buffer.alloc(24))
  t.is((await session.next('publish')).raw.length, 30)
})

test('MQTT 5: SUBSCRIBE and UNSUBSCRIBE above the Maximum Packet Size are refused, too', async (t) => {
  const { client, session } = await paired(t, v5, { properties: { maximumPacketSize: 30 } })
  const message = '[code:149] Packet too large'
  await t.throwsAsync(client.subscribe('a'.repeat(30)), { instanceOf: MqttCodeError, message })
  await t.throwsAsync(client.unsubscribe('a'.repeat(30)), { instanceOf: MqttCodeError, message })
  await client.publish('marker', '')
  t.is((await session.next('publish')).topic, 'marker')
})

test('MQTT 5: an alias of the caller’s own is sent, and an empty topic with it afterwards', async (t) => {
  const { client, session } = await paired(t, v5, { properties: { topicAliasMaximum: 2 } })
  await client.publish('a/b', 'x', { properties: { topicAlias: 2 } })
  t.is((await session.next('publish')).hex, packet('30', field('a/b'), '03 23 0002', '78'))
  await client.publish('', 'y', { properties: { topicAlias: 2 } })
  t.is((await session.next('publish')).hex, packet('30', '0000', '03 23 0002', '79'))
})

const bad: Array<[string, () => [string, PayloadType?, PublishOptions?], string]> = [
  ['an empty topic', () => [''], 'Invalid topic.'],
  ['a topic with #', () => ['a/#'], 'Publish topic cannot contain wildcards.'],
  ['a topic with +', () => ['a+b'], 'Publish topic cannot contain wildcards.'],
  ['a topic of 65536 bytes', () => ['ä'.repeat(32_768)], 'Publish topic is too long.'],
  ['QoS 3', () => ['a', '', { qos: 3 as 2 }], 'Invalid QoS level.'],
  [
    'properties on MQTT 3.1.1',
    () => ['a', '', { properties: { contentType: 'x' } }],
    'Properties only apply to MQTT V5',
  ],
]
for (const [what, call, message] of bad) {
  test(`${what} is refused before anything is sent, offline too`, async (t) => {
    const { client, session } = await paired(t)
    await t.throwsAsync(client.publish(...call()), { instanceOf: RangeError, message })
    await client.publish('marker', '')
    t.is((await session.next('publish')).topic, 'marker')
    await client.disconnect()
    await t.throwsAsync(client.publish(...call()), { instanceOf: RangeError, message })
  })
}

for (const [what, topic] of [
  ['NUL', 'a\0b'],
  ['a lone surrogate', 'a\ud800b'],
] as const) {
  test(`a topic with ${what} is refused before anything is sent`, async (t) => {
    const { client, session } = await paired(t)
    await t.throwsAsync(client.publish(topic), { instanceOf: RangeError })
    await t.throwsAsync(client.subscribe(topic), { instanceOf: RangeError })
    await t.throwsAsync(client.unsubscribe(topic), { instanceOf: RangeError })
    await client.publish('marker', '')
    t.is((await session.next('publish')).topic, 'marker')
  })
}

test('a payload of another type is refused with Python’s text', async (t) => {
  const { client, session } = await paired(t)
  for (const payload of [{}, [], new Date(), Symbol('s'), () => 'x']) {
    await t.throwsAsync(client.publish('a', payload as string), {
      instanceOf: TypeError,
      message: 'payload must be a string, bytearray, int, float or None.',
    })
  }
  await client.publish('marker', '')
  t.is((await session.next('publish')).topic, 'marker')
})

test.serial('a payload above the protocol’s limit is refused', async (t) => {
  const { client } = await paired(t)
  const payload = Buffer.allocUnsafeSlow(268_435_456)
  await t.throwsAsync(client.publish('a', payload), { instanceOf: RangeError, message: 'Payload too large.' })
})

test('beyond maxQueuedOutgoingMessages a publish is refused, while QoS 0 goes on', async (t) => {
  const { client, session } = await paired(t, { maxQueuedOutgoingMessages: 2, maxInflightMessages: 1 })
  const publishing = [client.publish('a', '1', { qos: 1 }), client.publish('a', '2', { qos: 1 })]
  await t.throwsAsync(client.publish('a', '3', { qos: 1 }), {
    instanceOf: MqttCodeError,
    message: '[code:15] Message queue full.',
  })
  await client.publish('zero', '')
  session.send('40 02 0001')
  await within(patience, 'publishing', publishing[0] as Promise<void>)
  publishing.push(client.publish('a', '4', { qos: 1 }))
  const topics: string[] = []
  for (let count = 0; count < 3; count++) topics.push(`${(await session.next('publish')).payload}`)
  t.deepEqual(topics.sort(), ['', '1', '2'])
  session.send('40 02 0002')
  t.is(String((await session.next('publish')).payload), '4')
  session.send('40 02 0003')
  await within(patience, 'publishing', Promise.all(publishing))
})

test('maxConcurrentOutgoingCalls holds back further calls until one is answered', async (t) => {
  const { client, session } = await paired(t, { maxConcurrentOutgoingCalls: 1 })
  const first = client.publish('a', '', { qos: 1 })
  const second = client.subscribe('b')
  await session.next('publish')
  await roundTrip(client, session)
  session.send('40 02 0001')
  await within(patience, 'publishing', first)
  const { messageId = 0 } = await session.next('subscribe')
  session.send({ cmd: 'suback', messageId, granted: [0] })
  t.is((await within(patience, 'subscribing', second)).length, 1)
})
