// QoS 0: a publish is over when the kernel has its last byte.

import type { MqttError } from 'aiomqtt'
import test from 'ava'
import { atOnce, clientOf, isPending, listening, patience } from '../helpers/client.js'
import { rejection, within } from '../helpers/deadline.js'
import { quickly, reached, welcomed } from '../helpers/reconnect.js'
import { ways } from '../helpers/ways.js'

/** More than all buffers between the client and a peer that does not read. */
const large = Buffer.alloc(30_000_000)

for (const way of ['tcp', 'unix', 'tls'] as const) {
  test.serial(`${way}: QoS 0 resolves when its last byte is with the kernel, and not before`, async (t) => {
    const peer = await listening(t)
    const { options, ...place } = await ways[way](peer)
    const client = clientOf(t, place, { ...options, timeout: 60 })
    const connecting = client.connect()
    const session = await peer.welcome()
    await within(patience, 'connecting', connecting)
    session.socket.pause()
    await within(atOnce, 'a small one', client.publish('small', 'x'))
    const publishing = client.publish('large', large)
    const behind = client.publish('behind', 'x')
    const timed = client.publish('timed', 'x', { timeout: 0.1 })
    t.is(((await rejection(atOnce, 'publishing', timed)) as MqttError).message, 'Operation timed out')
    t.true(await isPending(publishing))
    t.true(await isPending(behind))
    t.is(client.stats.pending, 2)
    session.socket.resume()
    await within(patience, 'publishing', Promise.all([publishing, behind]))
    t.is((await session.take('publish', 3)).map(({ topic }) => topic).join(' '), 'small large behind')
  })
}

test.serial(
  'with reconnect QoS 0 that has not left rejects at the loss, and the next one leaves',
  async (t) => {
    const peer = await listening(t)
    const client = clientOf(t, peer, { reconnect: quickly })
    const connecting = client.connect()
    const session = await peer.welcome()
    await within(patience, 'connecting', connecting)
    session.socket.pause()
    const calls = [client.publish('large', large), client.publish('behind', 'x')]
    const lost = calls.map((call) => rejection(atOnce, 'publishing', call))
    session.reset()
    for (const error of lost) t.is(((await error) as MqttError).message, '[code:7] The connection was lost.')
    const next = await welcomed(peer)
    await reached(client, 'connected')
    await within(atOnce, 'publishing', client.publish('next', 'x'))
    t.is((await next.next('publish')).topic, 'next')
  },
)

test('what has left resolves, though the connection ends just then', async (t) => {
  const peer = await listening(t)
  for (let round = 0; round < 20; round++) {
    const client = clientOf(t, peer)
    const connecting = client.connect()
    const session = await peer.welcome()
    await within(patience, 'connecting', connecting)
    const publishing = client.publish('last', 'x')
    await session.next('publish')
    session.reset()
    t.is(await within(atOnce, 'publishing', publishing), undefined)
  }
})
