import { type ClientOptions, PacketTypes, Properties, ProtocolVersion, Will } from 'aiomqtt'
import test from 'ava'
import { field, hex, packet } from '../helpers/bytes.js'
import { clientOf, isPending, listening, nextMessage, paired, patience } from '../helpers/client.js'
import { within } from '../helpers/deadline.js'
import { protocols } from '../helpers/protocols.js'

const head = {
  [ProtocolVersion.V31]: `${field('MQIsdp')} 03`,
  [ProtocolVersion.V311]: `${field('MQTT')} 04`,
  [ProtocolVersion.V5]: `${field('MQTT')} 05`,
}

test('MQTT 3.1.1 is the default, with keepalive 60, a clean session and an empty identifier', async (t) => {
  const { connect } = await paired(t)
  t.is(connect.hex, hex('10 0c 0004 4d515454 04 02 003c 0000'))
})

test('MQTT 5: CONNECT has empty properties, clean start and an empty identifier by default', async (t) => {
  const { connect } = await paired(t, { protocol: ProtocolVersion.V5 })
  t.is(connect.hex, hex('10 0d 0004 4d515454 05 02 003c 00 0000'))
})

test('MQTT 3.1: a client without an identifier makes up one of 22 letters and digits, another each time', async (t) => {
  const first = await paired(t, { protocol: ProtocolVersion.V31 })
  const second = await paired(t, { protocol: ProtocolVersion.V31 })
  t.is(first.connect.hex.slice(0, 28), hex('10 24 0006 4d5149736470 03 02 003c'))
  t.regex(first.connect.clientId, /^[0-9A-Za-z]{22}$/)
  t.is(first.client.identifier, first.connect.clientId)
  t.not(first.connect.clientId, second.connect.clientId)
})

