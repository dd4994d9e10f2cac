// The command line of npm run ingest-cluster.

import { parse, UsageError, wholeNumber } from '../../command-line.mjs'

export const help = `Usage: npm run ingest-cluster -- [options]

Simulated devices publish at QoS 1, several processes share their messages and write them to PostgreSQL, each message
acknowledged after its commit. A ledger in SQL says at the end whether every message that the broker acknowledged to its
device is there, once. Broker and database are started for the run, and removed after it.

Options:
  --processes <n>      processes of the service (default 2)
  --workers <n>        threads in each, with a client and a database connection of their own (default 1)
  --devices <n>        simulated devices, each with a connection of its own (default 300)
  --seconds <n>        how long they publish (default 20)
  --burst <n>          readings that a device sends at once (default 10)
  --rate <n>           messages a second of all devices together (default 0: as many as get written)
  --size <n>           the most messages of a batch (default 1000)
  --age <ms>           how long the first message of a batch waits for the others (default 20)
  --kill <what>        kill -9 in the middle of the run, and start again; may be given several times:
                       process (one of the service's), database, node (of the NATS cluster), or broker (Mosquitto,
                       which is stopped in an orderly way, since it writes its sessions down only then; and with
                       --share topics only, since it does not write down shared subscriptions)
  --broker <which>     mosquitto (the default), nats (a cluster of three), or mqtt://host:port
  --share <how>        group: shared subscriptions; topics: each process has its part of the topics (the default, and the
                       only way, for nats, whose MQTT has no shared subscriptions)
  --measure            runs 1, 2 and 4 processes, three times each in turn, and prints the medians as Markdown
  --help               show this

Exit code: 0 when the numbers add up, 1 when something was lost or went wrong, 2 for a mistake on the command line.`

const definitions = {
  processes: { type: 'string', default: '2' },
  workers: { type: 'string', default: '1' },
  devices: { type: 'string', default: '300' },
  seconds: { type: 'string' },
  burst: { type: 'string', default: '10' },
  rate: { type: 'string', default: '0' },
  size: { type: 'string' },
  age: { type: 'string', default: '20' },
  kill: { type: 'string', multiple: true, default: [] },
  broker: { type: 'string', default: 'mosquitto' },
  share: { type: 'string' },
  measure: { type: 'boolean', default: false },
  help: { type: 'boolean', default: false },
}

/** What --kill takes, for each broker. */
const victims = {
  mosquitto: ['process', 'database', 'broker'],
  nats: ['process', 'database', 'node'],
  remote: ['process', 'database'],
}

/**
 * @typedef {object} Options
 * @property {number} processes
 * @property {number} workers
 * @property {number} devices
 * @property {number} seconds
 * @property {number} burst readings that a device sends at once
 * @property {number} rate messages a second; 0 for as many as get written
 * @property {number} size
 * @property {number} age milliseconds
 * @property {('process' | 'database' | 'broker' | 'node')[]} kill
 * @property {'mosquitto' | 'nats' | { host: string, port: number }} broker
 * @property {'group' | 'topics'} share
 * @property {boolean} measure
 * @property {boolean} help
 */

/**
 * @param {string[]} args
 * @returns {Options}
 * @throws {UsageError} for unknown options and values that are out of range
 */
export function readOptions(args) {
  const values = parse(args, definitions)
  const number = (name, smallest, largest, usual) =>
    wholeNumber(name, values[name] ?? usual, smallest, largest)
  const broker = brokerOf(values.broker)
  const isNats = broker === 'nats'
  const share = oneOf('share', values.share ?? (isNats ? 'topics' : 'group'), ['group', 'topics'])
  if (isNats && share === 'group')
    throw new UsageError("NATS' MQTT has no shared subscriptions: leave --share out, or make it topics.")
  if (values.kill.includes('broker') && share === 'group')
    throw new UsageError(
      'Mosquitto forgets shared subscriptions when it stops: --kill broker needs --share topics.',
    )
  const known = victims[typeof broker === 'string' ? broker : 'remote']
  return {
    processes: number('processes', 1, 64),
    workers: number('workers', 1, 64),
    devices: number('devices', 1, 10_000),
    seconds: number('seconds', 1, 3600, values.measure ? '10' : '20'),
    burst: number('burst', 1, 1000),
    rate: number('rate', 0, 1_000_000),
    size: number('size', 1, 30_000, isNats ? '250' : '1000'),
    age: number('age', 0, 60_000),
    kill: values.kill.map((what) => oneOf('kill', what, known)),
    broker,
    share,
    measure: values.measure,
    help: values.help,
  }
}

function oneOf(name, text, known) {
  if (known.includes(text)) return text
  throw new UsageError(`--${name} can be ${known.join(' or ')} here, not '${text}'.`)
}

function brokerOf(text) {
  if (text === 'mosquitto' || text === 'nats') return text
  const url = URL.canParse(text) ? new URL(text) : null
  if (url?.protocol !== 'mqtt:' || url.hostname === '')
    throw new UsageError(`--broker can be mosquitto, nats, or like mqtt://localhost:1883, not '${text}'.`)
  return { host: url.hostname.replace(/^\[(.*)\]$/, '$1'), port: Number(url.port || 1883) }
}
