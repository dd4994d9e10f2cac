// What operators see: a message that makes the broker hang up, a broker that refuses everybody for a while, certificates
// that are renewed under way, a broker and a program that are frozen. Nothing that was acknowledged is lost, and all goes
// on by itself.
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import { createServer as createTlsServer } from 'node:tls'
import { Client, type ClientOptions, ProtocolVersion } from 'aiomqtt'
import anyTest, { type ExecutionContext, type TestFn } from 'ava'
import { Authority } from '../helpers/certificates.js'
import { until, within } from '../helpers/deadline.js'
import { Mosquitto } from '../helpers/mosquitto.js'
import { inProcess, type Program } from '../helpers/program.js'
import { lasting, reached } from '../helpers/reconnect.js'
import { joinStreams } from '../helpers/relay.js'
import { type Entry, Ledger } from './ledger.js'
import { FaultProxy } from './proxy.js'

const test = anyTest as TestFn<{ broker: Mosquitto }>

const isLong = process.env.AIOMQTT_FAULTS === 'long'
/** How long anything here may take, in milliseconds. */
const patience = 20_000
const reconnect = { minDelay: 0.01, maxDelay: 0.2 }
const versions = [
  ['MQTT 3.1.1', ProtocolVersion.V311],
  ['MQTT 5', ProtocolVersion.V5],
] as const

test.before(async (t) => {
  const settings = ['max_queued_messages 0', 'set_tcp_nodelay true']
  t.context.broker = await Mosquitto.start({ settings })
})
test.after.always((t) => t.context.broker.stop())

/** A consumer at the broker itself, and a ledger of what it receives. */
async function ledgerOf(t: ExecutionContext<{ broker: Mosquitto }>, topic: string): Promise<Ledger> {
  const { host, port } = t.context.broker
  const ledger = new Ledger()
  const options = { ...lasting(ProtocolVersion.V5), cleanStart: false, timeout: 60, reconnect }
  const consumer = await Client.connect(host, port, options)
  t.teardown(() => consumer.disconnect())
  await consumer.subscribe(topic, { qos: 2 })
  void (async () => {
    for await (const message of consumer.messages) ledger.receive(message)
  })().catch(() => {})
  return ledger
}

async function publisher(
  t: ExecutionContext,
  { host, port }: { host: string; port: number },
  protocol: ProtocolVersion,
  options: ClientOptions = {},
): Promise<Client> {
  const whole = { ...lasting(protocol), timeout: 120, reconnect: { ...reconnect, initial: true }, ...options }
  const client = new Client(host, port, whole)
  t.teardown(() => client.disconnect())
  await within(patience, 'connecting', client.connect())
  return client
}

/** Publishes QoS 1 and 2 all the time, a few at once, until it is told to stop. */
function load(ledger: Ledger, client: Client, topic: string): () => Promise<void> {
  let isOver = false
  const lanes = ([1, 2] as const).map(async (qos) => {
    while (!isOver) {
      await ledger.publish(client, topic, qos)
      await sleep(2)
    }
  })
  return async () => {
    isOver = true
    await within(patience, 'the last publishes', Promise.all(lanes))
    await ledger.settled(patience)
  }
}

for (const [name, protocol] of versions) {
  test(`${name}: a broker that hangs up at some messages gets all the others`, async (t) => {
    const topic = `poison/${protocol}`
    const proxy = await FaultProxy.to(t.context.broker)
    t.teardown(() => proxy.close())
    proxy.faults = { poison: `${topic}/bad` }
    const ledger = await ledgerOf(t, `${topic}/#`)
    const client = await publisher(t, proxy, protocol)
    const finish = load(ledger, client, `${topic}/good`)
    const bad: Entry[] = []
    for (let round = 0; round < (isLong ? 20 : 2); round++) {
      for (const qos of [1, 2] as const) {
        const publishing = ledger.publish(client, `${topic}/bad`, qos)
        bad.push(await within(patience, 'a poison message', publishing))
      }
    }
    await finish()
    t.deepEqual(ledger.faults(), [])
    t.is(ledger.counts.undeliverable, bad.length)
    t.is(ledger.counts.rejected, bad.length)
    t.true(ledger.counts.acknowledged > bad.length)
    t.is(client.stats.pending, 0)
    t.log(`${ledger.counts.acknowledged} acknowledged beside ${bad.length} that make the broker hang up`)
  })

  test(`${name}: a broker that refuses everybody for a while gets everything afterwards`, async (t) => {
    t.timeout(180_000)
    const topic = `refused/${protocol}`
    const proxy = await FaultProxy.to(t.context.broker)
    t.teardown(() => proxy.close())
    const ledger = await ledgerOf(t, topic)
    const client = await publisher(t, proxy, protocol, { offlineQueue: true })
    const finish = load(ledger, client, topic)
    for (const refusing of [true, 'not-authorized'] as const) {
      const before = proxy.connections
      proxy.faults = { refusing }
      proxy.cutAll()
      await sleep(isLong ? 60_000 : 1_000)
      t.true(proxy.connections > before + 2)
      proxy.faults = {}
      await reached(client, 'connected')
    }
    await finish()
    t.deepEqual(ledger.faults(), [])
    t.is(ledger.counts.rejected, 0)
  })
}

