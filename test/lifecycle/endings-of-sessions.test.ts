// As endings.test.ts, for what a client does beyond one connection.
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type * as Library from 'aiomqtt'
import anyTest, { type TestFn } from 'ava'
import { field, hex, packet } from '../helpers/bytes.js'
import { Mosquitto } from '../helpers/mosquitto.js'
import { Peer } from '../helpers/peer.js'
import type { Program } from '../helpers/program.js'
import { type End, testEveryEnding } from './every-ending.js'

const test = anyTest as TestFn<{ broker: Mosquitto; fickle: Peer; challenger: Peer; folder: string }>

test.before(async (t) => {
  t.context.broker = await Mosquitto.start({ settings: ['max_queued_messages 0'] })
  t.context.fickle = await fickle()
  t.context.challenger = await challenger()
  t.context.folder = await mkdtemp(join(tmpdir(), 'aiomqtt-endings-'))
})
test.after.always(async (t) => {
  await t.context.broker.stop()
  await t.context.fickle.close()
  await t.context.challenger.close()
  await rm(t.context.folder, { recursive: true, force: true })
})

/** Accepts each client once, loses it, and then resets it, or says nothing to those whose identifier wants silence. */
async function fickle(): Promise<Peer> {
  const peer = await Peer.listen()
  const known = new Set<string>()
  peer.serve(async (session) => {
    const { clientId } = await session.next('connect')
    if (!known.has(clientId)) {
      known.add(clientId)
      session.welcome()
      if (clientId.startsWith('publishing')) await session.take('publish', 2)
      session.close()
    } else if (!clientId.startsWith('silence')) {
      session.reset()
    }
  })
  return peer
}

/** Challenges each client, before it is accepted or, if its identifier wants that, when it authenticates again. */
async function challenger(): Promise<Peer> {
  const peer = await Peer.listen()
  const method = hex('04', '15', field('m'))
  peer.serve(async (session) => {
    const { clientId } = await session.next('connect')
    if (clientId.startsWith('accepted')) {
      session.send(packet('20', '0000', method))
      await session.next('auth')
    }
    session.send(packet('f0', '18', method))
  })
  return peer
}

/** What a program is doing when it is ended. */
const states = [
  'waiting for a retry',
  'connecting again',
  'publishing between two connections',
  'filling its offline queue',
  'writing its store',
  'waiting for the answer to a request',
  'reading filter views',
  'holding acknowledgements back',
  'authenticating',
  'authenticating again',
] as const

