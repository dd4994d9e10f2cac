import { type Message, ProtocolVersion } from 'aiomqtt'
import test, { type ExecutionContext } from 'ava'
import { field, hex, packet } from '../helpers/bytes.js'
import {
  atOnce,
  isPending,
  nextMessage,
  nextMessages,
  paired,
  patience,
  roundTrip,
} from '../helpers/client.js'
import { rejection, within } from '../helpers/deadline.js'
import { protocols } from '../helpers/protocols.js'

const v5 = { protocol: ProtocolVersion.V5 }

function summary({ topic, payload, qos, retain, dup, mid, properties }: Message): object {
  return {
    topic: topic.value,
    payload: payload.toString('hex'),
    qos,
    retain,
    dup,
    mid,
    properties: properties?.toJSON(),
  }
}

for (const { name, protocol } of protocols) {
  const properties = protocol === ProtocolVersion.V5 ? '00' : ''
  const none = protocol === ProtocolVersion.V5 ? {} : undefined
  const publish = (first: string, ...parts: string[]) => packet(first, ...parts)

  test(`${name}: a message of QoS 0 is not acknowledged`, async (t) => {
    const { client, session } = await paired(t, { protocol })
    session.send(publish('31', field('ä/b'), properties, '00ff'))
    const message = await nextMessage(client)
    const expected = {
      topic: 'ä/b',
      payload: '00ff',
      qos: 0,
      retain: true,
      dup: false,
      mid: 0,
      properties: none,
    }
    t.deepEqual(summary(message), expected)
    if (protocol !== ProtocolVersion.V5) t.is(message.properties, null)
    await roundTrip(client, session)
  })

  test(`${name}: a message of QoS 1 is acknowledged with PUBACK`, async (t) => {
    const { client, session } = await paired(t, { protocol })
    session.send(publish('32', field('a'), '1234', properties, '78'))
    t.is((await session.next('puback')).hex, hex('40 02 1234'))
    const expected = {
      topic: 'a',
      payload: '78',
      qos: 1,
      retain: false,
      dup: false,
      mid: 0x1234,
      properties: none,
    }
    t.deepEqual(summary(await nextMessage(client)), expected)
  })

  test(`${name}: a message of QoS 2 is delivered when its PUBREL came`, async (t) => {
    const { client, session } = await paired(t, { protocol })
    session.send(publish('34', field('a'), 'ffff', properties, '78'))
    t.is((await session.next('pubrec')).hex, hex('50 02 ffff'))
    const next = client.messages.next()
    t.true(await isPending(next))
    session.send('62 02 ffff')
    t.is((await session.next('pubcomp')).hex, hex('70 02 ffff'))
    const expected = {
      topic: 'a',
      payload: '78',
      qos: 2,
      retain: false,
      dup: false,
      mid: 0xffff,
      properties: none,
    }
    t.deepEqual(summary(await nextMessage(client, next)), expected)
  })

  test(`${name}: a message of QoS 2 that is sent again before its PUBREL is delivered once`, async (t) => {
    const { client, session } = await paired(t, { protocol })
    session.send(publish('34', field('a'), '0001', properties, '78'))
    await session.next('pubrec')
    session.send(publish('3c', field('a'), '0001', properties, '78'))
    t.is((await session.next('pubrec')).messageId, 1)
    session.send('62 02 0001')
    await session.next('pubcomp')
    t.is((await nextMessage(client)).topic.value, 'a')
    await roundTrip(client, session)
    t.is(client.messages.length, 0)
  })

  test(`${name}: a packet identifier serves the next message of QoS 2 after PUBCOMP`, async (t) => {
    const { client, session } = await paired(t, { protocol })
    for (const topic of ['first', 'second']) {
      session.send(publish('34', field(topic), '0001', properties, '78'))
      await session.next('pubrec')
      session.send('62 02 0001')
      await session.next('pubcomp')
      t.is((await nextMessage(client)).topic.value, topic)
    }
  })

  test(`${name}: PUBREL for an unknown packet identifier is answered with PUBCOMP and delivers nothing`, async (t) => {
    const { client, session } = await paired(t, { protocol })
    session.send('62 02 0007')
    t.is((await session.next('pubcomp')).messageId, 7)
    await roundTrip(client, session)
  })

  test(`${name}: a message of QoS 1 that is sent again is delivered again and says so`, async (t) => {
    const { client, session } = await paired(t, { protocol })
    session.send(
      publish('32', field('a'), '0001', properties, '78'),
      publish('3a', field('a'), '0001', properties, '78'),
    )
    await session.take('puback', 2)
    const [first, second] = await nextMessages(client, 2)
    t.deepEqual([first?.dup, second?.dup], [false, true])
  })

  test(`${name}: messages of all levels keep the order in which they become due`, async (t) => {
    const { client, session } = await paired(t, { protocol })
    session.send(
      publish('34', field('two'), '0001', properties),
      publish('32', field('one'), '0002', properties),
      publish('30', field('zero'), properties),
      '62 02 0001',
    )
    const topics = (await nextMessages(client, 3)).map(({ topic }) => topic.value)
    t.deepEqual(topics, ['one', 'zero', 'two'])
  })

  test(`${name}: messages that come byte by byte are whole`, async (t) => {
    const { client, session } = await paired(t, { protocol })
    const bytes = session.encode(publish('32', field('a/ä'), '0001', properties, field('payload')))
    for (const byte of Buffer.concat([bytes, bytes])) {
      await new Promise<void>((resolve) => session.socket.write(Uint8Array.of(byte), () => resolve()))
    }
    for (const message of await nextMessages(client, 2))
      t.is(message.payload.toString('latin1'), '\0\u0007payload')
    await session.take('puback', 2)
  })

  test.serial(`${name}: ten thousand messages in one burst all arrive, in order`, async (t) => {
    const { client, session } = await paired(t, { protocol })
    const burst: string[] = []
    for (let index = 0; index < 10_000; index++) {
      burst.push(
        publish('30', field(`topic/${index % 7}`), properties, Buffer.from(String(index)).toString('hex')),
      )
    }
    session.send(burst.join(''))
    const messages = await nextMessages(client, 10_000)
    t.true(messages.every((message, index) => message.text() === String(index)))
    t.true(messages.every((message, index) => message.topic.value === `topic/${index % 7}`))
  })

  for (const length of [0, 1, 127, 128, 16_383, 16_384, 2_097_152, 20_000_000]) {
    test.serial(`${name}: a payload of ${length} bytes arrives whole`, async (t) => {
      const { client, session } = await paired(t, { protocol })
      const payload = Buffer.alloc(length, '0123456789abcdef!')
      session.send({ cmd: 'publish', topic: 'a', payload, qos: 1, messageId: 1, dup: false, retain: false })
      await session.next('puback')
      const message = await nextMessage(client)
      t.true(payload.equals(message.payload))
    })
  }

  test(`${name}: an empty message between others keeps its place`, async (t) => {
    const { client, session } = await paired(t, { protocol })
    session.send(
      publish('30', field('a'), properties, '31'),
      publish('30', field('a'), properties),
      publish('30', field('a'), properties, '33'),
    )
    t.deepEqual(
      (await nextMessages(client, 3)).map((message) => message.text()),
      ['1', '', '3'],
    )
  })

  test.serial(`${name}: more topics than any table of topics holds are told apart`, async (t) => {
    const { client, session } = await paired(t, { protocol })
    const count = 10_000
    for (let round = 0; round < 2; round++) {
      const burst: string[] = []
      for (let index = 0; index < count; index++) {
        burst.push(
          publish(
            '30',
            field(`device/${index}/state`),
            properties,
            Buffer.from(String(index)).toString('hex'),
          ),
        )
      }
      session.send(burst.join(''))
      for (const message of await nextMessages(client, count)) {
        if (message.topic.value !== `device/${message.text()}/state`)
          t.fail(`${message.topic} with ${message.text()}`)
      }
    }
    t.is(client.messages.length, 0)
  })

  test(`${name}: a kept message stays what it was when thousands came after it`, async (t) => {
    const { client, session } = await paired(t, { protocol })
    session.send(publish('30', field('kept'), properties, '6b657074'))
    const kept = await nextMessage(client)
    session.send(publish('30', field('other'), properties, '58'.repeat(50)).repeat(5_000))
    await nextMessages(client, 5_000)
    t.is(kept.topic.value, 'kept')
    t.is(kept.text(), 'kept')
  })

  test(`${name}: a topic may have NUL’s neighbours, spaces and any plane of Unicode`, async (t) => {
    const { client, session } = await paired(t, { protocol })
    for (const topic of [
      '/',
      ' ',
      'a b',
      '$SYS/x',
      '//',
      '\u0001',
      '\u{10ffff}',
      '\ufeffbom',
      'x'.repeat(65_535),
    ]) {
      session.send(publish('30', field(topic), properties))
      t.is((await nextMessage(client)).topic.value, topic)
    }
  })

  test(`${name}: text() and json() read the payload`, async (t) => {
    const { client, session } = await paired(t, { protocol })
    session.send(publish('30', field('a'), properties, Buffer.from('{"ä":[1]}').toString('hex')))
    const message = await nextMessage(client)
    t.is(message.text(), '{"ä":[1]}')
    t.deepEqual(message.json(), { ä: [1] })
    t.true(Buffer.isBuffer(message.payload))
  })
}