test('certificates that are renewed again and again, with a moment between key and certificate', async (t) => {
  t.timeout(180_000)
  const { broker } = t.context
  const folder = await mkdtemp(join(tmpdir(), 'renewed-'))
  t.teardown(() => rm(folder, { recursive: true }))
  const [caCerts, certfile, keyfile] = [join(folder, 'ca'), join(folder, 'crt'), join(folder, 'key')]
  const root = Authority.root('Operators')
  await writeFile(caCerts, root.certificate)
  const serverContext = () => {
    const { certificate, key } = root.issue({ hosts: ['localhost'] })
    return { cert: certificate, key, ca: root.certificate }
  }
  const names = new Set<string>()
  const sockets = new Set<Socket>()
  const terminator = createTlsServer({ ...serverContext(), requestCert: true, noDelay: true }, (near) => {
    names.add(String(near.getPeerCertificate().subject?.CN))
    sockets.add(near)
    near.on('error', () => {}).on('close', () => sockets.delete(near))
    joinStreams(near, connect({ host: broker.host, port: broker.port, noDelay: true }))
  })
  terminator.on('tlsClientError', () => {})
  await new Promise<void>((resolve) => terminator.listen(0, '127.0.0.1', resolve))
  t.teardown(() => terminator.close())
  const renew = async (name: string, pause: number) => {
    const { certificate, key } = root.issue({ name })
    await writeFile(certfile, certificate)
    await sleep(pause)
    await writeFile(keyfile, key)
    terminator.setSecureContext(serverContext())
  }
  await renew('0', 0)
  const ledger = await ledgerOf(t, 'renewed')
  const place = { host: 'localhost', port: (terminator.address() as AddressInfo).port }
  const client = await publisher(t, place, ProtocolVersion.V5, { tlsParams: { caCerts, certfile, keyfile } })
  const finish = load(ledger, client, 'renewed')
  const rounds = isLong ? 100 : 5
  for (let round = 1; round <= rounds; round++) {
    const renewing = renew(`${round}`, 100)
    await sleep(20)
    for (const socket of sockets) socket.destroy()
    await renewing
    await until(patience, 'the new certificate', () => names.has(`${round}`))
    await reached(client, 'connected')
  }
  await finish()
  t.deepEqual(ledger.faults(), [])
  t.is(ledger.counts.rejected, 0)
})

test('a broker that is frozen for longer than the keepalive', async (t) => {
  t.timeout(180_000)
  const frozen = await Mosquitto.start({ settings: ['max_queued_messages 0', 'set_tcp_nodelay true'] })
  t.teardown(() => frozen.stop())
  const ledger = new Ledger()
  const client = await publisher(t, frozen, ProtocolVersion.V5, { cleanStart: false, keepalive: 1 })
  await client.subscribe('frozen', { qos: 2 })
  void (async () => {
    for await (const message of client.messages) ledger.receive(message)
  })().catch(() => {})
  const finish = load(ledger, client, 'frozen')
  for (let round = 0; round < (isLong ? 10 : 1); round++) {
    frozen.pause()
    await reached(client, 'reconnecting')
    frozen.resume()
    await reached(client, 'connected')
  }
  await finish()
  t.deepEqual(ledger.faults(), [])
  t.is(ledger.counts.rejected, 0)
})

const remote: Program<{
  port: number
  broker: { host: string; port: number }
  options: ClientOptions
}> = async ({ Client: RemoteClient }, { port, broker, options }) => {
  const { connect: dial } = await import('node:net')
  const { createInterface: linesOf } = await import('node:readline')
  const client = await RemoteClient.connect(broker.host, broker.port, options)
  const parent = dial(port, '127.0.0.1')
  for await (const line of linesOf(parent)) {
    const { id, topic, payload, qos } = JSON.parse(line)
    client.publish(topic, payload, { qos }).then(
      () => parent.write(`${JSON.stringify({ id })}\n`),
      (error: Error) => parent.write(`${JSON.stringify({ id, error: error.message })}\n`),
    )
  }
  await client.disconnect()
}

/** A client whose publishes are made by a program that is at the other end of a connection. */
function clientAt(parent: Socket): Client {
  const calls = new Map<number, { resolve: () => void; reject: (error: Error) => void }>()
  createInterface(parent).on('line', (line) => {
    const { id, error } = JSON.parse(line) as { id: number; error?: string }
    const call = calls.get(id)
    calls.delete(id)
    if (error === undefined) call?.resolve()
    else call?.reject(new Error(error))
  })
  let count = 0
  const publish: Client['publish'] = (topic, payload, options) =>
    new Promise((resolve, reject) => {
      calls.set(++count, { resolve, reject })
      parent.write(`${JSON.stringify({ id: count, topic: String(topic), payload, qos: options?.qos })}\n`)
    })
  return { publish } as Client
}

test('a program that is frozen for longer than the broker waits', async (t) => {
  t.timeout(180_000)
  const { host, port } = t.context.broker
  const control = createServer()
  const arrival = new Promise<Socket>((resolve) => control.once('connection', resolve))
  await new Promise<void>((resolve) => control.listen(0, '127.0.0.1', resolve))
  t.teardown(() => control.close())
  const options = { ...lasting(ProtocolVersion.V5), keepalive: 1, timeout: 120, reconnect }
  const running = inProcess(
    remote,
    { port: (control.address() as AddressInfo).port, broker: { host, port }, options },
    { patience: 170_000 },
  )
  const parent = await within(patience, 'the program', arrival)
  const ledger = await ledgerOf(t, 'asleep')
  const finish = load(ledger, clientAt(parent), 'asleep')
  for (let round = 0; round < (isLong ? 10 : 1); round++) {
    await sleep(300)
    running.signal('SIGSTOP')
    await sleep(2_500)
    running.signal('SIGCONT')
  }
  await finish()
  t.deepEqual(ledger.faults(), [])
  t.is(ledger.counts.rejected, 0)
  parent.end()
  t.is((await running.outcome).errors, '')
})
