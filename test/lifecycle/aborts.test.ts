// AbortSignal at each call that waits, in each state of the client: it rejects with the signal's reason, leaves nothing
// behind, and the client goes on. (`reauthenticate()` takes no signal.)
import { connect } from 'node:net'
import { type Client, type ClientOptions, ProtocolVersion } from 'aiomqtt'
import test, { type ExecutionContext } from 'ava'
import { field, hex, packet } from '../helpers/bytes.js'
import { atOnce, clientOf, listening, nextMessage, patience } from '../helpers/client.js'
import { rejection, until, within } from '../helpers/deadline.js'
import { MemoryStore } from '../helpers/memory-store.js'
import type { Peer, Session } from '../helpers/peer.js'
import { lasting, message, reached } from '../helpers/reconnect.js'

const { V5 } = ProtocolVersion
const reason = new Error('enough')

/** A client in some state, and how it comes to a connection whose peer answers. */
interface Scene {
  client: Client
  revive(): Promise<Session>
}

/** The peer accepts a client, and answers nothing else. */
async function accepted(
  t: ExecutionContext,
  options: ClientOptions,
): Promise<Scene & { peer: Peer; session: Session }> {
  const peer = await listening(t)
  const client = clientOf(t, peer, { protocol: V5, ...options })
  const connecting = client.connect()
  const session = await peer.welcome()
  await within(patience, 'connecting', connecting)
  return { client, peer, session, revive: async () => session }
}

const states: Record<string, (t: ExecutionContext) => Promise<Scene>> = {
  connected: (t) => accepted(t, {}),
  'connected with reconnect': (t) => accepted(t, { reconnect: true }),
  'connected with manual acknowledgements': (t) => accepted(t, { manualAcks: true }),
  'in a turn of its own': async (t) => {
    const scene = await accepted(t, { maxConcurrentOutgoingCalls: 1 })
    scene.client.publish('first', '', { qos: 1 }).catch(() => {})
    return scene
  },
  'writing its store': async (t) => {
    const store = new MemoryStore()
    const scene = await accepted(t, { ...lasting(V5), store })
    let open = () => {}
    store.gate = new Promise((resolve) => {
      open = resolve
    })
    return {
      ...scene,
      revive: () => {
        open()
        return scene.revive()
      },
    }
  },
  'connecting again': async (t) => {
    const { client, peer, session } = await accepted(t, { reconnect: true })
    session.reset()
    await reached(client, 'reconnecting')
    const again = await peer.accept()
    await again.next('connect')
    return {
      client,
      revive: async () => {
        again.welcome()
        await reached(client, 'connected')
        return again
      },
    }
  },
  'waiting for a retry': async (t) => {
    const { client, peer, session } = await accepted(t, { reconnect: { minDelay: 0.3, maxDelay: 0.3 } })
    session.reset()
    await reached(client, 'reconnecting')
    const changes = client.states
    ;(await peer.accept()).reset()
    for await (const { attempt } of changes) if (attempt === 2) break
    return {
      client,
      revive: async () => {
        const again = await peer.welcome()
        await reached(client, 'connected')
        return again
      },
    }
  },
  offline: async (t) => {
    const peer = await listening(t)
    const client = clientOf(t, peer, { protocol: V5, offlineQueue: { qos0: true } })
    return {
      client,
      revive: async () => {
        const connecting = client.connect()
        const session = await peer.welcome()
        await within(patience, 'connecting', connecting)
        return session
      },
    }
  },
}

/** Whether nothing of a call can have left before `revive()`. */
function isHeldBack(state: string, call: string): boolean {
  if (state === 'writing its store') return /QoS [12]/.test(call)
  return !state.startsWith('connected')
}

type Call = (client: Client, signal: AbortSignal) => Promise<unknown>

const calls: Record<string, Call> = {
  'publish() of QoS 0': (client, signal) => client.publish('aborted', 'x', { signal }),
  'publish() of QoS 1': (client, signal) => client.publish('aborted', 'x', { qos: 1, signal }),
  'publish() of QoS 2': (client, signal) => client.publish('aborted', 'x', { qos: 2, signal }),
  'subscribe()': (client, signal) => client.subscribe('aborted', { signal }),
  'unsubscribe()': (client, signal) => client.unsubscribe('aborted', { signal }),
  'request()': (client, signal) => client.request('aborted', 'x', { qos: 1, signal }),
  'next()': (client, signal) => client.messages.next({ signal }),
  'next() of a filter view': (client, signal) => client.messages.filter('none').next({ signal }),
  'next() of batches': (client, signal) => client.messages.batches().next({ signal }),
}

/** When the signal fires. */
const moments = ['before', 'in the same tick', 'later'] as const

/** Whether a call waits in a state: a publish of QoS 0 is over as soon as it has left, and only publishes wait offline. */
function waits(state: string, call: string, moment: (typeof moments)[number]): boolean {
  if (moment === 'before') return true
  if (call === 'publish() of QoS 0') {
    return moment === 'in the same tick' || !/connected|store/.test(state)
  }
  return state !== 'offline' || /publish|next/.test(call)
}

