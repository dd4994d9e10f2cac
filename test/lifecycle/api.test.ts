// What a client tells of its connection, and of the end of it.

import { Client, MqttCodeError, type MqttError, ProtocolVersion } from 'aiomqtt'
import test from 'ava'
import { atOnce, clientOf, listening, paired, patience } from '../helpers/client.js'
import { rejection, within } from '../helpers/deadline.js'
import { freePort } from '../helpers/mosquitto.js'
import type { Peer } from '../helpers/peer.js'
import { protocols } from '../helpers/protocols.js'
import { lasting, quickly, reached, welcomed } from '../helpers/reconnect.js'

const { V311, V5 } = ProtocolVersion

test('serverProperties and sessionPresent are the last CONNACK’s', async (t) => {
  const peer = await listening(t)
  const client = clientOf(t, peer, { protocol: V5, reconnect: quickly })
  t.is(client.serverProperties, null)
  t.false(client.sessionPresent)
  const connecting = client.connect()
  const session = await peer.welcome({ properties: { receiveMaximum: 7, maximumQoS: 1 } })
  await within(atOnce, 'connecting', connecting)
  t.is(client.serverProperties?.receiveMaximum, 7)
  t.is(client.serverProperties?.maximumQoS, 1)
  session.reset()
  await peer.welcome({ sessionPresent: true, properties: { receiveMaximum: 8 } })
  await reached(client, 'connected')
  t.is(client.serverProperties?.receiveMaximum, 8)
  t.is(client.serverProperties?.maximumQoS, undefined)
  t.true(client.sessionPresent)
})

test('on MQTT 3.1.1 there are no serverProperties', async (t) => {
  const { client } = await paired(t, lasting(V311), { sessionPresent: true })
  t.is(client.serverProperties, null)
  t.true(client.sessionPresent)
})

test('connect() of a subclass gives one of that class', async (t) => {
  class Mine extends Client {
    readonly own = 'mine'
  }
  const peer = await listening(t)
  const connecting = Mine.connect(peer.host, peer.port, { protocol: V5 })
  await welcomed(peer)
  const client = await within(atOnce, 'connecting', connecting)
  t.teardown(() => client.disconnect())
  t.true(client instanceof Mine)
  t.is(client.own, 'mine')
  await t.throwsAsync(Mine.connect('', 1), { instanceOf: RangeError })
})

for (const { name, protocol } of protocols) {
  test(`${name}: after the client has given up, calls reject with the reason as cause`, async (t) => {
    const { client, session } = await paired(t, { protocol, reconnect: { ...quickly, maxAttempts: 0 } })
    const publishing = rejection(patience, 'publishing', client.publish('a', 'x', { qos: 1 }))
    await session.next('publish')
    session.reset()
    await publishing
    for (const call of [client.publish('a'), client.publish('a', 'x', { qos: 1 }), client.subscribe('b')]) {
      const error = (await rejection(atOnce, 'a call', call)) as MqttCodeError
      t.is(error.message, '[code:4] The client is not currently connected.')
      t.true(error.cause instanceof MqttCodeError)
      t.is((error.cause as MqttCodeError).message, '[code:7] The connection was lost.')
    }
  })
}

test('after a connect() that failed the cause is its error, after disconnect() there is none', async (t) => {
  const { client } = await paired(t)
  await client.disconnect()
  t.is(((await rejection(atOnce, 'a call', client.publish('a'))) as Error).cause, undefined)
  const port = await freePort()
  const lost = clientOf(t, { host: '127.0.0.1', port })
  const error = (await rejection(atOnce, 'connecting', lost.connect())) as MqttError
  const { cause } = (await rejection(atOnce, 'a call', lost.publish('a'))) as { cause: MqttError }
  t.is(cause.message, error.message)
})

/** All that an error and its causes say. */
function words(error: unknown): string {
  return error instanceof Error ? `${error.message} / ${words(error.cause)}` : ''
}

const ends: Array<[name: string, end: (peer: Peer) => Promise<void>]> = [
  [
    'a refusal',
    async (peer) => (await begun(peer)).send({ cmd: 'connack', reasonCode: 0x87, sessionPresent: false }),
  ],
  ['a reset', async (peer) => (await begun(peer)).reset()],
  ['an end', async (peer) => void (await begun(peer)).socket.end()],
  ['nonsense', async (peer) => (await begun(peer)).send('ff 00')],
  ['silence', async (peer) => void (await begun(peer))],
]

async function begun(peer: Peer) {
  const session = await peer.accept()
  await session.next('connect')
  return session
}

for (const [name, end] of ends) {
  test(`${name} before CONNACK names host and port`, async (t) => {
    const peer = await listening(t)
    const options = { protocol: V5, timeout: 0.5 }
    const client = clientOf(t, peer, options)
    const connecting = rejection(patience, 'connecting', client.connect())
    await end(peer)
    t.regex(words(await connecting), new RegExp(`127\\.0\\.0\\.1:${peer.port}`))
    const again = clientOf(t, peer, { ...options, reconnect: { ...quickly, initial: true } })
    const abort = new AbortController()
    const trying = rejection(patience, 'connecting', again.connect({ signal: abort.signal }))
    await end(peer)
    for await (const { error } of again.states) {
      if (error === undefined) continue
      t.regex(words(error), new RegExp(`127\\.0\\.0\\.1:${peer.port}`))
      break
    }
    abort.abort()
    await trying
  })
}

for (const [name, end] of [
  ['DISCONNECT', 'e0 01 8b'],
  ['nonsense', 'ff 00'],
  ['a reset', null],
] as const) {
  test(`${name} after CONNACK names host and port`, async (t) => {
    const { client, peer, session } = await paired(t, { protocol: V5 })
    const next = rejection(patience, 'next()', client.messages.next())
    if (end === null) session.reset()
    else session.send(end)
    t.regex(words(await next), new RegExp(`127\\.0\\.0\\.1:${peer.port}`))
  })
}