const inbound: Array<[string, string, object]> = [
  ['a payload format', '01 01', { payloadFormatIndicator: 1 }],
  ['an expiry', '02 ffffffff', { messageExpiryInterval: 0xffffffff }],
  ['a content type', hex('03', field('text/ä')), { contentType: 'text/ä' }],
  ['a response topic', hex('08', field('answers')), { responseTopic: 'answers' }],
  ['a subscription identifier', '0b ffffff7f', { subscriptionIdentifier: [268_435_455] }],
  ['several subscription identifiers', '0b 01 0b 8001', { subscriptionIdentifier: [1, 128] }],
  [
    'user properties in their order',
    hex('26', field('k'), field('v'), '26', field('k'), field('')),
    {
      userProperty: [
        ['k', 'v'],
        ['k', ''],
      ],
    },
  ],
]
for (const [what, bytes, expected] of inbound) {
  test(`MQTT 5: a message carries ${what}`, async (t) => {
    const { client, session } = await paired(t, v5)
    const length = (hex(bytes).length / 2).toString(16).padStart(2, '0')
    session.send(packet('30', field('a'), length, bytes, '78'))
    const message = await nextMessage(client)
    t.like(message.properties, expected)
    t.is(message.text(), 'x')
  })
}

test('MQTT 5: a message carries correlation data', async (t) => {
  const { client, session } = await paired(t, v5)
  session.send(packet('30', field('a'), '06 09 0003 00ff0a'))
  t.deepEqual([...((await nextMessage(client)).properties?.correlationData ?? [])], [0, 255, 10])
})

