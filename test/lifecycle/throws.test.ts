// Functions of the program that throw: what becomes of the client then.

import { once } from 'node:events'
import { type AddressInfo, connect } from 'node:net'
import { Duplex } from 'node:stream'
import { createServer as createTlsServer } from 'node:tls'
import { type Client, FifoQueue, type Message, type MqttError, PriorityQueue } from 'aiomqtt'
import test from 'ava'
import { Authority } from '../helpers/certificates.js'
import { atOnce, clientOf, listening, nextMessage, paired, patience, roundTrip } from '../helpers/client.js'
import { rejection, within } from '../helpers/deadline.js'
import { Recorder } from '../helpers/logger.js'
import type { Session } from '../helpers/peer.js'
import { message, quickly, reached, welcomed } from '../helpers/reconnect.js'

const fail = (): never => {
  throw new Error('write after end')
}

for (const [name, transport] of [
  ['TCP', 'tcp'],
  ['WebSocket', 'websockets'],
] as const) {
  test(`checkServerIdentity that throws refuses the certificate (${name})`, async (t) => {
    const root = Authority.root('localhost', ['localhost'])
    const tls = createTlsServer({ cert: root.certificate, key: root.key }, (socket) =>
      socket.on('error', () => {}),
    )
    tls.on('tlsClientError', () => {})
    tls.listen(0, '127.0.0.1')
    await once(tls, 'listening')
    t.teardown(() => tls.close())
    const { port } = tls.address() as AddressInfo
    const tlsContext = { ca: root.certificate, checkServerIdentity: fail }
    const client = clientOf(t, { host: 'localhost', port }, { tlsContext, transport })
    const error = (await rejection(atOnce, 'connecting', client.connect())) as MqttError
    t.regex(error.message, /write after end/)
    t.is(client.state, 'disconnected')
  })
}

/** All that was sent before has been taken in. */
async function acknowledged(client: Client, session: Session): Promise<void> {
  const publishing = client.publish('own', 'x', { qos: 1 })
  const { messageId = 0 } = await session.next('publish')
  session.send({ cmd: 'puback', messageId })
  await within(patience, 'publishing', publishing)
}

/** A queue whose methods throw at messages that say so. */
class Fragile extends FifoQueue<Message> {
  override put(message: Message): void {
    if (message.text() === 'early') fail()
    super.put(message)
    if (message.text() === 'late') fail()
  }

  override get(): Message | undefined {
    const taken = super.get()
    if (taken?.text() === 'get') fail()
    return taken
  }
}

test('a queue whose put() throws loses that message, and no other', async (t) => {
  const logger = new Recorder()
  const { client, session } = await paired(t, { queueType: Fragile, logger })
  for (const text of ['one', 'early', 'late', 'two']) session.send(message('a', text))
  const texts: string[] = []
  for (let count = 0; count < 3; count++) texts.push((await nextMessage(client)).text())
  t.deepEqual(texts, ['one', 'late', 'two'])
  t.is(logger.lines.error.length, 2)
  t.regex(logger.lines.error[0] ?? '', /write after end/)
  t.is(client.stats.queued, 0)
  await roundTrip(client, session)
})

test('a queue whose get() throws rejects that next(), and no other', async (t) => {
  const { client, session } = await paired(t, { queueType: Fragile })
  const waiting = rejection(patience, 'next()', client.messages.next())
  session.send(message('a', 'get'))
  t.is(((await waiting) as Error).message, 'write after end')
  session.send(message('a', 'after'))
  t.is((await nextMessage(client)).text(), 'after')
  for (const text of ['get', 'last']) session.send(message('a', text))
  await acknowledged(client, session)
  t.is(((await rejection(atOnce, 'next()', client.messages.next())) as Error).message, 'write after end')
  t.is((await nextMessage(client)).text(), 'last')
})

test('a compare() that throws costs no message', async (t) => {
  let isBroken = false
  class Odd extends PriorityQueue<Message> {
    override compare(a: Message, b: Message): number {
      return isBroken ? fail() : Number(a.text()) - Number(b.text())
    }
  }
  const logger = new Recorder()
  const { client, session } = await paired(t, { queueType: Odd, logger })
  for (const text of ['5', '3', '4']) session.send(message('a', text))
  await acknowledged(client, session)
  isBroken = true
  for (const text of ['1', '2']) session.send(message('a', text))
  await acknowledged(client, session)
  t.is(logger.lines.error.length, 2)
  t.is(((await rejection(atOnce, 'next()', client.messages.next())) as Error).message, 'write after end')
  isBroken = false
  const texts: string[] = []
  for (let count = 0; count < 5; count++) texts.push((await nextMessage(client)).text())
  t.deepEqual(texts.sort(), ['1', '2', '3', '4', '5'])
  t.is(client.stats.queued, 0)
})

test('a stream whose write() throws ends the connection with that as its reason', async (t) => {
  const peer = await listening(t)
  let isBroken = false
  const transport = () => {
    const socket = connect(peer.port, peer.host)
    const { write } = socket
    socket.write = ((...args: Parameters<typeof write>) => {
      if (isBroken) fail()
      return write.apply(socket, args)
    }) as typeof write
    return socket
  }
  const client = clientOf(t, peer, { transport, reconnect: quickly })
  const connecting = client.connect()
  await welcomed(peer)
  await within(atOnce, 'connecting', connecting)
  isBroken = true
  const publishing = rejection(patience, 'publishing', client.publish('a', 'x', { qos: 1, timeout: 1 }))
  await reached(client, 'reconnecting')
  isBroken = false
  const again = await welcomed(peer)
  await again.next('publish')
  await publishing
  t.is(client.state, 'connected')
})

test('whatever is thrown: an attempt fails, a queue goes on, and the client decides by itself', async (t) => {
  for (const thrown of [undefined, null, 'text', 42, Symbol('s'), Object.create(null), new Proxy({}, {})]) {
    const raise = () => {
      throw thrown
    }
    class Broken extends FifoQueue<Message> {
      override put = raise
    }
    const logger = new Recorder()
    const options = { queueType: Broken, logger, reconnect: { ...quickly, retry: raise } }
    const { client, peer, session } = await paired(t, options)
    session.send(message('a', 'x'))
    await acknowledged(client, session)
    session.reset()
    await welcomed(peer)
    await reached(client, 'connected')
    t.regex(logger.lines.error.join(), /The queue failed.*The option retry failed/s)
    for (const broken of [
      { transport: raise },
      { username: raise },
      { password: () => Promise.reject(thrown) },
    ]) {
      const other = clientOf(t, peer, { username: 'somebody', ...broken })
      const error = (await rejection(atOnce, 'connecting', other.connect())) as MqttError
      t.is(error.name, 'MqttError')
      t.is(error.cause, thrown)
    }
  }
})

test('a stream that throws before CONNACK rejects connect() with its reason', async (t) => {
  const transport = () => Object.assign(new Duplex({ read() {} }), { write: fail })
  const client = clientOf(t, { host: 'broker', port: 1 }, { transport })
  const error = (await rejection(atOnce, 'connecting', client.connect())) as MqttError
  t.is(error.message, 'write after end (broker:1)')
  t.is(client.state, 'disconnected')
})
