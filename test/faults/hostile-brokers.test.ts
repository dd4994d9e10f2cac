// Brokers that send what a client must hold, for as long as they can: its memory stays within its bounds and 32 MiB. A
// second for each, a minute by npm run faults.

import { once } from 'node:events'
import { type AddressInfo, createServer, type Socket } from 'node:net'
import type { ClientOptions } from 'aiomqtt'
import test, { type ExecutionContext } from 'ava'
import { allowMinutes } from '../helpers/deadline.js'
import { inProcess, type Program } from '../helpers/program.js'

const seconds = process.env.AIOMQTT_FAULTS === 'long' ? 60 : 1
const MIB = 2 ** 20
/** What a process may grow by beside what its options allow. */
const SLACK = 32 * MIB
const CONNACK = Buffer.of(0x20, 2, 0, 0)
const CONNACK_5 = Buffer.of(0x20, 3, 0, 0, 0)

/** What one of these brokers does. */
interface Hostile {
  /** What it sends over and over; a function for what is different each time. */
  readonly sends: Buffer | ((turn: number) => Buffer)
  /** True to send that once only, and then nothing. */
  readonly once?: boolean
  /** True if it reads nothing of what the client answers. */
  readonly isDeaf?: boolean
  readonly options?: ClientOptions
  /** What the client does with its messages. */
  readonly reads?: 'all' | 'nothing' | 'all but a rare topic'
  /** Bytes that the documentation allows beside maxQueuedIncomingBytes. */
  readonly allowed?: number
}

const many = (one: Buffer, count = 4096) => Buffer.concat(Array.from({ length: count }, () => one))

const HOSTILE: Readonly<Record<string, Hostile>> = {
  'sends messages that nobody reads': {
    sends: many(publish('a', 100)),
    options: { overflow: 'backpressure', maxQueuedIncomingMessages: 10 },
    reads: 'nothing',
  },
  'sends messages that nobody reads, to a client that drops': {
    sends: many(publish('a', 100)),
    options: { overflow: 'drop-oldest' },
    reads: 'nothing',
  },
  'sends messages of QoS 1 and reads no answer': {
    sends: many(Buffer.of(0x32, 5, 0, 1, 97, 0x12, 0x34), 16_384),
    isDeaf: true,
  },
  'sends PUBREL and reads no answer': { sends: many(Buffer.of(0x62, 2, 0x12, 0x34), 16_384), isDeaf: true },
  'begins a message of 200 MB': {
    sends: Buffer.concat([header(0x30, 200_000_000), Buffer.alloc(120_000_000)]),
    once: true,
  },
  'sends a rare message among many': {
    sends: Buffer.concat([many(publish('many', 20), 600), publish('rare/a', 20)]),
    options: { overflow: 'drop-oldest' },
    reads: 'all but a rare topic',
  },
  'never sends a topic twice': {
    sends: (turn) => publish(`${turn}/`.padEnd(5000, 'x'), 1),
    allowed: 4 * MIB,
  },
  'has a long topic for each topic alias': {
    sends: (turn) => aliased(1 + (turn % 65_535), 2000),
    options: { protocol: 5, properties: { topicAliasMaximum: 65_535 } },
    allowed: 16 * MIB,
  },
  'sends thousands of user properties': {
    sends: publish('a', 0, { properties: many(Buffer.of(0x26, 0, 1, 97, 0, 1, 98), 20_000) }),
    options: { protocol: 5 },
  },
}

for (const [what, hostile] of Object.entries(HOSTILE)) {
  test.serial(`memory stays within its bounds with a broker that ${what}`, (t) => flooded(t, hostile))
}

