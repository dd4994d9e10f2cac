import { randomBytes } from 'node:crypto'
import type { Command } from 'commander'
import { Client } from '../../client/client.js'
import { type Action, runAction } from '../action.js'
import { CommandError, EXIT_CODES, ExitCode } from '../command-error.js'
import { connect } from '../connect.js'
import {
  addConnectionOptions,
  addLogOptions,
  type ConnectionFlags,
  type Place,
  readPlace,
  withPlace,
} from '../connection-options.js'
import { eachOf } from '../each-of.js'
import { decimal, integer } from '../options.js'
import { Output } from '../output.js'
import { Load, type Plan, STAMP } from './load.js'
import { grouped, showProgress } from './progress.js'
import { figuresOf, reportOf } from './report.js'

interface BenchFlags extends ConnectionFlags {
  clients?: number
  subscribers?: number
  share?: boolean
  topics?: number
  prefix?: string
  size?: number
  qos?: 0 | 1 | 2
  rate?: number
  duration?: number
  count?: number
  json?: boolean
}

/** Seconds. */
const USUAL_DURATION = 10

/** Messages a second. */
const USUAL_RATE = 1000

const AFTERWORD = `
Every subscriber gets every message, unless they --share them. All clients are in this process.

Latency is the time from when a message was due to when its subscriber had it. At a given rate it is due by a schedule
that is settled from the beginning: if the client or the broker stalls, all that should have been sent meanwhile is late
by as much. With --rate 0 a message is due when there is room for it among the 100 that each client may have on their
way, so that latency is mostly that of the queues.
${EXIT_CODES}
  1         also when publishing failed, or a message of QoS 1 or 2 was lost`

/** Makes it `aiomqtt bench`. */
export function build(command: Command): Command {
  command
    .argument('[place]', 'the host, or a URL as for -L')
    .optionsGroup('Load:')
    .option('--clients <clients>', 'how many publish (10)', integer(1, 100_000))
    .option('--subscribers <clients>', 'how many subscribe (1)', integer(1, 100_000))
    .option('--share', 'they share the messages ($share)')
    .option(
      '--topics <topics>',
      'over how many topics (one for each client that publishes)',
      integer(1, 1_000_000),
    )
    .option('--prefix <topic>', 'what the topics begin with (a random one)')
    .option('--size <bytes>', `the size of a payload, ${STAMP} or more (64)`, integer(STAMP, 268_000_000))
    .option('-q, --qos <qos>', '0, 1 or 2 (0)', integer(0, 2))
    .option(
      '--rate <messages>',
      `a second, over all clients; 0 for as many as go (${USUAL_RATE})`,
      decimal(0, 1e9),
    )
    .option('--duration <seconds>', `how long (${USUAL_DURATION})`, decimal(0.1, 1e6))
    .option('--count <messages>', 'how many, instead of how long', integer(1, 2 ** 52))
    .option(
      '-M, --max-inflight <messages>',
      'QoS 1 and 2: the most of a client that are partway (20)',
      integer(1, 65535),
    )
    .option('--json', 'print the figures as JSON')
    .addHelpText('after', AFTERWORD)
  addLogOptions(addConnectionOptions(command))
  return command.action((place: string | undefined, flags: BenchFlags) =>
    runAction(bench(withPlace(flags, place)), flags.quiet),
  )
}

function bench(flags: BenchFlags): Action {
  return async ({ signal }) => {
    if (flags.count !== undefined && flags.duration !== undefined) {
      throw new CommandError('--count and --duration cannot be used together')
    }
    const place = await readPlace(flags)
    const { clients = 10, subscribers = 1 } = flags
    const all = Array.from({ length: clients + subscribers }, (_, index) => clientOf(place, index))
    try {
      await eachOf(all, (client) => connect(client, place.protocol, signal))
      const plan = planOf(flags, place, all.slice(0, clients), all.slice(clients))
      await subscribeAll(plan, flags)
      await perform(plan, flags, signal)
    } finally {
      await Promise.all(all.map((client) => client.disconnect()))
    }
  }
}

function clientOf({ hostname, options }: Place, index: number): Client {
  const identifier = options.identifier ? `${options.identifier}-${index}` : undefined
  return new Client(hostname, { ...options, identifier, overflow: 'backpressure' })
}

function planOf(flags: BenchFlags, place: Place, publishers: Client[], subscribers: Client[]): Plan {
  const { topics = publishers.length, size = 64, qos = 0, rate = USUAL_RATE, count } = flags
  const prefix = flags.prefix ?? place.topic ?? `aiomqtt-bench/${randomBytes(6).toString('hex')}`
  return {
    publishers,
    subscribers,
    topics: Array.from({ length: topics }, (_, index) => `${prefix}/${index}`),
    size,
    qos,
    rate,
    duration: flags.duration ?? (count === undefined ? USUAL_DURATION : Number.POSITIVE_INFINITY),
    count: count ?? Number.POSITIVE_INFINITY,
    copies: flags.share ? 1 : subscribers.length,
  }
}

async function subscribeAll({ subscribers, topics, qos }: Plan, { share }: BenchFlags): Promise<void> {
  const prefix = (topics[0] as string).replace(/\/0$/, '')
  const filter = `${share ? '$share/aiomqtt-bench/' : ''}${prefix}/+`
  for (const client of subscribers) {
    const [code] = await client.subscribe(filter, { qos })
    if (code?.isFailure) throw new CommandError(`The subscription to ${filter} was refused: ${code}`)
  }
}

async function perform(plan: Plan, { json, quiet }: BenchFlags, signal: AbortSignal): Promise<void> {
  const load = new Load(plan, signal)
  const output = new Output()
  const hide = quiet ? () => {} : await showProgress(load, plan)
  try {
    await load.run()
  } finally {
    hide()
  }
  output.text(
    json ? `${JSON.stringify(figuresOf(load, plan))}\n` : `${headline(plan)}\n${reportOf(load, plan)}`,
  )
  await output.end()
  if (load.failure !== null || (plan.qos > 0 && load.lost > 0)) process.exitCode = ExitCode.FAILURE
}

function headline({ publishers, subscribers, topics, size, qos, rate }: Plan): string {
  const wanted = rate === 0 ? 'as fast as it goes' : `${grouped(rate)} messages/s asked for`
  const counts = `${publishers.length} publishing, ${subscribers.length} subscribing, ${topics.length} topics`
  return `${counts}, ${size} bytes, QoS ${qos}, ${wanted}`
}
