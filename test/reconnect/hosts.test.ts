import { type MqttConnectError, type MqttError, ProtocolVersion } from 'aiomqtt'
import test from 'ava'
import { atOnce, clientOf, listening, paired, patience } from '../helpers/client.js'
import { rejection, within } from '../helpers/deadline.js'
import { freePort } from '../helpers/mosquitto.js'
import type { Peer, Session } from '../helpers/peer.js'
import { quickly, reached, welcomed } from '../helpers/reconnect.js'

const { V5 } = ProtocolVersion

const hostOf = ({ host, port }: Peer): [string, number] => [host, port]

/** A connection that was asked for, refused with this reason code (MQTT 5). */
async function refused(peer: Peer, reasonCode: number, properties = {}): Promise<void> {
  const session = await peer.accept()
  await session.next('connect')
  session.send({ cmd: 'connack', reasonCode, sessionPresent: false, properties })
}

/** Sends DISCONNECT (MQTT 5) and ends the connection. */
function dismiss(session: Session, reasonCode: number, serverReference: string): void {
  session.send({ cmd: 'disconnect', reasonCode, properties: { serverReference } })
  session.close()
}

test('the further hosts are tried in their order after the one that was lost', async (t) => {
  const [second, third] = [await listening(t), await listening(t)]
  const dead: [string, number] = ['127.0.0.1', await freePort()]
  const reconnect = { ...quickly, hosts: [dead, hostOf(second), hostOf(third)] }
  const { peer, client } = await paired(t, { reconnect })
  await peer.close()
  const session = await welcomed(second)
  await reached(client, 'connected')
  // The one that worked comes first again.
  session.reset()
  await welcomed(second)
  t.is(third.connections, 0)
  await second.close()
  await welcomed(third)
  t.is(third.connections, 1)
})

test('the first connect() asks the own host alone, and with `initial` all of them', async (t) => {
  const second = await listening(t)
  const own = { host: '127.0.0.1', port: await freePort() }
  const hosts = [hostOf(second)]
  const alone = clientOf(t, own, { reconnect: { ...quickly, hosts } })
  t.regex(((await rejection(atOnce, 'connecting', alone.connect())) as Error).message, /refused/)
  t.is(second.connections, 0)
  const client = clientOf(t, own, { reconnect: { ...quickly, hosts, initial: true } })
  const connecting = client.connect()
  await welcomed(second)
  await within(atOnce, 'connecting', connecting)
  t.is(client.state, 'connected')
})

test('`maxAttempts` bounds the tries of `initial`, too', async (t) => {
  const own = { host: '127.0.0.1', port: await freePort() }
  const client = clientOf(t, own, { reconnect: { ...quickly, initial: true, maxAttempts: 3 } })
  const { states } = client
  t.regex(((await rejection(patience, 'connecting', client.connect())) as Error).message, /refused/)
  t.is(client.state, 'disconnected')
  const attempts: unknown[] = []
  for await (const { state, attempt } of states) {
    if (state === 'disconnected') break
    attempts.push(attempt)
  }
  t.deepEqual(attempts, [undefined, 1, 2, 3])
})

test('a host that refuses for good is left out, and the end comes when all have', async (t) => {
  const second = await listening(t)
  const reconnect = { ...quickly, hosts: [hostOf(second)] }
  const { client, peer, session } = await paired(t, { protocol: V5, reconnect })
  const next = rejection(patience, 'next()', client.messages.next())
  session.reset()
  await refused(peer, 0x84)
  await refused(second, 0x88)
  await refused(second, 0x89)
  await refused(second, 0x85)
  const { cause } = (await next) as { cause: MqttError }
  t.is(cause.message, '[code:133] Client identifier not valid')
  t.is(peer.connections, 2)
  t.is(second.connections, 3)
})

for (const [what, code] of [
  ['another server for the time being', 0x9c],
  ['a server that has moved', 0x9d],
] as const) {
  test(`DISCONNECT names ${what}`, async (t) => {
    const other = await listening(t)
    const { client, peer, session } = await paired(t, { protocol: V5, reconnect: quickly })
    dismiss(session, code, `${other.host}:${other.port}`)
    const there = await welcomed(other)
    await reached(client, 'connected')
    there.reset()
    // Back to the own one, or to where that has moved.
    await welcomed(code === 0x9c ? peer : other)
    t.is(peer.connections, code === 0x9c ? 2 : 1)
  })

  test(`CONNACK names ${what}, in the first connect()`, async (t) => {
    const [peer, other] = [await listening(t), await listening(t)]
    const client = clientOf(t, peer, { protocol: V5, reconnect: quickly })
    const connecting = client.connect()
    await refused(peer, code, { serverReference: `${other.host}:${other.port}` })
    await welcomed(other)
    t.is(await within(atOnce, 'connecting', connecting), client)
  })
}

test('without `reconnect` a redirection is an error', async (t) => {
  const peer = await listening(t)
  const client = clientOf(t, peer, { protocol: V5 })
  const connecting = rejection(atOnce, 'connecting', client.connect())
  await refused(peer, 0x9c, { serverReference: 'other:1883' })
  const error = (await connecting) as MqttConnectError
  t.is(error.message, '[code:156] Use another server')
  t.is((error.cause as Error).message, `Server reference: other:1883 (${peer.host}:${peer.port})`)
})

test('two servers that send a client to each other do not keep it busy for ever', async (t) => {
  const [one, other] = [await listening(t), await listening(t)]
  const client = clientOf(t, one, { protocol: V5, reconnect: quickly })
  const connecting = rejection(patience, 'connecting', client.connect())
  for (let count = 0; count < 3; count++) {
    await refused(one, 0x9c, { serverReference: `${other.host}:${other.port}` })
    await refused(other, 0x9c, { serverReference: `${one.host}:${one.port}` })
  }
  t.is(((await connecting) as Error).message, '[code:156] Use another server')
  t.is(client.state, 'disconnected')
})

test('a redirection to nowhere is like any other failure', async (t) => {
  const { client, peer, session } = await paired(t, { protocol: V5, reconnect: quickly })
  dismiss(session, 0x9c, '???:0')
  await welcomed(peer)
  await reached(client, 'connected')
  t.is(peer.connections, 2)
})
