import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { Client } from 'aiomqtt'
import anyTest, { type TestFn } from 'ava'
import { connected } from '../helpers/client.js'
import { Mosquitto } from '../helpers/mosquitto.js'
import { Peer } from '../helpers/peer.js'
import { inProcess, inThread } from '../helpers/program.js'

const test = anyTest as TestFn<{ broker: Mosquitto }>
const root = fileURLToPath(new URL('../../../', import.meta.url))

test.before(async (t) => {
  t.context.broker = await Mosquitto.start()
})
test.after.always((t) => t.context.broker.stop())

for (const [where, run] of [
  ['process', inProcess],
  ['worker thread', inThread],
] as const) {
  test.serial(`a ${where} that only imports the library ends by itself`, async (t) => {
    const { code, milliseconds } = await run(({ Client }) => {
      new Client('127.0.0.1')
    }, {}).outcome
    t.is(code, 0)
    t.true(milliseconds < 3_000, `it took ${milliseconds} ms`)
  })

  test.serial(`a ${where} ends by itself after disconnect()`, async (t) => {
    const { code, output, milliseconds } = await run(
      async ({ Client }, { port }) => {
        const client = await Client.connect('127.0.0.1', port)
        await client.subscribe('own', { qos: 1 })
        await client.publish('own', 'x', { qos: 2 })
        await client.messages.next()
        await client.disconnect()
        console.log('done')
      },
      { port: t.context.broker.port },
    ).outcome
    t.is(code, 0)
    t.is(output, 'done\n')
    t.true(milliseconds < 3_000, `it took ${milliseconds} ms`)
  })

  test.serial(`a ${where} with a connection stays alive, until unref()`, async (t) => {
    const running = run(
      async ({ Client }, { port }) => {
        const client = await Client.connect('127.0.0.1', port)
        client.unref().ref()
        // Only the connection is there in between: such a timer keeps nothing alive.
        setTimeout(() => {
          console.log('still there')
          client.unref()
        }, 500).unref()
      },
      { port: t.context.broker.port },
    )
    const { code, output } = await running.outcome
    t.is(code, 0)
    t.is(output, 'still there\n')
  })

  test.serial(`a ${where} stays alive while its client comes back, until unref()`, async (t) => {
    const peer = await Peer.listen()
    t.teardown(() => peer.close())
    const running = run(
      async ({ Client }, { port }) => {
        const reconnect = { minDelay: 0.01, maxDelay: 0.01 }
        const client = await Client.connect('127.0.0.1', port, { reconnect })
        for await (const { state } of client.states) if (state === 'reconnecting') break
        setTimeout(() => {
          console.log('again')
          client.unref()
        }, 300).unref()
      },
      { port: peer.port },
    )
    const first = await peer.welcome()
    first.reset()
    const second = await peer.accept()
    await running.said('again')
    const { code } = await running.outcome
    second.reset()
    t.is(code, 0)
  })

  test.serial(`a ${where} with a connection, unref() and nothing to wait for ends by itself`, async (t) => {
    const { code, milliseconds } = await run(
      async ({ Client }, { port }) => {
        const client = await Client.connect('127.0.0.1', port)
        await client.unref().subscribe('a')
      },
      { port: t.context.broker.port },
    ).outcome
    t.is(code, 0)
    t.true(milliseconds < 3_000, `it took ${milliseconds} ms`)
  })

  test.serial(`a ${where} ends by itself after a connect() that failed, and after a loss`, async (t) => {
    const peer = await Peer.listen()
    t.teardown(() => peer.close())
    const running = run(
      async ({ Client }, { port }) => {
        const client = new Client('127.0.0.1', port)
        await client.connect().catch(() => {})
        await client.connect()
        await client.messages.next().catch(({ message }: Error) => console.log(message))
      },
      { port: peer.port },
    )
    const first = await peer.accept()
    first.reset()
    const second = await peer.welcome()
    second.reset()
    const { code, output, milliseconds } = await running.outcome
    t.is(code, 0)
    t.is(output, 'Disconnected during message iteration\n')
    t.true(milliseconds < 3_000, `it took ${milliseconds} ms`)
  })

  test.serial(`a ${where} stays alive while it waits for a message`, async (t) => {
    const running = run(
      async ({ Client }, { port }) => {
        const client = await Client.connect('127.0.0.1', port)
        client.unref()
        await client.subscribe('wake', { qos: 1 })
        console.log('waiting')
        for await (const message of client.messages) {
          console.log(message.text())
          break
        }
      },
      { port: t.context.broker.port },
    )
    await running.said('waiting')
    const waker = await Client.connect(t.context.broker.host, t.context.broker.port)
    await waker.publish('wake', 'good morning', { qos: 1, retain: false })
    await waker.disconnect()
    const { code, output } = await running.outcome
    t.is(code, 0)
    t.is(output, 'waiting\ngood morning\n')
  })

  test.serial(`a ${where} stays alive while a call is pending, up to its timeout`, async (t) => {
    const peer = await Peer.listen()
    t.teardown(() => peer.close())
    const running = run(
      async ({ Client }, { port }) => {
        const client = await Client.connect('127.0.0.1', port)
        await client
          .unref()
          .publish('a', 'x', { qos: 1, timeout: 0.3 })
          .catch(({ message }: Error) => console.log(message))
      },
      { port: peer.port },
    )
    const session = await peer.welcome()
    await session.next('publish')
    const { code, output } = await running.outcome
    t.is(code, 0)
    t.is(output, 'Operation timed out\n')
  })
}

