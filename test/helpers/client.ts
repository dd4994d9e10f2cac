import { Client, type ClientOptions, type Message } from 'aiomqtt'
import type { ExecutionContext } from 'ava'
import { within } from './deadline.js'
import { Peer, type Received, type Session, type Welcome } from './peer.js'
import { placeOf } from './ways.js'

/** How long a client may take for what it is expected to do. */
export const patience = 5_000

/**
 * How long something may take, in milliseconds, that must happen at once: far below the ten seconds of a client's own
 * timeout, far above what a busy machine needs.
 */
export const atOnce = 4_000

/** A client that is not connected yet; the test's end disconnects it. */
export function clientOf(
  t: ExecutionContext,
  server: { host: string; port: number },
  options: ClientOptions = {},
): Client {
  const client = new Client(server.host, server.port, options)
  t.teardown(() => client.disconnect())
  return client
}

/** The same for a server that is reached over the way which was chosen for this run of the tests (ways.ts). */
export async function clientTo(
  t: ExecutionContext,
  server: { host: string; port: number },
  options: ClientOptions = {},
): Promise<Client> {
  const { options: way, ...place } = await placeOf(server)
  return clientOf(t, place, { ...way, ...options })
}

/** A client of `clientTo()`, connected. */
export async function connected(
  t: ExecutionContext,
  server: { host: string; port: number },
  options: ClientOptions = {},
): Promise<Client> {
  const client = await clientTo(t, server, options)
  return await within(patience, 'connecting', client.connect())
}

/** A scripted peer; the test's end closes it. */
export async function listening(t: ExecutionContext): Promise<Peer> {
  const peer = await Peer.listen()
  t.teardown(() => peer.close())
  return peer
}

/** A client connected with a scripted peer of its own. */
export async function paired(
  t: ExecutionContext,
  options: ClientOptions = {},
  welcome: Welcome = {},
): Promise<{ peer: Peer; client: Client; session: Session; connect: Received<'connect'> }> {
  const peer = await listening(t)
  const client = clientOf(t, peer, options)
  const connecting = client.connect()
  const session = await peer.accept()
  const connect = await session.next('connect')
  session.welcome(welcome)
  await within(patience, 'connecting', connecting)
  return { peer, client, session, connect }
}

/** The client's next message, or that of a `next()` called before. */
export async function nextMessage(
  client: Client,
  next: Promise<IteratorResult<Message, undefined>> = client.messages.next(),
): Promise<Message> {
  const { value } = await within(patience, 'a message', next)
  if (value === undefined) throw new Error('the iterator ended')
  return value
}

/** The client's next `count` messages. */
export async function nextMessages(client: Client, count: number): Promise<Message[]> {
  const messages: Message[] = []
  while (messages.length < count) messages.push(await nextMessage(client))
  return messages
}

/**
 * Has the client answer a message, so that everything it sent before has arrived; an error if there was anything that
 * the test has not read. This is how a test sees that nothing was sent.
 */
export async function roundTrip(client: Client, session: Session): Promise<void> {
  session.send({
    cmd: 'publish',
    topic: 'round/trip',
    payload: '',
    qos: 1,
    messageId: 0xffff,
    dup: false,
    retain: false,
  })
  await session.next('puback')
  const { topic } = await nextMessage(client)
  if (topic.value !== 'round/trip') throw new Error(`a message of ${topic.value} was waiting`)
}

/** Whether a promise has not settled yet, now that everything already known has been dealt with. */
export async function isPending(promise: PromiseLike<unknown>): Promise<boolean> {
  const pending = new Promise<boolean>((resolve) => setImmediate(resolve, true))
  const settled = promise.then(
    () => false,
    () => false,
  )
  return await Promise.race([settled, pending])
}

let topics = 0

/** A topic that no other test of the file uses. */
export function freshTopic(): string {
  return `test/${++topics}`
}