test('MQTT 5: a message without properties has an empty Properties', async (t) => {
  const { client, session } = await paired(t, v5)
  session.send(packet('30', field('a'), '00'))
  t.true((await nextMessage(client)).properties?.isEmpty())
})

test('MQTT 5: PUBREL may carry a reason and properties', async (t) => {
  const { client, session } = await paired(t, v5)
  session.send(packet('34', field('a'), '0001 00 78'))
  await session.next('pubrec')
  session.send({ cmd: 'pubrel', messageId: 1, reasonCode: 0, properties: { reasonString: 'why not' } })
  t.is((await session.next('pubcomp')).messageId, 1)
  t.is((await nextMessage(client)).text(), 'x')
})

test('MQTT 5: topic aliases of the broker stand for their topics', async (t) => {
  const { client, session } = await paired(t, { ...v5, properties: { topicAliasMaximum: 2 } })
  session.send(
    packet('30', field('first'), '03 23 0001', '31'),
    packet('30', field('second'), '03 23 0002', '32'),
    packet('30', '0000', '03 23 0001', '33'),
    packet('32', '0000', '0005', '03 23 0002', '34'),
    packet('30', field('third'), '03 23 0001', '35'),
    packet('30', '0000', '03 23 0001', '36'),
  )
  const seen = (await nextMessages(client, 6)).map((message) => [message.topic.value, message.text()])
  const topics = ['first', 'second', 'first', 'second', 'third', 'third']
  t.deepEqual(
    seen,
    topics.map((topic, index) => [topic, String(index + 1)]),
  )
})

test('MQTT 5: a message of QoS 2 by alias has the topic that the alias had when it came', async (t) => {
  const { client, session } = await paired(t, { ...v5, properties: { topicAliasMaximum: 1 } })
  session.send(
    packet('30', field('old'), '03 23 0001'),
    packet('34', '0000', '0001', '03 23 0001'),
    packet('30', field('new'), '03 23 0001'),
    '62 02 0001',
  )
  t.deepEqual(
    (await nextMessages(client, 3)).map(({ topic }) => topic.value),
    ['old', 'new', 'old'],
  )
})

test('MQTT 5: topic aliases end with their connection', async (t) => {
  const { client, session, peer } = await paired(t, { ...v5, properties: { topicAliasMaximum: 1 } })
  session.send(packet('30', field('a'), '03 23 0001'))
  await nextMessage(client)
  await client.disconnect()
  const connecting = client.connect()
  const second = await peer.welcome()
  await within(patience, 'connecting', connecting)
  const next = rejection(atOnce, 'the next message', client.messages.next())
  second.send(packet('30', '0000', '03 23 0001'))
  t.is(((await next) as Error).message, 'Disconnected during message iteration')
})

