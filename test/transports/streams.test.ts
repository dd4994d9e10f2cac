import { once } from 'node:events'
import { connect } from 'node:net'
import { Duplex, PassThrough, Transform } from 'node:stream'
import { inspect } from 'node:util'
import { Client, type ClientOptions, type MqttError } from 'aiomqtt'
import test from 'ava'
import { atOnce, clientOf, listening, nextMessage, patience } from '../helpers/client.js'
import { rejection, until, within } from '../helpers/deadline.js'
import type { Peer, Session } from '../helpers/peer.js'

type Transport = ClientOptions['transport']

async function overStream(t: Parameters<typeof clientOf>[0], peer: Peer, wrap = (stream: Duplex) => stream) {
  let stream: Duplex | undefined
  const client = clientOf(
    t,
    { host: 'any', port: 1 },
    {
      transport: () => {
        stream = wrap(connect(peer.port, peer.host))
        return stream
      },
    },
  )
  const connecting = client.connect()
  const session = await peer.welcome()
  await within(atOnce, 'connecting', connecting)
  return { client, session, stream: stream as Duplex }
}

test('each connection gets a stream of its own', async (t) => {
  const peer = await listening(t)
  let streams = 0
  const client = clientOf(
    t,
    { host: 'any', port: 1 },
    {
      transport: async () => {
        streams++
        return connect(peer.port, peer.host)
      },
    },
  )
  for (let round = 1; round <= 2; round++) {
    const connecting = client.connect()
    const session = await peer.welcome()
    await within(atOnce, 'connecting', connecting)
    t.is(streams, round)
    const goodbye = session.next('disconnect')
    await client.disconnect()
    await goodbye
    t.is(await session.ended, 'end')
  }
})

for (const [what, reason] of [
  ['an error', new Error('the cable was cut')],
  ["a signal's reason, whose code is a number", AbortSignal.abort().reason],
  ['an error whose fields are odd', Object.assign(new Error(''), { code: {}, errno: 'x', message: 'odd' })],
  ['no error', 'the cable was cut'],
] as Array<[string, Error]>) {
  test(`a stream that is destroyed with ${what}: that is the cause of the loss`, async (t) => {
    const { client, stream } = await overStream(t, await listening(t))
    const next = rejection(atOnce, 'next()', client.messages.next())
    const publishing = rejection(atOnce, 'publish()', client.publish('a', 'b', { qos: 1 }))
    stream.destroy(reason)
    for (const error of [((await next) as Error).cause, await publishing] as MqttError[]) {
      t.is(error.message, '[code:7] The connection was lost.')
      t.is(error.cause, reason)
    }
  })
}

test('a stream that ends is a connection that the broker closed', async (t) => {
  const { client, session } = await overStream(t, await listening(t))
  const next = rejection(atOnce, 'next()', client.messages.next())
  session.socket.end()
  const lost = ((await next) as Error).cause as MqttError
  t.is(lost.message, '[code:7] The connection was lost.')
  t.is(`${lost.cause}`, 'Error: The broker closed the connection (any:1)')
})

test('what came before the end is delivered', async (t) => {
  const { client, session } = await overStream(t, await listening(t))
  for (let index = 0; index < 1000; index++) {
    session.send({
      cmd: 'publish',
      topic: 'a',
      payload: Buffer.alloc(1000, index),
      qos: 0,
      dup: false,
      retain: false,
    })
  }
  session.socket.end()
  for (let index = 0; index < 1000; index++) t.is((await nextMessage(client)).payload[0], index & 0xff)
  await t.throwsAsync(client.messages.next(), { message: 'Disconnected during message iteration' })
})

test('a stream that takes one byte at a time takes everything, and disconnect() waits for it', async (t) => {
  const peer = await listening(t)
  const { client, session } = await overStream(t, peer, throttled)
  const publishing = client.publish('a', Buffer.alloc(5000, 'slow'))
  const disconnecting = client.disconnect()
  t.is((await session.next('publish')).payload.length, 5000)
  await session.next('disconnect')
  await Promise.all([publishing, within(atOnce, 'disconnecting', disconnecting)])
})

