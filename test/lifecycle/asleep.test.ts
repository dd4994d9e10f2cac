// A process that sleeps for longer than its keepalive (SIGSTOP, a suspended machine): what waits for it when it wakes up
// shows that the broker lives, and the connection is kept.

import { setTimeout as sleep } from 'node:timers/promises'
import type { ClientOptions } from 'aiomqtt'
import test from 'ava'
import { listening, patience } from '../helpers/client.js'
import { within } from '../helpers/deadline.js'
import type { Session } from '../helpers/peer.js'
import { inProcess, type Program } from '../helpers/program.js'
import { message } from '../helpers/reconnect.js'
import { ways } from '../helpers/ways.js'

interface Parameters {
  places: Array<{ host: string; port: number; options: ClientOptions }>
  /** Connections with each place. */
  count: number
}

const program: Program<Parameters> = async ({ Client }, { places, count }) => {
  const clients = places.flatMap(({ host, port, options }) =>
    Array.from({ length: count }, () => new Client(host, port, options)),
  )
  await Promise.all(clients.map((client) => client.connect()))
  console.log('connected')
  const texts = await Promise.all(
    clients.map((client) =>
      client.messages.next().then(
        ({ value }) => value?.text(),
        (error: Error) => `${error.message}: ${error.cause}`,
      ),
    ),
  )
  console.log([...new Set(texts)].join())
  await Promise.all(clients.map((client) => client.disconnect()))
}

const all = ['tcp', 'tls', 'secure-websocket'] as const

// The keepalive is in seconds; half of it is the time that an answer may take on a busy machine.
for (const [title, chosen, count, keepalive] of [
  ...all.map((way) => [way, [way], 1, 2] as const),
  ['all, 300 connections', all, 100, 4] as const,
]) {
  test(`${title}: a process that sleeps keeps its connections`, async (t) => {
    const peer = await listening(t)
    const pinged = new Set<Session>()
    let isAsleep = false
    let hasSlept = false
    let wake = () => {}
    const half = new Promise<void>((resolve) => {
      wake = resolve
    })
    const total = chosen.length * count
    // PINGRESP waits for the first half of the connections, and comes later for the others.
    const late: Session[] = []
    peer.serve(async (session) => {
      await session.next('connect')
      session.welcome()
      // Nothing but PINGREQ comes until the end.
      session.socket.on('data', () => {
        if (isAsleep) late.push(session)
        else session.send('d0 00')
        pinged.add(session)
        if (isAsleep || hasSlept || pinged.size < total / 2) return
        isAsleep = true
        wake()
      })
    })
    const places: Parameters['places'] = []
    for (const way of chosen) {
      const { options, ...place } = await ways[way](peer)
      places.push({ ...place, options: { ...options, keepalive, timeout: 30 } })
    }
    const running = inProcess(program, { places, count })
    await running.said('connected')
    await within(2 * patience, 'PINGREQ', half)
    running.signal('SIGSTOP')
    // The answer may take half a keepalive.
    await sleep(1_600 * keepalive)
    running.signal('SIGCONT')
    isAsleep = false
    hasSlept = true
    for (const session of late) session.send('d0 00')
    // Long enough to be given up.
    await sleep(700 * keepalive)
    for (const session of peer.sessions) session.send(message('a', 'alive'))
    const { output, errors } = await running.outcome
    t.is(errors, '')
    t.is(output.trim(), 'connected\nalive')
    t.is(peer.connections, total)
  })
}
