import { Client, LifoQueue } from 'aiomqtt'
import test from 'ava'
import { listening, nextMessage, nextMessages, paired, patience, roundTrip } from '../helpers/client.js'
import { until, within } from '../helpers/deadline.js'
import { Flood, numberOf } from '../helpers/flood.js'
import { Recorder } from '../helpers/logger.js'
import { inProcess, type Program } from '../helpers/program.js'

/** What the client lets in beside its bound: an inbox of 16 MiB, a read, and what a turn of the event loop takes. */
const fixedBytes = 20 * 1024 * 1024

const kibibyte = 1024

test("'drop-newest' keeps the first messages, as many as fit, and warns of each other one", async (t) => {
  const logger = new Recorder()
  const { client, session } = await paired(t, { maxQueuedIncomingMessages: 3, logger })
  await new Flood(session, 8).send(5)
  await until(patience, 'two warnings', () => logger.lines.warn.length === 2)
  const messages = await nextMessages(client, 3)
  t.deepEqual(messages.map(numberOf), [0, 1, 2])
  t.deepEqual(logger.lines.warn, Array(2).fill('Message queue is full. Discarding message.'))
  await roundTrip(client, session)
})

test("'drop-oldest' keeps the last messages, as many as fit", async (t) => {
  const logger = new Recorder()
  const { client, session } = await paired(t, {
    maxQueuedIncomingMessages: 3,
    overflow: 'drop-oldest',
    logger,
  })
  await new Flood(session, 8).send(5)
  await until(patience, 'two warnings', () => logger.lines.warn.length === 2)
  t.deepEqual((await nextMessages(client, 3)).map(numberOf), [2, 3, 4])
  t.deepEqual(logger.lines.warn, Array(2).fill('Message queue is full. Discarding oldest message.'))
})

test('a bound in bytes counts topics and payloads', async (t) => {
  const logger = new Recorder()
  const size = 'flood'.length + 100
  const { client, session } = await paired(t, { maxQueuedIncomingBytes: 2 * size, logger })
  await new Flood(session, 100).send(3)
  await until(patience, 'a warning', () => logger.lines.warn.length === 1)
  t.is(client.messages.length, 2)
  t.deepEqual((await nextMessages(client, 2)).map(numberOf), [0, 1])
})

test("a message larger than the bound in bytes is dropped by 'drop-oldest', and nothing else for it", async (t) => {
  const logger = new Recorder()
  const { client, session } = await paired(t, {
    maxQueuedIncomingBytes: 100,
    overflow: 'drop-oldest',
    logger,
  })
  await new Flood(session, 8).send(1)
  await new Flood(session, 200).send(1)
  await until(patience, 'a warning', () => logger.lines.warn.length === 1)
  t.is(client.messages.length, 1)
  t.is((await nextMessage(client)).payload.length, 8)
})

test("'drop-oldest' needs a queue that gives its oldest message first", (t) => {
  t.throws(() => new Client('localhost', { overflow: 'drop-oldest', queueType: LifoQueue }), {
    instanceOf: RangeError,
    message: /drop-oldest/,
  })
})

test("'backpressure' closes the window of the broker, loses nothing, and opens it again", async (t) => {
  const bound = 1000
  const total = 120_000
  const { client, session } = await paired(t, { maxQueuedIncomingMessages: bound, overflow: 'backpressure' })
  const flood = new Flood(session, kibibyte)
  const sending = flood.send(total)
  await until(20_000, 'a full queue', () => client.messages.length === bound)
  await within(20_000, 'the window to close', flood.stalled(500))
  t.true(flood.sent < total, 'the peer was made to wait')
  t.is(client.messages.length, bound)
  let expected = 0
  for await (const message of client.messages) {
    if (numberOf(message) !== expected) t.fail(`message ${numberOf(message)} in place of ${expected}`)
    if (++expected === total) break
  }
  await sending
  t.is(client.messages.length, 0)
})

test('a client that is stopped does not slow another of the same process', async (t) => {
  const stopped = await paired(t, { maxQueuedIncomingMessages: 10, overflow: 'backpressure' })
  const other = await paired(t)
  const blocked = new Flood(stopped.session, kibibyte)
  // More than the kernel's buffers take, of which the receiving one may grow to 32 MiB.
  const blockedSending = blocked.send(120_000).catch(() => {})
  await within(20_000, 'the window to close', blocked.stalled(300))
  const flood = new Flood(other.session, 64)
  const sending = flood.send(20_000)
  let received = 0
  for await (const message of other.client.messages) {
    t.is(numberOf(message), received)
    if (++received === 20_000) break
  }
  await sending
  await stopped.client.disconnect()
  stopped.session.socket.destroy()
  await blockedSending
})

const blocked: Program<{ port: number; total: number }> = async ({ Client }, { port, total }) => {
  const client = await Client.connect('127.0.0.1', port)
  await client.subscribe('flood')
  const before = process.memoryUsage.rss()
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 2000)
  console.log(process.memoryUsage.rss() - before)
  let received = 0
  for await (const message of client.messages) {
    if (message.payload.readUInt32BE() !== received++) throw new Error('out of order')
    if (received === total) break
  }
  await client.disconnect()
}

test('while the event loop is blocked memory stays bounded, and nothing is lost', async (t) => {
  const total = 100_000
  const peer = await listening(t)
  const program = inProcess(blocked, { port: peer.port, total })
  const session = await peer.welcome()
  const { messageId } = await session.next('subscribe')
  session.send({ cmd: 'suback', messageId, granted: [0] })
  const flood = new Flood(session, kibibyte)
  await flood.send(total)
  const { output, errors, code } = await program.outcome
  t.is(errors, '')
  t.is(code, 0)
  const grown = Number(output)
  t.true(grown > 0 && grown < 2 * fixedBytes, `${grown} bytes`)
})
