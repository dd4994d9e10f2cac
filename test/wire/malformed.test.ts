import { MqttCodeError, ProtocolVersion } from 'aiomqtt'
import test from 'ava'
import { field, packet } from '../helpers/bytes.js'
import { atOnce, clientOf, isPending, listening, nextMessage, paired, patience } from '../helpers/client.js'
import { rejection, within } from '../helpers/deadline.js'
import { protocols } from '../helpers/protocols.js'

const { V31, V311, V5 } = ProtocolVersion
const all = [V31, V311, V5]
const v3 = [V31, V311]

/** What no server may send on a connection that was accepted: bytes by protocol version. */
const packets: Array<
  [what: string, bytes: string | ((properties: string) => string), versions?: readonly ProtocolVersion[]]
> = [
  ['the reserved packet type 0', '00 00'],
  ['the reserved packet type 15', 'f0 00', v3],
  ['AUTH without an authentication', 'f0 00', [V5]],
  ['CONNECT', packet('10', field('MQTT'), '04 02 003c 0000')],
  ['SUBSCRIBE', packet('82', '0001', field('a'), '00')],
  ['UNSUBSCRIBE', packet('a2', '0001', field('a'))],
  ['PINGREQ', 'c0 00'],
  ['DISCONNECT before MQTT 5', 'e0 00', v3],
  ['a second CONNACK', '20 02 0000', v3],
  ['a second CONNACK', '20 03 000000', [V5]],
  ['a remaining length of five bytes', '30 ff ff ff ff 01'],
  ['a remaining length that is never finished', '30 80 80 80 80'],
  ['a PUBLISH of QoS 3', (properties) => packet('36', field('a'), '0001', properties)],
  ['a PUBLISH of QoS 0 with DUP', (properties) => packet('38', field('a'), properties), [V311, V5]],
  ['a PUBLISH without a topic', (properties) => packet('30', '0000', properties)],
  ['an empty PUBLISH', '30 00'],
  ['a PUBLISH with half a topic length', '30 01 00'],
  ['a PUBLISH that ends within its topic', '30 04 0003 6161'],
  ['a PUBLISH that ends before its packet identifier', '32 04 0001 61 00'],
  ['a PUBLISH with packet identifier 0', (properties) => packet('32', field('a'), '0000', properties)],
  ['a PUBLISH with # in its topic', (properties) => packet('30', field('a/#'), properties)],
  ['a PUBLISH with + in its topic', (properties) => packet('30', field('+'), properties)],
  ['a PUBLISH with NUL in its topic', (properties) => packet('30', '0003 610062', properties)],
  ['a PUBLISH with a lone byte of UTF-8', (properties) => packet('30', '0001 80', properties)],
  ['a PUBLISH with a cut UTF-8 sequence', (properties) => packet('30', '0002 61c3', properties)],
  ['a PUBLISH with overlong UTF-8', (properties) => packet('30', '0002 c0af', properties)],
  ['a PUBLISH with a surrogate in its topic', (properties) => packet('30', '0003 eda080', properties)],
  ['a PUBLISH beyond Unicode', (properties) => packet('30', '0004 f4908080', properties)],
  ['a PUBLISH of QoS 2 with an invalid topic', (properties) => packet('34', '0001 80', '0001', properties)],
  ['an empty PUBACK', '40 00'],
  ['a PUBACK with half an identifier', '40 01 00'],
  ['a PUBACK with packet identifier 0', '40 02 0000'],
  ['a PUBACK with flags', '41 02 0001'],
  ['a PUBACK with more than an identifier', '40 03 000100', v3],
  ['a PUBREC with flags', '52 02 0001'],
  ['a PUBREL without its flags', '60 02 0001'],
  ['an empty PUBREL', '62 00'],
  ['a PUBREL with packet identifier 0', '62 02 0000'],
  ['a PUBCOMP with flags', '71 02 0001'],
  ['a SUBACK with flags', '91 03 000100'],
  ['an empty SUBACK', '90 00'],
  ['an UNSUBACK with flags', 'b2 02 0001', v3],
  ['an UNSUBACK with flags', 'b2 04 0001 00 00', [V5]],
  ['an empty UNSUBACK', 'b0 00'],
  ['an UNSUBACK with codes before MQTT 5', 'b0 03 000100', v3],
  ['a PINGRESP with flags', 'd1 00'],
  ['a PINGRESP with a body', 'd0 01 00'],
  ['a DISCONNECT with flags', 'e2 00', [V5]],
  ['a DISCONNECT with a code that does not exist', 'e0 01 7f', [V5]],
  ['a DISCONNECT with bytes after its properties', 'e0 03 00 00 00', [V5]],
  ['a PUBACK with a code that does not exist', '40 03 0001 7f', [V5]],
  ['a PUBLISH without properties', '30 03 0001 61', [V5]],
  ['a PUBLISH whose properties run past its end', packet('30', field('a'), '05 01 01'), [V5]],
  ['a PUBLISH whose property length takes five bytes', packet('30', field('a'), 'ff ff ff ff 01'), [V5]],
  ['a PUBLISH with an unknown property', packet('30', field('a'), '02 7f 00'), [V5]],
  ['a PUBLISH with a property of CONNACK', packet('30', field('a'), '03 21 0001'), [V5]],
  ['a PUBLISH with a property twice', packet('30', field('a'), '04 01 00 01 00'), [V5]],
  ['a PUBLISH with a cut property', packet('30', field('a'), '03 02 0000'), [V5]],
  ['a PUBLISH with half a user property', packet('30', field('a'), '04 26', field('k')), [V5]],
  ['a PUBLISH with a property that is not UTF-8', packet('30', field('a'), '04 03 0001 80'), [V5]],
  ['a PUBLISH with payload format 2', packet('30', field('a'), '02 01 02'), [V5]],
  ['a PUBLISH with subscription identifier 0', packet('30', field('a'), '02 0b 00'), [V5]],
  ['a PUBLISH with a wildcard in its response topic', packet('30', field('a'), '04 08', field('#')), [V5]],
  ['a PUBLISH with topic alias 0', packet('30', field('a'), '03 23 0000'), [V5]],
  ['a topic alias although none is allowed', packet('30', field('a'), '03 23 0001'), [V5]],
]