async function flooded(t: ExecutionContext, hostile: Hostile): Promise<void> {
  allowMinutes(t, 1, 3)
  let sent = 0
  const server = createServer((socket) => {
    socket.on('close', () => {
      sent += socket.bytesWritten
    })
    void serve(socket, hostile).catch(() => {})
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const { options = {}, reads = 'all', allowed = 0 } = hostile
  const bound = 1_000_000
  const args = {
    port,
    seconds,
    reads,
    options: { overflow: 'backpressure' as const, maxQueuedIncomingBytes: bound, timeout: 2, ...options },
  }
  // What V8 has not collected yet is not held, nor is the room of its young generation, 32 MiB by itself.
  const flags = ['--max-semi-space-size=1', '--expose-gc']
  const program = inProcess(victim, args, { flags, patience: 60_000 + seconds * 2000 })
  const { code, output, errors } = await program.outcome
  t.is(code, 0, errors)
  server.close()
  await once(server, 'close')
  const { grown, connections } = JSON.parse(output) as { grown: number; connections: number }
  t.log(`${Math.round(grown / MIB)} MiB more, ${connections} connections, ${Math.round(sent / MIB)} MiB sent`)
  t.true(sent > MIB)
  t.true(grown < bound + allowed + SLACK, `${grown} bytes more`)
}

const victim: Program<{ port: number; seconds: number; reads: string; options: ClientOptions }> = async (
  { Client },
  { port, seconds, reads, options },
) => {
  const end = performance.now() + seconds * 1000
  let first = 0
  let most = 0
  let connections = 0
  const collect = (globalThis as unknown as { gc: () => void }).gc
  const look = () => {
    collect()
    most = Math.max(most, process.memoryUsage.rss())
  }
  const timer = setInterval(look, 50)
  while (performance.now() < end) {
    const client = new Client('127.0.0.1', port, options)
    try {
      await client.connect()
      if (first === 0) {
        collect()
        first = process.memoryUsage.rss()
      }
      connections++
      const stop = setTimeout(() => void client.disconnect().catch(() => {}), end - performance.now())
      if (reads === 'nothing') await new Promise((resolve) => setTimeout(resolve, end - performance.now()))
      if (reads === 'all but a rare topic') client.messages.filter('rare/#')
      if (reads !== 'nothing') for await (const _ of client.messages);
      clearTimeout(stop)
    } catch {
      // The broker is refused, and has the next connection.
    }
    await client.disconnect().catch(() => {})
  }
  clearInterval(timer)
  look()
  console.log(JSON.stringify({ grown: most - first, connections }))
}

async function serve(socket: Socket, { sends, once: isOnce, isDeaf, options }: Hostile): Promise<void> {
  socket.on('error', () => {})
  await once(socket, 'data')
  socket.write(options?.protocol === 5 ? CONNACK_5 : CONNACK)
  if (isDeaf) socket.pause()
  else socket.resume()
  for (let turn = 0; socket.writable; turn++) {
    const bytes = typeof sends === 'function' ? sends(turn) : sends
    if (!socket.write(bytes)) await drained(socket)
    if (isOnce) return
  }
}

function drained(socket: Socket): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      socket.off('drain', done)
      socket.off('close', done)
      resolve()
    }
    socket.on('drain', done)
    socket.on('close', done)
  })
}

/** A fixed header. */
function header(first: number, length: number): Buffer {
  const bytes = [first]
  do {
    bytes.push((length & 0x7f) | (length > 0x7f ? 0x80 : 0))
    length >>>= 7
  } while (length > 0)
  return Buffer.from(bytes)
}

function publish(topic: string, payload: number, { properties }: { properties?: Buffer } = {}): Buffer {
  const parts = [
    Buffer.of(topic.length >> 8, topic.length & 0xff),
    Buffer.from(topic),
    ...(properties === undefined ? [] : [header(0, properties.length).subarray(1), properties]),
    Buffer.alloc(payload),
  ]
  const body = Buffer.concat(parts)
  return Buffer.concat([header(0x30, body.length), body])
}

function aliased(alias: number, length: number): Buffer {
  const properties = Buffer.of(0x23, alias >> 8, alias & 0xff)
  return publish(`${alias}/`.padEnd(length, 'x'), 0, { properties })
}
