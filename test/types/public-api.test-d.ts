// The public API as a user types it. Never run: compiling it is the test. What must not compile says so.

import {
  Client,
  type ClientOptions,
  type ClientStats,
  FifoQueue,
  type Logger,
  Message,
  type MessageQueue,
  type MessagesIterator,
  MqttCodeError,
  MqttConnectError,
  MqttError,
  MqttReentrantError,
  PacketTypes,
  type PayloadType,
  PriorityQueue,
  Properties,
  ProtocolVersion,
  ReasonCode,
  SubscribeOptions,
  type SubscribeTopic,
  TLSParameters,
  Topic,
  type TopicLike,
  type version,
  type versionTuple,
  Wildcard,
  type WildcardLike,
  Will,
} from 'aiomqtt'

/** Fails to compile unless the two types are the same. */
type Same<A, B> =
  (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2
    ? (<T>() => T extends B ? 1 : 2) extends <T>() => T extends A ? 1 : 2
      ? true
      : false
    : false

function same<A, B>(_proof: Same<A, B>): void {}

export async function connecting(signal: AbortSignal): Promise<void> {
  const client = new Client('localhost')
  new Client('localhost', 1883)
  new Client('localhost', 1883, { username: 'user', password: 'secret' })
  new Client('localhost', { port: 1883, identifier: 'me' })
  const connected = await client.connect({ signal })
  same<typeof connected, Client>(true)
  same<Awaited<ReturnType<typeof Client.connect>>, Client>(true)
  await Client.connect('localhost', { protocol: ProtocolVersion.V5 })
  await Client.connect('localhost', 1883, { protocol: 5 })
  same<ReturnType<Client['disconnect']>, Promise<void>>(true)
  const disposable: AsyncDisposable = client
  await disposable[Symbol.asyncDispose]()
  client.timeout = Number.POSITIVE_INFINITY
  client.pendingCallsThreshold = 100
  same<Client['identifier'], string>(true)

  // @ts-expect-error the host name is required
  new Client()
  // @ts-expect-error port among the options, or before them, not both
  new Client('localhost', { port: 1883 }, {})
  // @ts-expect-error an option that is not known
  new Client('localhost', { userName: 'user' })
  // @ts-expect-error no such version
  new Client('localhost', { protocol: 6 })
  // @ts-expect-error a signal is no timeout
  await client.connect({ timeout: 1 })
  // @ts-expect-error the broker or the caller decides, once
  client.identifier = 'other'
  // @ts-expect-error every access is a view of the one queue
  client.messages = new Client('localhost').messages
}

export function options(logger: Logger): ClientOptions {
  // What is null is as good as what is left out.
  const given: ClientOptions = {
    username: null,
    logger: null,
    will: null,
    maxQueuedIncomingMessages: undefined,
  }
  const will = new Will('status', 'gone', { qos: 1, retain: true, properties: { willDelayInterval: 5 } })
  return {
    ...given,
    password: Buffer.from('secret'),
    logger: given.username === 'console' ? console : logger,
    queueType: PriorityQueue,
    protocol: ProtocolVersion.V5,
    will: given.will ? will : { topic: 'status', payload: 'gone', qos: 2 },
    timeout: 0.5,
    keepalive: 0,
    cleanStart: false,
    maxQueuedIncomingMessages: 1000,
    maxQueuedOutgoingMessages: 1000,
    maxInflightMessages: 20,
    maxConcurrentOutgoingCalls: 10,
    properties: { sessionExpiryInterval: 3600, userProperty: [['a', 'b']] },
    tlsParams: new TLSParameters({ caCerts: '/etc/ssl/ca.pem' }),
  }
}

export async function publishing(client: Client, topic: Topic): Promise<void> {
  same<Awaited<ReturnType<Client['publish']>>, void>(true)
  await client.publish('a')
  await client.publish(topic, 'text')
  const payloads: PayloadType[] = [
    'text',
    1,
    1n,
    true,
    null,
    undefined,
    Buffer.from('bytes'),
    new Uint8Array(1),
    new ArrayBuffer(1),
  ]
  for (const payload of payloads) await client.publish('a', payload, { qos: 2, retain: true, timeout: 1 })
  await client.publish('a', 'b', {
    properties: { contentType: 'text/plain' },
    signal: AbortSignal.timeout(250),
  })
  const properties = new Properties(PacketTypes.PUBLISH)
  properties.messageExpiryInterval = 60
  await client.publish('a', 'b', { properties })

  // @ts-expect-error a filter is no topic
  await client.publish(new Wildcard('a/#').value.length)
  // @ts-expect-error an object is no payload
  await client.publish('a', { temperature: 21 })
  // @ts-expect-error QoS 3
  await client.publish('a', 'b', { qos: 3 })
  // @ts-expect-error an option that is not known
  await client.publish('a', 'b', { Retain: true })
  // @ts-expect-error a property that is not known
  await client.publish('a', 'b', { properties: { contenttype: 'text/plain' } })
}

export async function subscribing(client: Client): Promise<void> {
  const codes = await client.subscribe('a/#')
  same<typeof codes, ReasonCode[]>(true)
  const topics: SubscribeTopic[] = [
    'a',
    new Wildcard('a/+'),
    ['a', 1],
    ['a', new SubscribeOptions({ noLocal: true })],
    ['a', { retainHandling: 2 }],
    [
      ['a', 1],
      ['b', { qos: 2 }],
    ],
    ['a', 'b', 'c'],
  ]
  for (const topic of topics) await client.subscribe(topic, { qos: 1, timeout: 1 })
  await client.subscribe('a', { options: { qos: 1, retainAsPublished: true } })
  await client.subscribe('a', { options: new SubscribeOptions() })
  const filters: WildcardLike[] = ['a', new Wildcard('b/#')]
  same<Awaited<ReturnType<Client['unsubscribe']>>, void>(true)
  await client.unsubscribe(filters)
  await client.unsubscribe('a', { signal: AbortSignal.timeout(250) })
  if (codes[0]?.isFailure) console.log(codes[0].getName(), codes[0].value >= 128)

  // @ts-expect-error no filter
  await client.subscribe()
  // @ts-expect-error a number is no filter
  await client.subscribe(5)
  // @ts-expect-error an option of publish()
  await client.subscribe('a', { retain: true })
  // @ts-expect-error an option of subscribe()
  await client.unsubscribe('a', { qos: 1 })
}

export async function iterating(client: Client, signal: AbortSignal): Promise<void> {
  for await (const message of client.messages) {
    same<typeof message, Message>(true)
    same<typeof message.topic, Topic>(true)
    same<typeof message.payload, Buffer>(true)
    same<typeof message.qos, 0 | 1 | 2>(true)
    same<typeof message.retain, boolean>(true)
    same<typeof message.dup, boolean>(true)
    same<typeof message.mid, number>(true)
    same<typeof message.properties, Properties | null>(true)
    same<ReturnType<typeof message.text>, string>(true)
    same<ReturnType<typeof message.json>, unknown>(true)
    same<ReturnType<typeof message.ack>, Promise<void>>(true)
    if (message.topic.matches('a/+')) break
    // @ts-expect-error what came stays as it came
    message.mid = 1
    // @ts-expect-error JSON from outside is not known to be anything
    message.json().temperature
  }
  for await (const batch of client.messages.batches(100)) same<typeof batch, Message[]>(true)
  const messages: MessagesIterator = client.messages
  const iterator: AsyncIterableIterator<Message> = messages
  await iterator.return?.()
  same<typeof messages.length, number>(true)
  same<ReturnType<MessagesIterator['filter']>, MessagesIterator>(true)
  for await (const message of messages.filter(new Wildcard('a/#'))) same<typeof message, Message>(true)
  const result = await messages.next({ signal })
  if (!result.done) same<typeof result.value, Message>(true)

  // @ts-expect-error messages come from the broker
  new Message('a', 'b')
  same<ReturnType<Client['request']>, Promise<Message>>(true)

  const { queued, roundTripTime }: ClientStats = client.stats
  same<typeof queued, number>(true)
  same<typeof roundTripTime, number | null>(true)
  // @ts-expect-error a snapshot is to be read
  client.stats.queued = 0
  // @ts-expect-error one wildcard a view
  messages.filter(['a', 'b'])
  // @ts-expect-error a queue has no time limit
  await messages.next({ timeout: 1 })
}

export function failing(error: unknown): number | ReasonCode | null | string {
  if (error instanceof MqttConnectError) return error.rc
  if (error instanceof MqttCodeError) return error.rc
  if (error instanceof MqttReentrantError) return error.code
  if (error instanceof MqttError) {
    const code: `ERR_MQTT_${string}` = error.code
    return error.cause instanceof Error ? error.cause.message : code
  }
  // @ts-expect-error not every error has a code
  return error.rc
}

export function values(): void {
  const topic: TopicLike = new Topic('a/b')
  same<typeof version, string>(true)
  same<typeof versionTuple, readonly (string | number)[]>(true)
  same<ReturnType<Topic['matches']>, boolean>(true)
  console.log(
    topic,
    new Topic('a').equals(new Topic('a')),
    new ReasonCode(PacketTypes.SUBACK, 'Granted QoS 1'),
  )
  // @ts-expect-error frozen
  new Topic('a').value = 'b'
  // @ts-expect-error frozen
  new Will('a').qos = 1
}

/** A queue of a user's own. */
export class NewestFirst implements MessageQueue<Message> {
  readonly #messages: Message[] = []

  get length(): number {
    return this.#messages.length
  }

  put(message: Message): void {
    this.#messages.push(message)
  }

  get(): Message | undefined {
    return this.#messages.pop()
  }
}

export class BySize extends PriorityQueue<Message> {
  override compare(a: Message, b: Message): number {
    return a.payload.length - b.payload.length
  }
}

export const queueTypes: ClientOptions[] = [
  { queueType: NewestFirst },
  { queueType: BySize },
  { queueType: FifoQueue },
  // @ts-expect-error no queue
  { queueType: Map },
]

export async function authenticating(client: Client): Promise<void> {
  new Client('localhost', { authentication: { method: 'm', respond: () => null } })
  new Client('localhost', {
    authentication: { method: 'm', data: new Uint8Array(1), respond: async (it) => it },
  })
  const done = client.reauthenticate()
  same<typeof done, Promise<void>>(true)
  await client.reauthenticate(Buffer.from('data'))
  await client.reauthenticate(null)
  // @ts-expect-error bytes, as on the wire
  await client.reauthenticate('data')
  // @ts-expect-error without an answer to challenges
  new Client('localhost', { authentication: { method: 'm' } })
}
