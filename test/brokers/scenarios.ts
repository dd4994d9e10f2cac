import { randomBytes } from 'node:crypto'
import { connect } from 'node:net'
import { Client, type ClientOptions, type Message, ProtocolVersion } from 'aiomqtt'
import { within } from '../helpers/deadline.js'
import type { Running } from './running.js'

/** How long a scenario may take, in milliseconds. */
export const PATIENCE = 20_000

/** How long is waited for a message that must not come, in milliseconds. */
const SILENCE = 300

/** What a scenario has: one broker, one version of MQTT, and clients that are disconnected when it is over. */
export class Stage {
  private readonly clients: Client[] = []

  constructor(
    readonly broker: Running,
    readonly protocol: ProtocolVersion,
  ) {}

  /** A topic that nobody else uses. */
  readonly topic = `aiomqtt/${randomBytes(6).toString('hex')}`

  /** A client that is connected over TCP. */
  async connect(options: ClientOptions = {}): Promise<Client> {
    return await this.open(this.broker.tcp, options)
  }

  /** The same over TLS, with the broker's certificate checked. */
  async connectSecurely(): Promise<Client> {
    return await this.open(this.broker.tls, { tlsParams: { caCerts: this.broker.caCerts } })
  }

  /** The same over WebSocket. */
  async connectByWebSocket(): Promise<Client> {
    const { port, path } = this.broker.websocket
    return await this.open(port, { transport: 'websockets', websocketPath: path })
  }

  private async open(port: number, options: ClientOptions): Promise<Client> {
    const { protocol, broker } = this
    const client = new Client(broker.host, port, { protocol, timeout: 5, ...broker.login, ...options })
    this.clients.push(client)
    return await client.connect()
  }

  async end(): Promise<void> {
    await Promise.all(this.clients.map((client) => client.disconnect()))
  }
}

/** A scenario resolves when the broker did what MQTT says; else it rejects. */
type Scenario = (stage: Stage) => Promise<void>

/** The common scenario set. */
export const scenarios = {
  'QoS 0': (stage) => roundTrip(stage, 0),
  'QoS 1': (stage) => roundTrip(stage, 1),
  'QoS 2': (stage) => roundTrip(stage, 2),

  async retained(stage) {
    const publisher = await stage.connect()
    await publisher.publish(stage.topic, 'kept', { qos: 1, retain: true })
    const late = await stage.connect()
    await late.subscribe(stage.topic, { qos: 1 })
    const message = await next(late)
    expect(message.text() === 'kept' && message.retain, 'the retained message')
    await publisher.publish(stage.topic, '', { qos: 1, retain: true })
  },

  async will(stage) {
    const watcher = await stage.connect()
    await watcher.subscribe(stage.topic, { qos: 1 })
    const { host, tcp: port } = stage.broker
    const socket = connect({ host, port })
    await stage.connect({ transport: () => socket, will: { topic: stage.topic, payload: 'gone', qos: 1 } })
    socket.destroy()
    expect((await next(watcher)).text() === 'gone', 'the will')
  },

  async 'resumed session'(stage) {
    const isV5 = stage.protocol === ProtocolVersion.V5
    const options: ClientOptions = {
      identifier: `session-${randomBytes(4).toString('hex')}`,
      ...(isV5 ? { cleanStart: false, properties: { sessionExpiryInterval: 60 } } : { cleanSession: false }),
    }
    const first = await stage.connect(options)
    await first.subscribe(stage.topic, { qos: 1 })
    await first.disconnect()
    const publisher = await stage.connect()
    for (const text of ['one', 'two', 'three']) await publisher.publish(stage.topic, text, { qos: 1 })
    const second = await stage.connect(options)
    const texts: string[] = []
    while (texts.length < 3) texts.push((await next(second)).text())
    expect(texts.join() === 'one,two,three', `the messages of the time between, not ${texts}`)
  },

  async 'shared subscription'(stage) {
    const members = [await stage.connect(), await stage.connect()]
    for (const member of members) await member.subscribe(`$share/group/${stage.topic}`, { qos: 1 })
    const publisher = await stage.connect()
    const count = 20
    for (let index = 0; index < count; index++) await publisher.publish(stage.topic, index, { qos: 1 })
    const received: string[][] = await Promise.all(members.map(all))
    const [first = [], second = []] = received
    expect(
      first.length + second.length === count,
      `each message once, not ${first.length} and ${second.length}`,
    )
    expect(first.length > 0 && second.length > 0, 'a share for each')
  },

  async '1 MiB'(stage) {
    const client = await stage.connect()
    await client.subscribe(stage.topic, { qos: 1 })
    const payload = randomBytes(1 << 20)
    await client.publish(stage.topic, payload, { qos: 1 })
    expect((await next(client)).payload.equals(payload), 'the same bytes')
  },

  async '100 clients'(stage) {
    const clients = await Promise.all(Array.from({ length: 100 }, () => stage.connect()))
    await Promise.all(clients.map((client, index) => client.subscribe(`${stage.topic}/${index}`, { qos: 1 })))
    await Promise.all(
      clients.map((client, index) =>
        client.publish(`${stage.topic}/${(index + 1) % clients.length}`, index, { qos: 1 }),
      ),
    )
    const texts = await Promise.all(clients.map(async (client) => (await next(client)).text()))
    const isRight = texts.every((text, index) => text === String((index + 99) % 100))
    expect(isRight, 'the message of its neighbour for each')
  },

  TLS: async (stage) => echo(await stage.connectSecurely(), stage.topic, 1),
  WebSocket: async (stage) => echo(await stage.connectByWebSocket(), stage.topic, 1),
} satisfies Record<string, Scenario>

export type ScenarioName = keyof typeof scenarios

async function roundTrip(stage: Stage, qos: 0 | 1 | 2): Promise<void> {
  await echo(await stage.connect(), stage.topic, qos)
}

/** A client gets what it publishes, with the QoS of both, once. */
async function echo(client: Client, topic: string, qos: 0 | 1 | 2): Promise<void> {
  const [granted] = await client.subscribe(topic, { qos })
  expect(Number(granted) === qos, `QoS ${qos}, not ${granted}`)
  await client.publish(topic, 'hello', { qos })
  const message = await next(client)
  expect(message.text() === 'hello' && message.qos === qos, `a message of QoS ${qos}, not of ${message.qos}`)
  const again = await all(client)
  expect(again.length === 0, `one message, not ${1 + again.length}`)
}

async function next(client: Client): Promise<Message> {
  const { value } = await within(PATIENCE / 2, 'a message', client.messages.next())
  return value as Message
}

/** What comes, until nothing has come for a while. */
async function all(client: Client): Promise<string[]> {
  const texts: string[] = []
  for (;;) {
    try {
      const { value } = await client.messages.next({ signal: AbortSignal.timeout(SILENCE) })
      texts.push((value as Message).text())
    } catch {
      return texts
    }
  }
}

/** @throws Error that says what was expected */
function expect(isRight: boolean, what: string): void {
  if (!isRight) throw new Error(`expected ${what}`)
}
