import { once } from 'node:events'
import { connect, Socket } from 'node:net'
import test from 'ava'
import { within } from '../helpers/deadline.js'
import { internal } from '../unit/internals.js'

const { loadAddon } = await internal<typeof import('../../dist/engine/load-addon.js')>('engine/load-addon')
const { LoopbackMeeting } = await internal<typeof import('../../dist/transports/loopback-meeting.js')>(
  'transports/loopback-meeting',
)

/** What runtimes without sockets of descriptors have in the place of a pair. */
async function meet() {
  const meeting = await LoopbackMeeting.open()
  const binding = loadAddon()
  let port = 0
  let far!: Socket
  const spying = {
    join(at: number) {
      port = at
      return binding.join(at)
    },
  } as typeof binding
  const near = new Promise<Socket>((resolve) => {
    far = new Socket({ fd: meeting.join(spying, resolve), allowHalfOpen: true })
  })
  return { near: await within(5000, 'the meeting', near), far, port }
}

test('the two ends of a meeting are one stream', async (t) => {
  const { near, far } = await meet()
  far.write('there')
  t.is(String(await within(5000, 'what was written', once(near, 'data'))), 'there')
  near.end('and back')
  t.is(String(await within(5000, 'the answer', once(far, 'data'))), 'and back')
  await within(5000, 'the end', once(far, 'end'))
  far.end()
  await within(5000, 'the other end', once(near, 'close'))
})

test('a stranger that connects first is turned away', async (t) => {
  const meeting = await LoopbackMeeting.open()
  const binding = loadAddon()
  let ended!: Promise<void>
  let far!: Socket
  const spying = {
    join(port: number) {
      // It is in the queue before the one that is expected.
      const stranger = connect(port, '127.0.0.1').on('error', () => {})
      ended = new Promise((resolve) => stranger.resume().once('close', () => resolve()))
      return binding.join(port)
    },
  } as typeof binding
  const near = new Promise<Socket>((resolve) => {
    far = new Socket({ fd: meeting.join(spying, resolve), allowHalfOpen: true })
  })
  const socket = await within(5000, 'the meeting', near)
  await within(5000, 'the end of the stranger', ended)
  far.write('it is me')
  t.is(String(await within(5000, 'what was written', once(socket, 'data'))), 'it is me')
  socket.destroy()
  far.destroy()
})

test('nobody can come to a meeting that has taken place', async (t) => {
  const { near, far, port } = await meet()
  const late = connect(port, '127.0.0.1')
  const [error] = (await within(5000, 'the refusal', once(late, 'error'))) as [NodeJS.ErrnoException]
  t.is(error.code, 'ECONNREFUSED')
  near.destroy()
  far.destroy()
})