for (const { name, protocol } of protocols) {
  const properties = protocol === ProtocolVersion.V5 ? '00' : ''

  test(`${name}: the identifier is sent in UTF-8`, async (t) => {
    const { connect, client } = await paired(t, { protocol, identifier: 'Gerät-€' })
    t.is(connect.hex, packet('10', head[protocol], '02 003c', properties, field('Gerät-€')))
    t.is(client.identifier, 'Gerät-€')
  })

  test(`${name}: a will of QoS 2, retained, with user name and password sets the flags f6`, async (t) => {
    const { connect } = await paired(t, {
      protocol,
      identifier: 'id',
      keepalive: 65535,
      username: 'üser',
      password: 'pässword',
      will: { topic: 'will/topic', payload: 'gone', qos: 2, retain: true },
    })
    const will = hex(properties, field('will/topic'), field('gone'))
    const login = hex(field('üser'), field('pässword'))
    t.is(connect.hex, packet('10', head[protocol], 'f6 ffff', properties, field('id'), will, login))
  })

  test(`${name}: a will without a payload is sent with an empty one`, async (t) => {
    const { connect } = await paired(t, { protocol, identifier: 'id', will: new Will('w', null, { qos: 1 }) })
    t.is(
      connect.hex,
      packet('10', head[protocol], '0e 003c', properties, field('id'), properties, field('w'), '0000'),
    )
  })

  test(`${name}: the same will is sent on each connect`, async (t) => {
    const peer = await listening(t)
    const client = clientOf(t, peer, {
      protocol,
      identifier: 'id',
      will: { topic: 'w', payload: Buffer.of(0, 255) },
    })
    for (let round = 0; round < 2; round++) {
      const connecting = client.connect()
      const session = await peer.accept()
      const connect = await session.next('connect')
      t.deepEqual(connect.will?.payload, Buffer.of(0, 255))
      session.welcome()
      await within(patience, 'connecting', connecting)
      await client.disconnect()
    }
  })

  test(`${name}: an empty user name is sent with zero length, and a password may be bytes`, async (t) => {
    const password = Buffer.from('00ff80', 'hex')
    const { connect } = await paired(t, { protocol, identifier: 'id', username: '', password })
    t.is(
      connect.hex,
      packet('10', head[protocol], 'c2 003c', properties, field('id'), '0000', field(password)),
    )
  })

  test(`${name}: a keepalive of 0 is sent as such`, async (t) => {
    const { connect } = await paired(t, { protocol, identifier: 'id', keepalive: 0 })
    t.is(connect.hex, packet('10', head[protocol], '02 0000', properties, field('id')))
  })

  test(`${name}: connect() resolves only after CONNACK, each time`, async (t) => {
    const peer = await listening(t)
    const client = clientOf(t, peer, { protocol })
    for (const leave of ['disconnect', 'loss', 'disconnect']) {
      const connecting = client.connect()
      const session = await peer.accept()
      await session.next('connect')
      t.true(await isPending(connecting))
      await t.throwsAsync(client.publish('early', 'x'), {
        message: '[code:4] The client is not currently connected.',
      })
      session.welcome()
      t.is(await within(patience, 'connecting', connecting), client)
      if (leave === 'disconnect') {
        await client.disconnect()
        t.is((await session.next('disconnect')).hex, 'e000')
      } else {
        session.reset()
        await t.throwsAsync(within(patience, 'the loss', client.messages.next()))
      }
    }
  })

  test(`${name}: messages that come in the same segment as CONNACK are not lost`, async (t) => {
    const peer = await listening(t)
    const client = clientOf(t, peer, { protocol })
    const connecting = client.connect()
    const session = await peer.accept()
    await session.next('connect')
    const code = protocol === ProtocolVersion.V5 ? { reasonCode: 0 } : { returnCode: 0 }
    session.send(
      { cmd: 'connack', sessionPresent: false, ...code },
      { cmd: 'publish', topic: 'first', payload: '1', qos: 0, dup: false, retain: false },
      { cmd: 'publish', topic: 'second', payload: '2', qos: 1, messageId: 7, dup: false, retain: false },
    )
    await within(patience, 'connecting', connecting)
    t.is((await nextMessage(client)).topic.value, 'first')
    t.is((await nextMessage(client)).topic.value, 'second')
    t.is((await session.next('puback')).messageId, 7)
  })

  test(`${name}: a CONNACK that comes byte by byte connects`, async (t) => {
    const peer = await listening(t)
    const client = clientOf(t, peer, { protocol })
    const connecting = client.connect()
    const session = await peer.accept()
    await session.next('connect')
    for (const byte of Buffer.from(protocol === ProtocolVersion.V5 ? '2003000000' : '20020000', 'hex')) {
      await new Promise<void>((resolve) => session.socket.write(Uint8Array.of(byte), () => resolve()))
    }
    await within(patience, 'connecting', connecting)
    await client.publish('a', 'b')
    t.is((await session.next('publish')).topic, 'a')
  })

  test(`${name}: nothing but CONNECT leaves before CONNACK`, async (t) => {
    const peer = await listening(t)
    const client = clientOf(t, peer, { protocol, timeout: 0.2 })
    const connecting = client.connect()
    const session = await peer.accept()
    const connect = await session.next('connect')
    await t.throwsAsync(connecting, { message: 'Operation timed out' })
    await within(patience, 'the end of the connection', session.ended)
    t.is(session.bytes.toString('hex'), connect.hex)
  })
}

for (const { name, protocol } of protocols.slice(0, 2)) {
  test(`${name}: cleanSession false asks for the session`, async (t) => {
    const { connect } = await paired(t, { protocol, identifier: 'id', cleanSession: false })
    t.is(connect.hex, packet('10', head[protocol], '00 003c', field('id')))
  })
}

test('MQTT 5: cleanStart false asks for the session', async (t) => {
  const { connect } = await paired(t, { protocol: ProtocolVersion.V5, identifier: 'id', cleanStart: false })
  t.is(connect.hex, packet('10', head[ProtocolVersion.V5], '00 003c 00', field('id')))
})

test('MQTT 5: without cleanStart every connect starts clean', async (t) => {
  const peer = await listening(t)
  const client = clientOf(t, peer, { protocol: ProtocolVersion.V5, identifier: 'id' })
  for (let round = 0; round < 2; round++) {
    const connecting = client.connect()
    const session = await peer.accept()
    t.true((await session.next('connect')).clean)
    session.welcome()
    await within(patience, 'connecting', connecting)
    await client.disconnect()
  }
})

