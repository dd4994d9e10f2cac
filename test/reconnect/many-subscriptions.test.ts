import type { Socket } from 'node:net'
import test from 'ava'
import { clientOf, listening, patience } from '../helpers/client.js'
import { until, within } from '../helpers/deadline.js'
import { Framing } from '../helpers/framing.js'
import { quickly as reconnect } from '../helpers/reconnect.js'

/** More than there are packet identifiers. */
const count = 70_000

test.serial('more subscriptions than there are packet identifiers are all renewed', async (t) => {
  t.timeout(120_000)
  const peer = await listening(t)
  const sockets: Socket[] = []
  const connections: Array<Set<string>> = []
  let isPatient = false
  // Framed by itself: a hundred thousand packets.
  peer.serve(async ({ socket }) => {
    const filters = new Set<string>()
    sockets.push(socket)
    connections.push(filters)
    const framing = new Framing()
    const answers: Buffer[] = []
    socket.removeAllListeners('data').on('data', async (chunk: Buffer) => {
      for (const { bytes, type } of framing.take(chunk)) {
        if (type === 'connect') socket.write(Buffer.from('20020000', 'hex'))
        if (type !== 'subscribe') continue
        const at = (bytes[1] as number) < 0x80 ? 2 : 3
        filters.add(bytes.toString('utf8', at + 4, bytes.length - 1))
        answers.push(Buffer.of(0x90, 3, bytes[at] as number, bytes[at + 1] as number, 0))
      }
      // On the next connection all identifiers are used up before anything is answered.
      if (isPatient && filters.size < 65_535) return
      socket.write(Buffer.concat(answers.splice(0)))
    })
  })
  const client = clientOf(t, peer, { reconnect, timeout: 60 })
  await within(patience, 'connecting', client.connect())
  for (let first = 0; first < count; first += 10_000) {
    const calls = Array.from({ length: 10_000 }, (_, index) => client.subscribe(`f/${first + index}`))
    await within(12 * patience, 'subscribing', Promise.all(calls))
  }
  isPatient = true
  sockets[0]?.resetAndDestroy()
  await until(12 * patience, 'renewing', () => connections[1]?.size === count)
  t.deepEqual([...(connections[1] as Set<string>)].sort(), [...(connections[0] as Set<string>)].sort())
})