for (const { name, protocol } of protocols) {
  for (const [what, bytes, versions = all] of packets) {
    if (!versions.includes(protocol)) continue
    test(`${name}: ${what} from the broker ends the connection with an error that says so`, async (t) => {
      const { client, session, peer } = await paired(t, { protocol })
      const next = rejection(atOnce, 'the next message', client.messages.next())
      const publishing = rejection(atOnce, 'publishing', client.publish('a', 'b', { qos: 1 }))
      await session.next('publish')
      session.send(typeof bytes === 'string' ? bytes : bytes(protocol === V5 ? '00' : ''))
      const error = (await next) as Error
      t.is(error.message, 'Disconnected during message iteration')
      for (const reason of [error.cause, await publishing]) {
        t.true(reason instanceof MqttCodeError)
        const { message, rc, cause } = reason as MqttCodeError
        t.regex(message, /^\[code:(129|130|148)\] (Malformed packet|Protocol error|Topic alias invalid)$/)
        t.true(cause instanceof Error && cause.message.length > 10, 'the cause explains it')
        if (protocol === V5) t.is(Number(rc), Number(/\d+/.exec(message)))
      }
      if (protocol === V5) {
        const { reasonCode } = await session.next('disconnect')
        t.is(reasonCode, Number((error.cause as MqttCodeError).rc))
      }
      await within(patience, 'the end of the connection', session.ended)

      const connecting = client.connect()
      const second = await peer.welcome()
      await within(patience, 'connecting', connecting)
      second.send(packet('30', field('again'), protocol === V5 ? '00' : ''))
      t.is((await nextMessage(client)).topic.value, 'again')
    })
  }
}

