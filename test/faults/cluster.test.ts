// A cluster of three NATS servers, which speak MQTT 3.1.1 and replicate what they acknowledge: each is killed in turn
// while clients that know them all ingest at QoS 1.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readFileSync } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { Client, MqttError } from 'aiomqtt'
import test from 'ava'
import { within } from '../helpers/deadline.js'
import { freePort } from '../helpers/mosquitto.js'
import { Ledger } from './ledger.js'

const isLong = process.env.AIOMQTT_FAULTS === 'long'
const NODES = 3
const patience = 20_000

interface Node {
  readonly port: number
  start(): void
  kill(): Promise<void>
}

/** Configures the nodes of a cluster; none is started. */
async function configure(folder: string): Promise<Node[]> {
  const tools = JSON.parse(readFileSync(new URL('../../tools.json', import.meta.url), 'utf8')) as Record<
    string,
    string
  >
  const program = tools['nats-server']
  if (program === undefined || !existsSync(program)) throw new Error('nats-server is missing')
  const ports: Array<{ client: number; mqtt: number; route: number }> = []
  while (ports.length < NODES) {
    ports.push({ client: await freePort(), mqtt: await freePort(), route: await freePort() })
  }
  const routes = ports.map(({ route }) => `nats://127.0.0.1:${route}`)
  return await Promise.all(
    ports.map(async ({ client, mqtt, route }, index) => {
      const file = join(folder, `${index}.conf`)
      const lines = [
        `server_name: node${index}`,
        `listen: 127.0.0.1:${client}`,
        `jetstream { store_dir: ${JSON.stringify(join(folder, String(index)))} }`,
        `mqtt { listen: "127.0.0.1:${mqtt}" }`,
        `cluster { name: faults, listen: "127.0.0.1:${route}", routes: ${JSON.stringify(routes)} }`,
      ]
      await writeFile(file, `${lines.join('\n')}\n`)
      return nodeOf(program, file, mqtt)
    }),
  )
}

function nodeOf(program: string, file: string, port: number): Node {
  let child: ReturnType<typeof spawn> | undefined
  process.on('exit', () => child?.kill('SIGKILL'))
  return {
    port,
    start() {
      child = spawn(program, ['-c', file], { stdio: 'ignore' })
    },
    async kill() {
      if (child === undefined || child.exitCode !== null || child.signalCode !== null) return
      const exit = once(child, 'exit')
      child.kill('SIGKILL')
      await within(patience, "the node's end", exit)
    },
  }
}

async function accepts({ port }: Node): Promise<void> {
  for (;;) {
    const socket = connect(port, '127.0.0.1')
    const isUp = await once(socket, 'connect').then(
      () => true,
      () => false,
    )
    socket.destroy()
    if (isUp) return
    await sleep(50)
  }
}

/** A client that knows all nodes, and has connected, subscribed and heard itself: the cluster has a leader. */
async function ready(nodes: readonly Node[], identifier: string, first: number): Promise<Client> {
  const hosts = nodes.map(({ port }) => ['127.0.0.1', port] as [string, number])
  const [host, port] = hosts[first] as [string, number]
  for (const until = Date.now() + patience; ; await sleep(100)) {
    const client = new Client(host, port, {
      identifier,
      cleanSession: false,
      // A node that loses the others forgets to acknowledge what it has just taken.
      timeout: 5,
      reconnect: { initial: true, minDelay: 0.05, maxDelay: 0.5, hosts },
    })
    try {
      await client.connect()
      await client.subscribe(`cluster/${identifier}`, { qos: 1 })
      return client
    } catch (error) {
      await client.disconnect()
      if (!(error instanceof MqttError) || Date.now() > until) throw error
    }
  }
}

test.serial('each node of a cluster killed in turn: nothing that was acknowledged is lost', async (t) => {
  t.timeout(180_000)
  const folder = await mkdtemp(join(tmpdir(), 'cluster-'))
  t.teardown(() => rm(folder, { recursive: true, force: true }))
  const nodes = await configure(folder)
  t.teardown(() => Promise.all(nodes.map((node) => node.kill())))
  for (const node of nodes) node.start()
  await within(patience, 'the nodes', Promise.all(nodes.map(accepts)))

  const ledger = new Ledger()
  const clients = await Promise.all(nodes.map((_, index) => ready(nodes, `ingest-${index}`, index)))
  t.teardown(() => Promise.all(clients.map((client) => client.disconnect())))
  let isOver = false
  const receiving = clients.map(async (client) => {
    try {
      for await (const message of client.messages) ledger.receive(message)
    } catch (error) {
      if (!isOver) throw error
    }
  })
  const publishing = clients.map(async (client, index) => {
    while (!isOver) {
      await Promise.all(Array.from({ length: 5 }, () => ledger.publish(client, `cluster/ingest-${index}`, 1)))
      await sleep(10)
    }
  })
  for (const node of isLong ? [...nodes, ...nodes, ...nodes] : nodes) {
    await sleep(300)
    await node.kill()
    await sleep(300)
    node.start()
    await within(patience, 'the node', accepts(node))
    // The others must have it back before the next one goes, or there is no majority.
    await sleep(isLong ? 5_000 : 1_500)
  }
  isOver = true
  await within(30_000, 'publishing', Promise.all(publishing))
  await ledger.settled(20_000)
  const { acknowledged, rejected, received, repeated } = ledger.counts
  t.log(`${acknowledged} acknowledged, ${rejected} rejected, ${received} received, ${repeated} again`)
  t.deepEqual(ledger.faults(), [])
  t.true(acknowledged > 50)
  await Promise.all(clients.map((client) => client.disconnect()))
  await Promise.all(receiving)
})
