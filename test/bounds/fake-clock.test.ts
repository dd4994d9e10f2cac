import test from 'ava'
import { clientOf, paired, patience } from '../helpers/client.js'
import { within } from '../helpers/deadline.js'

/** What fake clocks (Jest, Vitest, Sinon) put something in the place of. */
const NAMES = ['setTimeout', 'setImmediate', 'queueMicrotask', 'clearTimeout'] as const

test.serial('a fake clock that was there for a while stops no client', async (t) => {
  const { client, session, peer } = await paired(t)
  const real = NAMES.map((name) => [name, globalThis[name]] as const)
  const { nextTick } = process
  const { now } = performance
  const restore = (): void => {
    process.nextTick = nextTick
    performance.now = now
    for (const [name, value] of real) Object.assign(globalThis, { [name]: value })
  }
  t.teardown(restore)

  process.nextTick = () => {}
  performance.now = () => 0
  for (const name of NAMES) Object.assign(globalThis, { [name]: () => ({ unref() {}, ref() {} }) })
  const during = client.publish('a', 'x', { qos: 1 })
  // The first call with this timeout: its deadline's timer is asked for now.
  const late = t.throwsAsync(client.publish('a', 'x', { qos: 1, timeout: 0.3 }))
  restore()

  const first = await session.next('publish')
  session.send({ cmd: 'puback', messageId: first.messageId as number })
  await within(patience, 'the publish under the fake clock', during)
  t.is((await within(patience, 'its deadline', late))?.message, 'Operation timed out')
  await session.next('publish')

  const after = client.publish('a', 'y', { qos: 1 })
  const second = await session.next('publish')
  session.send({ cmd: 'puback', messageId: second.messageId as number })
  await within(patience, 'a publish after it', after)
  t.is(
    (await t.throwsAsync(client.publish('a', 'x', { qos: 1, timeout: 0.3 })))?.message,
    'Operation timed out',
  )

  const another = clientOf(t, peer)
  const connecting = another.connect()
  const its = await peer.accept()
  await its.next('connect')
  its.welcome()
  await within(patience, 'another client', connecting)
})