test.serial('keepalive holds while the event loop is blocked', async (t) => {
  const { code, output, errors } = await inProcess(
    async ({ Client }, { port }) => {
      const client = await Client.connect('127.0.0.1', port, { keepalive: 1 })
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 4_000)
      await client.publish('a', 'still connected', { qos: 1 })
      console.log('published')
      await client.disconnect()
    },
    { port: t.context.broker.port },
  ).outcome
  t.is(errors, '')
  t.is(output, 'published\n')
  t.is(code, 0)
})

test.serial('several threads have clients at the same time, and talk to each other', async (t) => {
  const count = 4
  const threads = Array.from({ length: count }, (_, index) =>
    inThread(
      async ({ Client }, { port, index, count }) => {
        const client = await Client.connect('127.0.0.1', port, { protocol: index % 2 === 0 ? 4 : 5 })
        await client.subscribe(`threads/${index}`, { qos: 2 })
        await client.subscribe('started/+')
        await client.publish(`started/${index}`, 'x', { qos: 1, retain: true })
        const started = new Set<string>()
        for await (const { topic } of client.messages) if (started.add(topic.value).size === count) break
        const next = `threads/${(index + 1) % count}`
        const publishing = Array.from({ length: 500 }, (_, number) =>
          client.publish(next, number, { qos: 2 }),
        )
        const seen: string[] = []
        for await (const message of client.messages) {
          if (message.topic.value === `threads/${index}` && seen.push(message.text()) === 500) break
        }
        await Promise.all(publishing)
        await client.disconnect()
        console.log(seen.every((text, number) => text === String(number)))
      },
      { port: t.context.broker.port, index, count },
    ),
  )
  for (const thread of threads) {
    const { code, output, error } = await thread.outcome
    t.is(error, undefined)
    t.is(output, 'true\n')
    t.is(code, 0)
  }
})

test.serial(
  'a program that loads the library in one thread after the other, and never in the first',
  async (t) => {
    const { code, output, errors } = await inProcess(
      async (_library, { port, module }) => {
        const { Worker } = await import('node:worker_threads')
        const text = `
        import(${JSON.stringify(module)}).then(async ({ Client }) => {
          const client = await Client.connect('127.0.0.1', ${port})
          await client.publish('a', 'x', { qos: 1 })
          await client.disconnect()
        })`
        for (let round = 0; round < 10; round++) {
          const worker = new Worker(text, { eval: true })
          console.log(await new Promise((resolve) => worker.once('exit', resolve)))
        }
      },
      { port: t.context.broker.port, module: import.meta.resolve('aiomqtt') },
    ).outcome
    t.is(errors, '')
    t.is(output, '0\n'.repeat(10))
    t.is(code, 0)
  },
)

const requires =
  (process.features as { require_module?: boolean }).require_module === true ? test.serial : test.serial.skip

requires('require() gives the same library as import', async (t) => {
  const text = `
    const { Client, version } = require('aiomqtt')
    import('aiomqtt').then(async (imported) => {
      console.log(imported.Client === Client, imported.version === version)
      const client = await Client.connect('127.0.0.1', ${t.context.broker.port})
      await client.publish('a', 'x', { qos: 1 })
      await client.disconnect()
    })`
  const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=commonjs', '--eval', text], {
    cwd: root,
  })
  t.is(stdout, 'true true\n')
})

const onLinux = existsSync('/proc/self/fd') ? test.serial : test.serial.skip

onLinux('a child process inherits no connection', async (t) => {
  const list = async () => (await promisify(execFile)('ls', ['/proc/self/fd'])).stdout
  const before = await list()
  await connected(t, t.context.broker)
  t.is(await list(), before)
})