for (const [what, count] of [['one more message of QoS 2', 3]] as const) {
  test(`MQTT 5: ${what} than the client’s Receive Maximum ends the connection`, async (t) => {
    const { client, session } = await paired(t, { ...v5, properties: { receiveMaximum: 2 } })
    const next = rejection(atOnce, 'the next message', client.messages.next())
    for (let identifier = 1; identifier <= count; identifier++)
      session.send(packet('34', field('a'), `000${identifier}`, '00'))
    const error = (await next) as Error
    t.is(error.message, 'Disconnected during message iteration')
    t.is((error.cause as Error).message, '[code:147] Receive maximum exceeded')
  })
}

test('MQTT 5: a packet above the client’s Maximum Packet Size ends the connection', async (t) => {
  const { client, session } = await paired(t, { ...v5, properties: { maximumPacketSize: 100 } })
  session.send({ cmd: 'publish', topic: 'a', payload: Buffer.alloc(94), qos: 0, dup: false, retain: false })
  t.is((await nextMessage(client)).payload.length, 94)
  const next = rejection(atOnce, 'the next message', client.messages.next())
  session.send({ cmd: 'publish', topic: 'a', payload: Buffer.alloc(95), qos: 0, dup: false, retain: false })
  const error = (await next) as Error
  t.is((error.cause as Error).message, '[code:149] Packet too large')
})

test('MQTT 3.1.1: the queue survives a reconnect', async (t) => {
  const { client, session, peer } = await paired(t)
  session.send(packet('32', field('old'), '0001'))
  await session.next('puback')
  await client.disconnect()
  const connecting = client.connect()
  const second = await peer.welcome()
  await within(patience, 'connecting', connecting)
  second.send(packet('30', field('new')))
  t.deepEqual(
    (await nextMessages(client, 2)).map(({ topic }) => topic.value),
    ['old', 'new'],
  )
})

/** A client whose connection is lost between PUBREC and PUBREL of a message with identifier 1, and its next connection. */
async function received(
  t: ExecutionContext,
  protocol: ProtocolVersion,
  topic: string,
  sessionPresent: boolean,
) {
  const isV5 = protocol === ProtocolVersion.V5
  const { client, session, peer } = await paired(t, {
    protocol,
    identifier: 'id',
    ...(isV5 ? { cleanStart: false, properties: { sessionExpiryInterval: 60 } } : { cleanSession: false }),
  })
  session.send(packet('34', field(topic), '0001', isV5 ? '00' : '', '78'))
  await session.next('pubrec')
  const loss = rejection(atOnce, 'the loss', client.messages.next())
  session.reset()
  await loss
  const connecting = client.connect()
  const second = await peer.welcome({ sessionPresent })
  await within(patience, 'connecting', connecting)
  return { client, second }
}

for (const { name, protocol } of protocols) {
  test(`${name}: a message of QoS 2 that was received before the loss is delivered when the session goes on`, async (t) => {
    const { client, second } = await received(t, protocol, 'a', true)
    second.send('62 02 0001')
    t.is((await second.next('pubcomp')).messageId, 1)
    t.is((await nextMessage(client)).text(), 'x')
  })

  test(`${name}: a message of QoS 2 that was sent again in a session that goes on is delivered once`, async (t) => {
    const properties = protocol === ProtocolVersion.V5 ? '00' : ''
    const { client, second } = await received(t, protocol, 'a', true)
    second.send(packet('3c', field('a'), '0001', properties, '78'))
    await second.next('pubrec')
    second.send('62 02 0001')
    await second.next('pubcomp')
    t.is((await nextMessage(client)).text(), 'x')
    await roundTrip(client, second)
    t.is(client.messages.length, 0)
  })

  // MQTT 3.1 has no Session Present: there a client cannot know.
  if (protocol === ProtocolVersion.V31) continue
  test(`${name}: a message of QoS 2 without its PUBREL is forgotten when the broker has no session`, async (t) => {
    const properties = protocol === ProtocolVersion.V5 ? '00' : ''
    const { client, second } = await received(t, protocol, 'old', false)
    second.send(packet('34', field('new'), '0001', properties))
    await second.next('pubrec')
    second.send('62 02 0001')
    await second.next('pubcomp')
    t.is((await nextMessage(client)).topic.value, 'new')
  })
}