/** What no server may answer to CONNECT. */
const answers: Array<[what: string, bytes: string, versions?: readonly ProtocolVersion[]]> = [
  ['a message before CONNACK', packet('30', field('a'), '00')],
  ['SUBACK before CONNACK', '90 03 000100'],
  ['PINGRESP before CONNACK', 'd0 00'],
  ['DISCONNECT before CONNACK', 'e0 00'],
  ['HTTP', Buffer.from('HTTP/1.1 400 Bad Request\r\n\r\n').toString('hex')],
  ['TLS', '15 03 03 00 02 02 46'],
  ['an empty CONNACK', '20 00'],
  ['half a CONNACK', '20 01 00'],
  ['a CONNACK that is too long', '20 03 000000', v3],
  ['a CONNACK with flags', '21 02 0000', v3],
  ['a CONNACK with flags', '21 03 000000', [V5]],
  ['a CONNACK with reserved acknowledge flags', '20 02 0200', [V311]],
  ['a CONNACK with reserved acknowledge flags', '20 03 020000', [V5]],
  ['a CONNACK that finds a session although it refuses', '20 02 0105', [V311]],
  ['a CONNACK that finds a session although none was wanted', '20 02 0100', [V311]],
  ['a CONNACK that finds a session although none was wanted', '20 03 010000', [V5]],
  ['a CONNACK without properties', '20 02 0000', [V5]],
  ['a CONNACK with a property twice', '20 09 0000 06 21 0001 21 0001', [V5]],
  ['a CONNACK with Receive Maximum 0', '20 06 0000 03 21 0000', [V5]],
  ['a CONNACK with Maximum Packet Size 0', '20 08 0000 05 27 00000000', [V5]],
  ['a CONNACK with Maximum QoS 2', '20 05 0000 02 24 02', [V5]],
  ['a CONNACK with a property of PUBLISH', '20 06 0000 03 23 0001', [V5]],
  ['a CONNACK with an unknown code', '20 03 0070 00', [V5]],
]

for (const { name, protocol } of protocols) {
  for (const [what, bytes, versions = all] of answers) {
    if (!versions.includes(protocol)) continue
    test(`${name}: ${what} makes connect() reject at once, and the next one works`, async (t) => {
      const peer = await listening(t)
      const client = clientOf(t, peer, { protocol, identifier: 'id' })
      const connecting = rejection(atOnce, 'connect()', client.connect())
      const session = await peer.accept()
      await session.next('connect')
      session.send(bytes)
      const error = await connecting
      t.true(error instanceof MqttCodeError)
      t.regex((error as Error).message, /^\[code:(129|130)\] (Malformed packet|Protocol error)$/)
      await within(patience, 'the end of the connection', session.ended)

      const again = client.connect()
      await peer.welcome()
      t.is(await within(patience, 'connecting', again), client)
    })
  }
}

test.serial(
  'whatever bytes a broker sends, the process lives and the connection goes on or ends',
  async (t) => {
    let state = 12_345
    const random = (below: number) => {
      state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0
      return (state >>> 8) % below
    }
    for (let round = 0; round < 150; round++) {
      const { protocol } = protocols[round % 3] as (typeof protocols)[number]
      const { client, session } = await paired(t, { protocol, timeout: 0.5 })
      const calls = Promise.allSettled([
        client.publish('a', '', { qos: 2 }),
        client.subscribe('a'),
        client.messages.next(),
      ])
      const bytes = Buffer.from(
        packet('32', field('topic'), '0001', protocol === V5 ? '0201 00' : '', '70617965'),
        'hex',
      )
      const noise = Buffer.concat([bytes, bytes, Buffer.from('90030001005002000140020001', 'hex')])
      for (let change = 0; change < 1 + random(4); change++) noise[random(noise.length)] = random(256)
      session.send(noise)
      session.close()
      for (const { status, reason } of (await within(
        patience,
        'every call',
        calls,
      )) as PromiseRejectedResult[]) {
        if (status === 'rejected') t.true(reason instanceof Error)
      }
      await within(patience, 'disconnecting', client.disconnect())
    }
  },
)

for (const { name, protocol } of protocols) {
  test.serial(
    `${name}: a packet that is announced but never comes does not hold back calls beyond their timeout`,
    async (t) => {
      const { client, session } = await paired(t, { protocol })
      session.send('30 ff ff ff 7f 0001 61')
      const next = client.messages.next()
      const before = process.memoryUsage.rss()
      const error = await rejection(patience, 'publishing', client.publish('a', '', { qos: 1, timeout: 0.1 }))
      t.is((error as Error).message, 'Operation timed out')
      t.true(await isPending(next))
      t.true(
        process.memoryUsage.rss() - before < 128 << 20,
        'memory is taken as bytes come, not as they are announced',
      )
      session.reset()
      await t.throwsAsync(within(atOnce, 'the loss', next), {
        message: 'Disconnected during message iteration',
      })
    },
  )
}