/** A stream that passes on what is written to it in small pieces, each in a turn of the event loop. */
function throttled(stream: Duplex): Duplex {
  const slow = new Transform({
    highWaterMark: 1,
    transform(chunk: Buffer, _encoding, done) {
      let at = 0
      const next = () => {
        this.push(chunk.subarray(at, at + 100))
        at += 100
        if (at < chunk.length) setImmediate(next)
        else done()
      }
      next()
    },
  })
  slow.pipe(stream)
  return Duplex.from({ writable: slow, readable: stream })
}

test('disconnect() gives up a stream that takes nothing, after its timeout', async (t) => {
  const peer = await listening(t)
  const blocked = (stream: Duplex) => {
    let taken = 0
    const sink = new Transform({
      highWaterMark: 1,
      transform(chunk: Buffer, _encoding, done) {
        taken += chunk.length
        this.push(chunk)
        if (taken < 100) done()
      },
    })
    sink.pipe(stream)
    return Duplex.from({ writable: sink, readable: stream })
  }
  const { client, stream } = await overStream(t, peer, blocked)
  client.publish('a', Buffer.alloc(1000)).catch(() => {})
  client.timeout = 0.3
  await within(atOnce, 'disconnecting', client.disconnect())
  t.true(stream.destroyed)
})

for (const [what, transport, message] of [
  [
    'throws',
    () => {
      throw new Error('no stream today')
    },
    'no stream today (any:1883)',
  ],
  ['rejects', () => Promise.reject(new Error('no stream today')), 'no stream today (any:1883)'],
] as Array<[string, Transport, string]>) {
  test(`a transport that ${what} is the cause of the error, and the client can try again`, async (t) => {
    const client = new Client('any', { transport })
    for (let round = 0; round < 2; round++) {
      const error = (await rejection(atOnce, 'connect()', client.connect())) as MqttError
      t.is(error.message, message)
      t.is(error.code, 'ERR_MQTT_TRANSPORT')
      t.is((error.cause as Error).message, 'no stream today')
    }
  })
}

test('a stream that fails before CONNACK is the reason', async (t) => {
  const client = new Client('any', { transport: () => connect(1, '127.0.0.1') })
  const error = (await rejection(atOnce, 'connect()', client.connect())) as MqttError
  t.is(error.message, '[Errno 111] Connection refused (any:1883)')
  t.is((error.cause as NodeJS.ErrnoException).code, 'ECONNREFUSED')
})

test('a stream that has ended already is a connection that the broker closed', async (t) => {
  const ended = new PassThrough()
  ended.resume().end()
  await once(ended, 'end')
  const client = new Client('any', { transport: () => ended })
  const error = (await rejection(atOnce, 'connect()', client.connect())) as MqttError
  t.regex(`${error.cause}`, /closed the connection before CONNACK \(any:1883\)/)
})

for (const value of [undefined, null, 'stream', {}, new PassThrough({ objectMode: true })]) {
  test(`a transport that returns ${inspect(value, { depth: -1 })} is a TypeError`, async (t) => {
    const client = new Client('any', { transport: (() => value) as Transport & object })
    const error = await rejection(atOnce, 'connect()', client.connect())
    t.true(error instanceof TypeError)
    t.is((error as Error).message, 'transport must return a Duplex of bytes')
  })
}

test('backpressure goes through a stream', async (t) => {
  const peer = await listening(t)
  let stream: Duplex | undefined
  const client = clientOf(
    t,
    { host: 'any', port: 1 },
    {
      overflow: 'backpressure',
      maxQueuedIncomingMessages: 10,
      transport: () => {
        stream = connect(peer.port, peer.host)
        return stream
      },
    },
  )
  const connecting = client.connect()
  const session: Session = await peer.welcome()
  await within(atOnce, 'connecting', connecting)
  const count = 20_000
  for (let index = 0; index < count; index++) {
    session.send({
      cmd: 'publish',
      topic: 'a',
      payload: `${index}`.padEnd(1000),
      qos: 0,
      dup: false,
      retain: false,
    })
  }
  await until(patience, 'the pause of the stream', () => stream?.isPaused() === true)
  t.true(client.messages.length < count)
  for (let index = 0; index < count; index++) t.is(Number((await nextMessage(client)).text()), index)
})
