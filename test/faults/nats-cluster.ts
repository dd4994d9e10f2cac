import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Client } from 'aiomqtt'
import { endChild } from '../helpers/child.js'
import { until } from '../helpers/deadline.js'
import { freePort, guard } from '../helpers/mosquitto.js'
import { programOf } from '../helpers/servers.js'

/** How long the cluster may take until a new session can be made on it, which takes a leader. */
const patience = 30_000

/** The ports of one node. */
interface Ports {
  readonly client: number
  readonly cluster: number
  readonly mqtt: number
  readonly monitor: number
}

/** Who leads a stream or a consumer, and how far the others are; what a node still has to find out is missing. */
interface Replication {
  readonly leader?: string
  readonly replicas?: ReadonlyArray<{ readonly current: boolean; readonly offline?: boolean }>
}

/** What /jsz tells of a stream and of those who consume it. */
interface StreamState {
  readonly name: string
  readonly state: { readonly last_seq: number }
  readonly cluster?: Replication
  readonly consumer_detail?: ReadonlyArray<{ readonly name: string; readonly cluster?: Replication }>
}

/** Whether it has a leader, and the others what the leader has; only the leader knows that. */
function isCurrent({ leader, replicas = [] }: Replication = {}, node: number): boolean {
  if (leader !== `node-${node}`) return leader !== undefined
  return replicas.every(({ current, offline }) => current && offline !== true)
}

/** Three NATS servers that replicate MQTT sessions and messages; each can be killed and started again. */
export class NatsCluster {
  static readonly host = '127.0.0.1'
  readonly #nodes: Node[]
  readonly #folder: string

  private constructor(folder: string, nodes: Node[]) {
    this.#folder = folder
    this.#nodes = nodes
  }

  /** Starts the cluster and waits until it takes in sessions. */
  static async start(): Promise<NatsCluster> {
    const folder = await mkdtemp(join(tmpdir(), 'nats-'))
    const ports: Ports[] = []
    for (let count = 0; count < 3; count++) {
      ports.push({
        client: await freePort(),
        cluster: await freePort(),
        mqtt: await freePort(),
        monitor: await freePort(),
      })
    }
    const nodes = ports.map((own, index) => new Node(join(folder, `node-${index}`), index, own, ports))
    const cluster = new NatsCluster(folder, nodes)
    try {
      for (const node of nodes) await node.start()
      await cluster.ready()
    } catch (error) {
      await cluster.stop()
      throw error
    }
    return cluster
  }

  /** Where the nodes speak MQTT. */
  get hosts(): Array<[string, number]> {
    return this.#nodes.map(({ ports }) => [NatsCluster.host, ports.mqtt])
  }

  /** The identifiers of the processes of its nodes that run. */
  get processes(): number[] {
    return this.#nodes.flatMap((node) => node.pid ?? [])
  }

  /** Ends a node without a chance to say goodbye. */
  async kill(index: number): Promise<void> {
    await (this.#nodes[index] as Node).end('SIGKILL')
  }

  /** Starts a node that was killed, and waits until the cluster can do without another one. */
  async restart(index: number): Promise<void> {
    await (this.#nodes[index] as Node).start()
    await this.ready()
  }

  /**
   * Resolves when each node takes in a session and its message, and has what the others have. NATS 2.9 lets a node lead
   * that has not caught up, when the next one is killed before (nats-server's pull request 7040): what that node missed is
   * gone then, although it was acknowledged. Whoever takes down the nodes of a cluster one by one has to wait for this.
   */
  async ready(): Promise<void> {
    await Promise.all(
      this.hosts.map(([host, port]) => until(patience, `NATS on port ${port}`, () => works(host, port))),
    )
    await this.#caughtUp()
  }

  async #caughtUp(): Promise<void> {
    const latest = new Map<string, number>()
    const all = async (): Promise<StreamState[][]> => Promise.all(this.#nodes.map((node) => node.streams()))
    for (const { name, state } of (await all()).flat()) {
      latest.set(name, Math.max(latest.get(name) ?? 0, state.last_seq))
    }
    const isComplete = (streams: StreamState[], index: number): boolean =>
      [...latest].every(([name, sequence]) => {
        const stream = streams.find((each) => each.name === name)
        return (
          stream !== undefined &&
          stream.state.last_seq >= sequence &&
          isCurrent(stream.cluster, index) &&
          (stream.consumer_detail ?? []).every(({ cluster }) => cluster?.leader !== undefined)
        )
      })
    await until(patience, 'the copies of the stream', async () => (await all()).every(isComplete))
  }

  /** What the nodes say of the streams and of those who consume them, for whoever has to find out why nothing comes. */
  async report(): Promise<string> {
    return JSON.stringify(await Promise.all(this.#nodes.map((node) => node.streams())))
  }

  /** Ends all nodes and removes their folders. */
  async stop(): Promise<void> {
    for (const node of this.#nodes) await node.end('SIGKILL')
    await rm(this.#folder, { recursive: true, force: true })
  }
}

/** Publishes to itself over one node. */
async function works(host: string, port: number): Promise<boolean> {
  const topic = `ready/${port}`
  try {
    const client = await Client.connect(host, port, { timeout: 2, identifier: `ready-${port}` })
    try {
      await client.subscribe(topic, { qos: 1 })
      await client.publish(topic, 'x', { qos: 1 })
      await client.messages.next({ signal: AbortSignal.timeout(2_000) })
      return true
    } finally {
      await client.disconnect()
    }
  } catch {
    return false
  }
}

class Node {
  #process: ChildProcess | undefined
  #guard: ChildProcess | undefined

  constructor(
    readonly folder: string,
    readonly index: number,
    readonly ports: Ports,
    readonly all: readonly Ports[],
  ) {}

  get pid(): number | undefined {
    return this.#process?.pid
  }

  async start(): Promise<void> {
    const { host } = NatsCluster
    const routes = this.all.map(({ cluster }) => `nats-route://${host}:${cluster}`)
    const file = `${this.folder}.conf`
    await writeFile(
      file,
      [
        `server_name: node-${this.index}`,
        `listen: ${host}:${this.ports.client}`,
        `http: ${host}:${this.ports.monitor}`,
        `jetstream { store_dir: "${this.folder}", max_mem: 64MB, max_file: 256MB }`,
        `cluster { name: test, listen: ${host}:${this.ports.cluster}, routes: [${routes.join(', ')}] }`,
        // What a client did not acknowledge comes again after so long, and so much may be without acknowledgement.
        `mqtt { listen: ${host}:${this.ports.mqtt}, ack_wait: "1s", max_ack_pending: 1000 }`,
        '',
      ].join('\n'),
    )
    const child = spawn(programOf('nats-server'), ['-c', file], { stdio: 'ignore' })
    this.#process = child
    this.#guard = guard(child, this.folder)
  }

  /** The streams that it has; none where it does not answer in time. */
  async streams(): Promise<StreamState[]> {
    const url = `http://${NatsCluster.host}:${this.ports.monitor}/jsz?accounts=true&streams=true&consumers=true`
    try {
      const answer = await fetch(url, { signal: AbortSignal.timeout(2_000) })
      const { account_details: accounts = [] } = (await answer.json()) as {
        account_details?: ReadonlyArray<{ stream_detail?: StreamState[] }>
      }
      return accounts.flatMap(({ stream_detail: streams = [] }) => streams)
    } catch {
      return []
    }
  }

  async end(signal: NodeJS.Signals): Promise<void> {
    const child = this.#process
    this.#process = undefined
    this.#guard?.kill('SIGKILL')
    await endChild(child, signal, 'a NATS server')
  }
}
