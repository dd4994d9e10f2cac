import { once } from 'node:events'
import { createServer, type Socket } from 'node:net'
import type { Logger, MqttError } from 'aiomqtt'
import test, { type ExecutionContext } from 'ava'
import { WebSocketServer } from 'ws'
import { clientOf, nextMessage, paired, patience } from '../helpers/client.js'
import { within } from '../helpers/deadline.js'

const EVIL = 'x\n[ERROR] forged\r\x1b[2J\x9b1m\u2028\u202e'
const SHOWN = 'x\\n[ERROR] forged\\r\\x1b[2J\\x9b1m\\u2028\\u202e'
// biome-ignore lint/suspicious/noControlCharactersInRegex: no line may have one.
const CONTROLS = /[\x00-\x08\x0a-\x1f\x7f-\x9f\u2028\u202e]/

function keeping(): { logger: Logger; lines: string[] } {
  const lines: string[] = []
  const keep = (line: string): unknown => lines.push(line)
  return { logger: { pahoTrace: true, debug: keep, info: keep, warn: keep, error: keep }, lines }
}

/** The texts of an error and of all its causes. */
function textsOf(error: unknown): string[] {
  const texts: string[] = []
  for (let each = error; each instanceof Error; each = each.cause) texts.push(each.message, each.stack ?? '')
  return texts
}

function areClean(t: ExecutionContext, texts: string[]): void {
  // A stack has lines of its own.
  for (const text of texts.flatMap((each) => each.split('\n    at '))) t.notRegex(text, CONTROLS)
}

test('no topic and no word of a broker makes a line of its own in the log, or in an error', async (t) => {
  const { logger, lines } = keeping()
  const { client, session } = await paired(
    t,
    { protocol: 5, logger },
    { properties: { reasonString: EVIL, userProperties: { [EVIL]: EVIL } } },
  )
  const topic = `topic/${EVIL}`
  session.send({ cmd: 'publish', topic, payload: EVIL, qos: 0, dup: false, retain: false })
  const message = await nextMessage(client)
  t.is(message.topic.value, topic)
  const reason = { reasonCode: 0x87, properties: { reasonString: EVIL } }

  const published = client.publish('a', 'x', { qos: 1 })
  const { messageId } = await session.next('publish')
  session.send({ cmd: 'puback', messageId: messageId as number, ...reason })
  const refused = await t.throwsAsync(published)
  const waiting = t.throwsAsync(client.messages.next())
  session.send({ cmd: 'disconnect', reasonCode: 0x8b, properties: { reasonString: EVIL } })
  const ended = await within(patience, 'the end', waiting)

  areClean(t, [...textsOf(refused), ...textsOf(ended)])
  t.true(textsOf(ended).some((text) => text.includes(SHOWN)))
  areClean(t, lines)
  t.true(lines.some((line) => line.includes(SHOWN)))
})

test('no reason in CONNACK, in a Close frame or of a proxy makes a line of its own', async (t) => {
  const { peer } = await paired(t)
  const client = clientOf(t, peer, { protocol: 5 })
  const connecting = t.throwsAsync<MqttError>(client.connect())
  const session = await peer.accept()
  await session.next('connect')
  session.send({
    cmd: 'connack',
    sessionPresent: false,
    reasonCode: 0x97,
    properties: { reasonString: EVIL, serverReference: EVIL },
  })
  areClean(t, textsOf(await within(patience, 'the refusal', connecting)))

  const server = new WebSocketServer({ port: 0, host: '127.0.0.1' })
  t.teardown(() => server.close())
  await once(server, 'listening')
  server.on('connection', (socket) => socket.on('message', () => socket.close(1008, EVIL.slice(0, 100))))
  const { port } = server.address() as { port: number }
  const overWebSocket = clientOf(t, { host: '127.0.0.1', port }, { transport: 'websockets' })
  const closed = await within(patience, 'the Close frame', t.throwsAsync(overWebSocket.connect()))
  areClean(t, textsOf(closed))
  t.true(textsOf(closed).some((text) => text.includes('forged')))

  const proxy = createServer((socket: Socket) => {
    socket.on('error', () => {})
    socket.once('data', () => socket.end('HTTP/1.1 403 No\x9b2J\x85way\r\n\r\n', 'latin1'))
  })
  await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve))
  t.teardown(() => proxy.close())
  const proxyPort = (proxy.address() as { port: number }).port
  const options = { proxy: { proxyType: 'http', proxyAddr: '127.0.0.1', proxyPort } } as const
  const byProxy = clientOf(t, { host: '127.0.0.1', port: 1883 }, options)
  const denied = await within(patience, 'the proxy', t.throwsAsync(byProxy.connect()))
  areClean(t, textsOf(denied))
  t.true(textsOf(denied).some((text) => text.includes('No\\x9b2J\\x85way')))
})

test.serial('a logger that throws stops nothing; its exceptions are the program’s', async (t) => {
  const thrown: unknown[] = []
  const listeners = process.listeners('uncaughtException')
  process.removeAllListeners('uncaughtException')
  process.on('uncaughtException', (error) => thrown.push(error))
  t.teardown(() => {
    process.removeAllListeners('uncaughtException')
    for (const listener of listeners) process.on('uncaughtException', listener)
  })
  const fault = new Error('write after end')
  const fail = (): never => {
    throw fault
  }
  const logger = { debug: fail, info: fail, warn: fail, error: fail }
  const { client, session } = await paired(t, { logger, reconnect: { minDelay: 0.01 } })
  const publishing = client.publish('a', 'x', { qos: 1 })
  const { messageId } = await session.next('publish')
  session.send({ cmd: 'puback', messageId: messageId as number })
  await within(patience, 'the publish', publishing)
  session.send({ cmd: 'publish', topic: 'a', payload: 'x', qos: 0, dup: false, retain: false })
  t.is((await nextMessage(client)).text(), 'x')
  await within(patience, 'the end', client.disconnect())
  t.true(thrown.length > 0)
  t.true(thrown.every((error) => error === fault))
})
