import anyTest, { type TestFn } from 'ava'
import { Mosquitto } from '../helpers/mosquitto.js'
import { Peer } from '../helpers/peer.js'
import { inProcess, inThread, type Program } from '../helpers/program.js'
import { type End, testEveryEnding } from './every-ending.js'

const test = anyTest as TestFn<{ broker: Mosquitto; silent: Peer; deaf: Peer }>

test.before(async (t) => {
  t.context.broker = await Mosquitto.start({ settings: ['max_queued_messages 0'] })
  t.context.silent = await Peer.listen()
  t.context.deaf = await Peer.listen()
  t.context.deaf.serve(async (session) => {
    await session.next('connect')
    session.welcome()
    session.socket.pause()
  })
})
test.after.always(async (t) => {
  await t.context.broker.stop()
  await t.context.silent.close()
  await t.context.deaf.close()
})

/** What a program is doing when it is ended. */
const states = [
  'nothing',
  'connecting',
  'connected',
  'waiting for a message',
  'publishing',
  'waiting for acknowledgements',
  'receiving a flood',
  'receiving a flood that it does not read',
  'disconnecting',
  'disconnected',
  'connecting and disconnecting again and again',
] as const

const program: Program<{
  state: (typeof states)[number]
  end: End
  broker: number
  silent: number
  deaf: number
}> = async (library, { state, end, broker, silent, deaf }) => {
  const connect = (port: number) => library.Client.connect('127.0.0.1', port)
  const ignore = (promise: Promise<unknown>) => promise.catch(() => {})
  const flood = async (read: boolean) => {
    const client = await connect(broker)
    const topic = `flood/${Math.random()}`
    await client.subscribe(topic)
    const publish = async () => {
      const batch = Array.from({ length: 500 }, () => client.publish(topic, 'x'.repeat(100)))
      await Promise.all(batch)
      setImmediate(() => ignore(publish()))
    }
    await publish()
    if (!read) return
    let count = 0
    await new Promise<void>((resolve) => {
      const read = async () => {
        for await (const _ of client.messages) if (++count === 2_000) resolve()
      }
      ignore(read())
    })
  }
  switch (state) {
    case 'nothing':
      break
    case 'connecting':
      ignore(connect(silent))
      break
    case 'connected':
      await connect(broker)
      break
    case 'waiting for a message':
      ignore((await connect(broker)).messages.next())
      break
    case 'publishing': {
      const client = await connect(broker)
      const publish = async () => {
        await Promise.all([0, 1, 2].map((qos) => client.publish('a', 'x', { qos: qos as 0 | 1 | 2 })))
        setImmediate(() => ignore(publish()))
      }
      await publish()
      break
    }
    case 'waiting for acknowledgements': {
      const client = await connect(deaf)
      for (let index = 0; index < 100; index++)
        ignore(client.publish('a', 'x', { qos: index % 2 === 0 ? 1 : 2 }))
      ignore(client.subscribe('a'))
      break
    }
    case 'receiving a flood':
      await flood(true)
      break
    case 'receiving a flood that it does not read':
      await flood(false)
      break
    case 'disconnecting': {
      const client = await connect(deaf)
      ignore(client.publish('a', new Uint8Array(30_000_000)))
      ignore(client.disconnect())
      break
    }
    case 'disconnected':
      await (await connect(broker)).disconnect()
      break
    case 'connecting and disconnecting again and again': {
      const client = new library.Client('127.0.0.1', broker)
      const round = async () => {
        await client.connect()
        await client.publish('a', 'x')
        await client.disconnect()
        setImmediate(() => ignore(round()))
      }
      await round()
      break
    }
  }
  console.log('ready')
  setImmediate(() => {
    if (end === 'exit') process.exit(7)
    if (end === 'exception') throw new Error('of the program')
    setInterval(() => {}, 1_000)
  })
}

for (const state of states) {
  testEveryEnding(test, state, program, ({ context: { broker, silent, deaf } }, end) => ({
    state,
    end,
    broker: broker.port,
    silent: silent.port,
    deaf: deaf.port,
  }))
}

test.serial('the connections of a thread that ends are closed', async (t) => {
  const peer = await Peer.listen()
  t.teardown(() => peer.close())
  for (const end of ['exit', 'terminate'] as const) {
    const thread = inThread(
      async ({ Client }, { port, end }) => {
        await Client.connect('127.0.0.1', port)
        console.log('ready')
        if (end === 'exit') process.exit(0)
        setInterval(() => {}, 1_000)
      },
      { port: peer.port, end },
    )
    const session = await peer.welcome()
    if (end === 'terminate') {
      await thread.said('ready')
      await thread.terminate()
    }
    await thread.outcome
    t.regex(await session.ended, /end|ECONNRESET|close/)
  }
})

test.serial('a signal ends a process that is connected', async (t) => {
  const running = inProcess(
    async ({ Client }, { port }) => {
      const client = await Client.connect('127.0.0.1', port)
      client.messages.next().catch(() => {})
      setTimeout(() => process.kill(process.pid, 'SIGTERM'))
    },
    { port: t.context.broker.port },
  )
  t.is((await running.outcome).signal, 'SIGTERM')
})

test.serial('the end of a process ends its worker threads, whatever they do', async (t) => {
  const { code, signal, errors } = await inProcess(
    async (_library, { port, module }) => {
      const { Worker } = await import('node:worker_threads')
      const text = `
        import(${JSON.stringify(module)}).then(async ({ Client }) => {
          const client = await Client.connect('127.0.0.1', ${port})
          const { parentPort } = await import('node:worker_threads')
          parentPort.postMessage('ready')
          for (;;) await Promise.all(Array.from({ length: 100 }, () => client.publish('a', 'x')))
        })`
      const workers = [1, 2, 3].map(() => new Worker(text, { eval: true }))
      await Promise.all(workers.map((worker) => new Promise((resolve) => worker.once('message', resolve))))
      process.exit(3)
    },
    { port: t.context.broker.port, module: import.meta.resolve('aiomqtt') },
  ).outcome
  t.is(errors, '')
  t.is(signal, null)
  t.is(code, 3)
})