/** Answers all that comes, and takes down the topics. */
async function answer(session: Session, seen: string[]): Promise<void> {
  for (;;) {
    const received = await session.any()
    const { messageId = 0 } = received
    if (received.cmd === 'publish') {
      seen.push(received.topic)
      if (received.qos === 1) session.send({ cmd: 'puback', messageId })
      if (received.qos === 2) session.send({ cmd: 'pubrec', messageId })
    } else if (received.cmd === 'pubrel') session.send({ cmd: 'pubcomp', messageId })
    else if (received.cmd === 'subscribe') {
      for (const { topic } of received.subscriptions) seen.push(topic)
      session.send({ cmd: 'suback', messageId, granted: received.subscriptions.map(() => 0) })
    } else if (received.cmd === 'unsubscribe') {
      seen.push(...received.unsubscriptions)
      session.send({ cmd: 'unsuback', messageId, granted: received.unsubscriptions.map(() => 0) })
    }
  }
}

async function turns(count: number): Promise<void> {
  for (let turn = 0; turn < count; turn++) await new Promise((resolve) => setImmediate(resolve))
}

for (const [state, arrange] of Object.entries(states)) {
  for (const [name, call] of Object.entries(calls)) {
    test(`${state}: ${name} rejects with the signal's reason whenever it fires, and the client goes on`, async (t) => {
      for (const moment of moments) {
        if (!waits(state, name, moment)) continue
        const { client, revive } = await arrange(t)
        const { pending } = client.stats
        const controller = new AbortController()
        if (moment === 'before') controller.abort(reason)
        const outcome = rejection(atOnce, `${name}, aborted ${moment}`, call(client, controller.signal))
        if (moment === 'later') await turns(5)
        controller.abort(reason)
        t.is(await outcome, reason, moment)
        // The subscription for answers is not the request's own: it goes on for the next one.
        if (name !== 'request()') t.is(client.stats.pending, pending, moment)

        const session = await revive()
        const seen: string[] = []
        answer(session, seen).catch(() => {})
        await within(patience, 'a publish after it', client.publish('after', '', { qos: 1 }))
        session.send(message('still/here', 'x'))
        t.is((await nextMessage(client)).topic.value, 'still/here', moment)
        await within(patience, 'an end of all flows', idle(client))
        t.like(client.stats, { pending: 0, inflight: 0 }, moment)
        if (moment === 'before' || isHeldBack(state, name))
          t.false(seen.includes('aborted'), `${moment}: ${seen}`)
        await client.disconnect()
      }
    })
  }
}

/** Resolves when nothing is on its way. */
async function idle(client: Client): Promise<void> {
  await until(patience, 'all that is on its way', () => client.stats.inflight + client.stats.pending === 0)
}

/** A promise, and what resolves it. */
function signalled(): { promise: Promise<void>; resolve: () => void } {
  let resolve = () => {}
  const promise = new Promise<void>((settle) => {
    resolve = settle
  })
  return { promise, resolve }
}

/** What a pending connect() waits for. */
interface Waiting {
  options: ClientOptions
  /** Resolves when it waits. */
  begun(client: Client): Promise<unknown>
  /** From now on it need not wait. */
  release?: () => void
  /** What the next connection is accepted with, if not with an ordinary CONNACK. */
  connack?: string
}

const waitings: Record<string, (peer: Peer) => Waiting> = {
  CONNACK: (peer) => ({
    options: {},
    begun: async () => (await peer.accept()).next('connect'),
  }),
  'an answer to a challenge': (peer) => {
    const asked = signalled()
    const respond = () => {
      asked.resolve()
      return new Promise<null>(() => {})
    }
    const method = hex('04', '15', field('m'))
    return {
      options: { authentication: { method: 'm', respond } },
      begun: async () => {
        const session = await peer.accept()
        await session.next('connect')
        session.send(packet('f0', '18', method))
        await asked.promise
      },
      connack: packet('20', '0000', method),
    }
  },
  'a retry': (peer) => ({
    options: { reconnect: { initial: true, minDelay: 30, maxDelay: 30 } },
    begun: async (client) => {
      const changes = client.states
      ;(await peer.accept()).reset()
      ;(await peer.accept()).reset()
      for await (const { attempt } of changes) if (attempt === 2) break
    },
  }),
  'a store': () => {
    const asked = signalled()
    const gate = signalled()
    const store = {
      async *load() {
        asked.resolve()
        await gate.promise
        yield* []
      },
      batch() {},
    }
    return { options: { ...lasting(V5), store }, begun: () => asked.promise, release: gate.resolve }
  },
  'a connection of the program': (peer) => {
    const asked = signalled()
    let isReleased = false
    const transport = () => {
      asked.resolve()
      return isReleased ? connect(peer.port, peer.host) : new Promise<never>(() => {})
    }
    return {
      options: { transport },
      begun: () => asked.promise,
      release: () => {
        isReleased = true
      },
    }
  },
}

for (const [what, arrange] of Object.entries(waitings)) {
  test(`connect() that waits for ${what} rejects with the signal's reason whenever it fires, and can be called again`, async (t) => {
    for (const moment of moments) {
      const peer = await listening(t)
      const { options, begun, release, connack } = arrange(peer)
      const client = clientOf(t, peer, { protocol: V5, ...options })
      const controller = new AbortController()
      if (moment === 'before') controller.abort(reason)
      const { signal } = controller
      const outcome = rejection(patience, `connect(), aborted ${moment}`, client.connect({ signal }))
      if (moment === 'later') await within(patience, 'the beginning', begun(client))
      controller.abort(reason)
      t.is(await outcome, reason, moment)
      t.is(client.state, 'disconnected')
      t.like(client.stats, { pending: 0, inflight: 0 })

      release?.()
      peer.serve(async (session) => {
        await session.next('connect')
        if (connack === undefined) session.welcome()
        else session.send(connack)
      })
      t.is(await within(patience, 'connecting', client.connect()), client)
      await client.disconnect()
    }
  })
}