const program: Program<{
  state: (typeof states)[number]
  end: End
  broker: number
  fickle: number
  challenger: number
  folder: string
  storeModule: string
}> = async (library, { state, end, broker, fickle, challenger, folder, storeModule }) => {
  const host = '127.0.0.1'
  const ignore = (promise: Promise<unknown>) => promise.catch(() => {})
  const topic = `topic/${Math.random()}`
  const lasting = (name: string) => ({ identifier: `${name}-${Math.random()}`, cleanSession: false })
  const returning = (name: string, options: Library.ClientOptions = {}) =>
    new library.Client(host, fickle, {
      ...lasting(name),
      reconnect: { minDelay: 60 },
      timeout: 60,
      ...options,
    })
  /** Resolves when the first retry has failed. */
  const retrying = async (changes: Library.Client['states']) => {
    for await (const { attempt } of changes) if (attempt === 2) return
  }
  const publishAgainAndAgain = async (client: Library.Client) => {
    await Promise.all([0, 1, 2].map((qos) => client.publish(topic, 'x', { qos: qos as 0 | 1 | 2 })))
    setImmediate(() => ignore(publishAgainAndAgain(client)))
  }
  switch (state) {
    case 'waiting for a retry': {
      const client = returning('retry')
      const changes = client.states
      await client.connect()
      ignore(client.messages.next())
      await retrying(changes)
      break
    }
    case 'connecting again': {
      let connects = 0
      await new Promise<void>((resolve, reject) => {
        const debug = (line: string) => {
          if (line.startsWith('Sending CONNECT') && ++connects === 2) resolve()
        }
        const other = () => {}
        const client = returning('silence', { logger: { debug, info: other, warn: other, error: other } })
        client.connect().then(() => ignore(client.messages.next()), reject)
      })
      break
    }
    case 'publishing between two connections': {
      const client = returning('publishing')
      const changes = client.states
      await client.connect()
      for (const qos of [1, 2] as const) ignore(client.publish('a', 'x', { qos }))
      await retrying(changes)
      for (const qos of [0, 1, 2] as const) ignore(client.publish('a', 'x', { qos }))
      ignore(client.subscribe('a'))
      break
    }
    case 'filling its offline queue': {
      const client = returning('offline', { offlineQueue: { maxMessages: 10 } })
      for (let index = 0; index < 20; index++) ignore(client.publish('a', 'x', { qos: 1 }))
      break
    }
    case 'writing its store': {
      const { DurableStore } = (await import(storeModule)) as typeof import('aiomqtt/store')
      const store = new DurableStore(`${folder}/${Math.random()}`)
      const client = new library.Client(host, broker, { ...lasting('store'), store })
      await client.connect()
      await publishAgainAndAgain(client)
      break
    }
    case 'waiting for the answer to a request': {
      const client = await library.Client.connect(host, broker, { protocol: library.ProtocolVersion.V5 })
      ignore(client.request(topic, 'x'))
      await client.publish(topic, 'x', { qos: 1 })
      for (const qos of [0, 1, 2] as const) ignore(client.request(topic, 'x', { qos }))
      break
    }
    case 'reading filter views': {
      const options = { overflow: 'backpressure', maxQueuedIncomingMessages: 10 } as const
      const client = await library.Client.connect(host, broker, options)
      const [read, unread] = [client.messages.filter('topic/+'), client.messages.filter('topic/#')]
      ignore(client.messages.filter('none').next())
      await client.subscribe(topic)
      await publishAgainAndAgain(await library.Client.connect(host, broker))
      for (let count = 0; count < 5 || unread.length === 0; count++) await read.next()
      break
    }
    case 'holding acknowledgements back': {
      const client = await library.Client.connect(host, broker, { manualAcks: true })
      await client.subscribe(topic, { qos: 2 })
      for (const qos of [1, 2] as const) {
        for (let count = 0; count < 5; count++) await client.publish(topic, 'x', { qos })
      }
      const held: Library.Message[] = []
      while (held.length < 8) {
        const { value } = await client.messages.next()
        if (value !== undefined) held.push(value)
      }
      for (const message of held.slice(4).reverse()) await message.ack()
      break
    }
    case 'authenticating':
    case 'authenticating again':
      await new Promise<void>((resolve, reject) => {
        const isAgain = state === 'authenticating again'
        const respond = () => {
          resolve()
          return new Promise<null>(() => {})
        }
        const client = new library.Client(host, challenger, {
          protocol: library.ProtocolVersion.V5,
          identifier: `${isAgain ? 'accepted' : 'challenged'}-${Math.random()}`,
          authentication: { method: 'm', respond },
        })
        const connecting = client.connect()
        if (isAgain) connecting.then(() => ignore(client.reauthenticate())).catch(reject)
        else ignore(connecting)
      })
      break
  }
  console.log('ready')
  setImmediate(() => {
    if (end === 'exit') process.exit(7)
    if (end === 'exception') throw new Error('of the program')
    setInterval(() => {}, 1_000)
  })
}

for (const state of states) {
  testEveryEnding(
    test,
    state,
    program,
    ({ context: { broker, fickle, challenger, folder } }, end) => ({
      state,
      end,
      broker: broker.port,
      fickle: fickle.port,
      challenger: challenger.port,
      folder,
      storeModule: import.meta.resolve('aiomqtt/store'),
    }),
    3,
  )
}
