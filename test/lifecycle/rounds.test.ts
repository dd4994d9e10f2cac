import test from 'ava'
import { allowMinutes } from '../helpers/deadline.js'
import { Mosquitto } from '../helpers/mosquitto.js'
import { Peer } from '../helpers/peer.js'
import { inProcess } from '../helpers/program.js'

/** Rounds of the test below; the whole count is 10,000, with the first thousand to warm up. */
const rounds = Number(process.env.AIOMQTT_ROUNDS ?? 1_500)

/** A connection that is just being let go may still be counted; one that leaks each round cannot hide here. */
const tolerance = 10

interface Measures {
  heap: number
  external: number
  rss: number
  resources: number
  descriptors: number
  threads: number
}

test(`${rounds} rounds of connect, publish, disconnect leave memory, handles and descriptors where they were`, async (t) => {
  allowMinutes(t, 2, 10)
  const broker = await Mosquitto.start()
  t.teardown(() => broker.stop())
  const { code, output, errors } = await inProcess(
    async ({ Client }, { port, rounds }) => {
      const { readdirSync } = await import('node:fs')
      const count = (folder: string) => {
        try {
          return readdirSync(folder).length
        } catch {
          return 0
        }
      }
      const measure = async () => {
        for (let pass = 0; pass < 3; pass++) {
          await new Promise((resolve) => setImmediate(resolve))
          globalThis.gc?.()
        }
        const { heapUsed, external, arrayBuffers, rss } = process.memoryUsage()
        return {
          heap: heapUsed,
          external: external + arrayBuffers,
          rss,
          resources: process.getActiveResourcesInfo().length,
          descriptors: count('/proc/self/fd'),
          threads: count('/proc/self/task'),
        }
      }
      const measures: unknown[] = []
      const warm = Math.min(1_000, rounds / 2)
      for (let round = 1; round <= rounds; round++) {
        const client = await Client.connect('127.0.0.1', port, { protocol: round % 2 === 0 ? 4 : 5 })
        await client.publish('a', 'x', { qos: (round % 3) as 0 | 1 | 2 })
        await client.disconnect()
        if (round === warm || round === rounds) measures.push(await measure())
      }
      console.log(JSON.stringify(measures))
    },
    { port: broker.port, rounds },
    // V8 enlarges its young generation when it likes; at a fixed size what leaks is not hidden in that.
    { flags: ['--expose-gc', '--max-semi-space-size=1'], patience: 580_000 },
  ).outcome
  t.is(errors, '')
  t.is(code, 0)
  const [before, after] = JSON.parse(output) as [Measures, Measures]
  const told = `${JSON.stringify(before)} then ${JSON.stringify(after)}`
  t.true(after.resources - before.resources < tolerance, told)
  t.true(after.descriptors - before.descriptors < tolerance, told)
  t.true(after.threads - before.threads < tolerance, told)
  t.true(after.heap - before.heap < 1 << 20, told)
  t.true(after.external - before.external < 1 << 20, told)
  t.true(after.rss - before.rss < 8 << 20, told)
})

test('a thousand failed and a thousand lost connections leave descriptors and threads where they were', async (t) => {
  const peer = await Peer.listen()
  t.teardown(() => peer.close())
  let connections = 0
  peer.serve(async (session) => {
    const number = ++connections
    if (number % 4 === 0) return session.reset()
    await session.next('connect')
    if (number % 4 === 1) return session.send('20 02 0005')
    if (number % 4 === 2) return session.close()
    session.welcome()
    await session.next('publish')
    session.reset()
  })
  const { code, output, errors } = await inProcess(
    async ({ Client }, { port }) => {
      const { readdirSync } = await import('node:fs')
      const measure = () => {
        if (process.platform !== 'linux') return { descriptors: 0, threads: 0 }
        return {
          descriptors: readdirSync('/proc/self/fd').length,
          threads: readdirSync('/proc/self/task').length,
        }
      }
      const outcomes = { rejected: 0, lost: 0 }
      const round = async () => {
        const client = new Client('127.0.0.1', port)
        try {
          await client.connect()
          await client.publish('a', 'x', { qos: 1 }).catch(() => outcomes.lost++)
        } catch {
          outcomes.rejected++
        }
      }
      for (let count = 0; count < 200; count++) await round()
      const before = measure()
      for (let count = 0; count < 1_800; count++) await round()
      console.log(JSON.stringify({ before, after: measure(), outcomes }))
    },
    { port: peer.port },
    { patience: 60_000 },
  ).outcome
  t.is(errors, '')
  t.is(code, 0)
  const { before, after, outcomes } = JSON.parse(output) as {
    before: Pick<Measures, 'descriptors' | 'threads'>
    after: Pick<Measures, 'descriptors' | 'threads'>
    outcomes: { rejected: number; lost: number }
  }
  t.deepEqual(outcomes, { rejected: 1_500, lost: 500 })
  t.true(after.descriptors - before.descriptors < tolerance, output)
  t.true(after.threads - before.threads < tolerance, output)
})
