import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { UserProperty } from 'aiomqtt'
import test from 'ava'
import { WebSocketServer } from 'ws'
import { clientOf, listening, paired, patience, roundTrip } from '../helpers/client.js'
import { within } from '../helpers/deadline.js'

const LARGEST = 268_435_455

/** User properties of at least so many bytes in a packet; few large strings, all the same one. */
function userProperties(bytes: number): UserProperty[] {
  const name = 'k'.repeat(65_535)
  return Array.from({ length: Math.ceil(bytes / (5 + 65_535 + 1)) }, () => [name, 'v'] as const)
}

const tooLarge = { instanceOf: RangeError, code: 'ERR_MQTT_INVALID_ARG_VALUE', message: /too large/i }

test.serial('a packet above 268,435,455 bytes is a RangeError before anything is sent', async (t) => {
  const { client, session } = await paired(t, { protocol: 5 })
  const payload = Buffer.alloc(LARGEST)
  const alone = { userProperty: userProperties(LARGEST) }
  const half = { userProperty: userProperties(LARGEST / 2) }

  for (const qos of [0, 1, 2] as const) await t.throwsAsync(client.publish('a', payload, { qos }), tooLarge)
  await t.throwsAsync(client.publish('a', payload.buffer), tooLarge)
  await t.throwsAsync(client.publish('a', 'x', { properties: alone }), tooLarge)
  // Neither the properties nor the payload alone.
  const rest = payload.subarray(LARGEST / 2)
  await t.throwsAsync(client.publish('a', rest, { properties: half }), tooLarge)
  // Exactly one byte more than a packet holds: the topic's three bytes, the properties' length, the rest.
  await t.throwsAsync(client.publish('a', payload.subarray(0, LARGEST - 3)), tooLarge)
  await t.throwsAsync(client.publish('a', payload.subarray(0, LARGEST - 5), { qos: 1 }), tooLarge)

  await t.throwsAsync(client.subscribe('a', { properties: alone }), tooLarge)
  await t.throwsAsync(client.unsubscribe('a', { properties: alone }), tooLarge)
  const filters = Array.from({ length: 4200 }, () => 'f'.repeat(65_535))
  await t.throwsAsync(client.subscribe(filters), tooLarge)
  await t.throwsAsync(client.unsubscribe(filters), tooLarge)
  await roundTrip(client, session)
})

test.serial('on MQTT 3.1.1 the length of properties does not count', async (t) => {
  const { client, session } = await paired(t)
  await t.throwsAsync(client.publish('a', Buffer.alloc(LARGEST - 2)), tooLarge)
  await roundTrip(client, session)
})

test.serial('CONNECT with properties that no packet can hold is a RangeError', async (t) => {
  const peer = await listening(t)
  const alone = { userProperty: userProperties(LARGEST) }
  const half = { userProperty: userProperties(LARGEST / 2) }
  t.throws(() => clientOf(t, peer, { protocol: 5, properties: alone }), tooLarge)
  const will = { topic: 'w', payload: '', properties: half }
  t.throws(() => clientOf(t, peer, { protocol: 5, properties: half, will }), tooLarge)
})

for (const [what, bound] of [
  ['maximumPacketSize', { properties: { maximumPacketSize: 100_000 } }],
  ['maxQueuedIncomingBytes', { overflow: 'backpressure', maxQueuedIncomingBytes: 100_000 }],
  ['what a queue that drops may take', { maxQueuedIncomingBytes: 100_000 }],
] as const) {
  test.serial(`a WebSocket message above ${what} ends the connection by its first bytes`, async (t) => {
    const server = createServer()
    const sockets = new WebSocketServer({ server })
    sockets.on('connection', (connection, { socket }) => {
      // All that the broker sends after its CONNACK: the head of a frame of 250 MB, and the head of a PUBLISH in it.
      const frame = Buffer.alloc(10)
      frame.set([0x82, 127])
      frame.writeBigUInt64BE(250_000_000n, 2)
      connection.once('message', () => {
        connection.send(Buffer.from([0x20, 3, 0, 0, 0]))
        socket.write(Buffer.concat([frame, Buffer.from([0x30, 0xfb, 0xe5, 0x9a, 0x77])]))
      })
    })
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    t.teardown(() => server.close())
    const { port } = server.address() as AddressInfo
    const options = {
      protocol: 5,
      transport: 'websockets',
      ...bound,
    } as const
    const client = clientOf(t, { host: '127.0.0.1', port }, options)
    const error = await within(
      patience,
      'the end',
      t.throwsAsync(client.connect().then(() => client.messages.next())),
    )
    const texts: string[] = []
    for (let each: unknown = error; each instanceof Error; each = each.cause) texts.push(each.message)
    t.true(
      texts.some((text) => text.includes('larger than maximumPacketSize')),
      texts.join(' / '),
    )
  })
}