const connectProperties: Array<[string, NonNullable<ClientOptions['properties']>, string]> = [
  ['a session that never expires', { sessionExpiryInterval: 0xffffffff }, '11 ffffffff'],
  ['a session expiry interval', { sessionExpiryInterval: 258 }, '11 00000102'],
  ['a receive maximum', { receiveMaximum: 1000 }, '21 03e8'],
  ['a maximum packet size', { maximumPacketSize: 268435455 }, '27 0fffffff'],
  ['a topic alias maximum', { topicAliasMaximum: 65535 }, '22 ffff'],
  ['request response information', { requestResponseInformation: 1 }, '19 01'],
  ['request problem information', { requestProblemInformation: 0 }, '17 00'],
  [
    'user properties in their order',
    {
      userProperty: [
        ['ä', '1'],
        ['b', '2'],
        ['ä', ''],
      ],
    },
    hex('26', field('ä'), field('1'), '26', field('b'), field('2'), '26', field('ä'), field('')),
  ],
]
for (const [what, properties, bytes] of connectProperties) {
  test(`MQTT 5: CONNECT carries ${what}`, async (t) => {
    const { connect } = await paired(t, { protocol: ProtocolVersion.V5, identifier: 'id', properties })
    const length = (hex(bytes).length / 2).toString(16).padStart(2, '0')
    t.is(connect.hex, packet('10', head[ProtocolVersion.V5], '02 003c', length, bytes, field('id')))
  })
}

test('MQTT 5: CONNECT carries several properties of a Properties object', async (t) => {
  const properties = new Properties(PacketTypes.CONNECT)
  properties.sessionExpiryInterval = 10
  properties.receiveMaximum = 20
  properties.userProperty = ['name', 'value']
  const { connect } = await paired(t, { protocol: ProtocolVersion.V5, properties })
  t.like(connect.properties, { sessionExpiryInterval: 10, receiveMaximum: 20 })
  t.deepEqual({ ...connect.properties?.userProperties }, { name: 'value' })
})

const willProperties: Array<[string, NonNullable<Will['properties']> | object, string]> = [
  ['a delay', { willDelayInterval: 0x80000000 }, '18 80000000'],
  ['a payload format', { payloadFormatIndicator: 1 }, '01 01'],
  ['an expiry', { messageExpiryInterval: 60 }, '02 0000003c'],
  ['a content type', { contentType: 'text/plain' }, `03 ${field('text/plain')}`],
  ['a response topic', { responseTopic: 'answers' }, `08 ${field('answers')}`],
  ['correlation data', { correlationData: Buffer.of(0, 255) }, '09 0002 00ff'],
  ['a user property', { userProperty: ['k', 'v'] }, hex('26', field('k'), field('v'))],
]
for (const [what, properties, bytes] of willProperties) {
  test(`MQTT 5: a will carries ${what}`, async (t) => {
    const will = { topic: 'w', payload: 'p', properties }
    const { connect } = await paired(t, { protocol: ProtocolVersion.V5, identifier: 'id', will })
    const length = (hex(bytes).length / 2).toString(16).padStart(2, '0')
    const tail = hex(length, bytes, field('w'), field('p'))
    t.is(connect.hex, packet('10', head[ProtocolVersion.V5], '06 003c 00', field('id'), tail))
  })
}

test('MQTT 5: the identifier that the broker assigned is the client’s', async (t) => {
  const properties = { assignedClientIdentifier: 'given-by-the-broker' }
  const { client } = await paired(t, { protocol: ProtocolVersion.V5 }, { properties })
  t.is(client.identifier, 'given-by-the-broker')
})

for (const { name, protocol } of protocols) {
  test(`${name}: a password without a user name is not sent`, async (t) => {
    const { connect } = await paired(t, { protocol, identifier: 'id', password: 'secret' })
    t.false(connect.raw.includes('secret'))
    t.is(connect.username, undefined)
  })
}

for (const { name, protocol } of protocols) {
  test.serial(
    `${name}: a small packet leaves at once although the one before was not acknowledged by TCP`,
    async (t) => {
      const { client, session } = await paired(t, { protocol })
      const started = performance.now()
      for (let round = 0; round < 60; round++) {
        await client.publish('a', 'b')
        await session.next('publish')
      }
      t.true(
        performance.now() - started < 700,
        'held back by Nagle’s algorithm, each packet would take 40 ms',
      )
    },
  )
}
