import { setTimeout as sleep } from 'node:timers/promises'
import type { Command } from 'commander'
import type { PublishOptions } from '../calls/publish-arguments.js'
import { Client } from '../client/client.js'
import type { PayloadType } from '../mqtt/payload.js'
import { checkPublishTopic } from '../mqtt/topic.js'
import { runAction } from './action.js'
import { CommandError, EXIT_CODES } from './command-error.js'
import { connect } from './connect.js'
import {
  addConnectionOptions,
  addLogOptions,
  type ConnectionFlags,
  type Place,
  readPlace,
} from './connection-options.js'
import { decimal, integer } from './options.js'
import { Output } from './output.js'
import { addPayloadOptions, checkSource, type PayloadFlags, payloadOf } from './payload-source.js'
import type { Interruption } from './signals.js'
import { lines } from './stdin.js'

interface PubFlags extends ConnectionFlags, PayloadFlags {
  topic?: string
  qos?: 0 | 1 | 2
  retain?: boolean
  repeat?: number
  repeatDelay?: number
  count?: boolean
}

const AFTERWORD = `
Options are mosquitto_pub's, and mean the same. Configuration files of Mosquitto's tools are not read.
${EXIT_CODES}`

/** Makes it `aiomqtt pub`. */
export function build(command: Command): Command {
  addPayloadOptions(command.optionsGroup('Message:').option('-t, --topic <topic>', 'the topic to publish to'))
    .option('-l, --stdin-line', 'each line of standard input as a message')
    .option('-q, --qos <qos>', '0, 1 or 2 (0)', integer(0, 2))
    .option('-r, --retain', 'have the broker keep it for those who subscribe later')
    .option('--repeat <times>', 'publish it so often; not with -l (1)', integer(1, 2 ** 31 - 1))
    .option(
      '--repeat-delay <seconds>',
      'wait in between, from the delivery of one on (0)',
      decimal(0, 2 ** 31),
    )
    .option('-M, --max-inflight <messages>', 'maximum QoS 1 and 2 messages in flight (20)', integer(1, 65535))
    .option('--count', 'print the number of messages that were published')
    .addHelpText('after', AFTERWORD)
  addLogOptions(addConnectionOptions(command))
  return command.action((flags: PubFlags) =>
    runAction((interruption) => pub(flags, interruption), flags.quiet),
  )
}

async function pub(flags: PubFlags, { signal }: Interruption): Promise<void> {
  checkSource(flags, '-m, -f, -n, -s and -l')
  if (flags.stdinLine && flags.repeat !== undefined)
    throw new CommandError('--repeat and -l cannot be used together')
  const place = await readPlace(flags)
  const topic = flags.topic ?? place.topic
  if (topic === null) throw new CommandError('There must be a topic: -t')
  checkPublishTopic(topic, place.properties.publish?.topicAlias !== undefined)
  const output = new Output()
  const client = new Client(place.hostname, place.options)
  const single = flags.stdinLine ? null : await payloadOf(flags, signal)
  const options = publishOptionsOf(flags, place)
  const publish = (payload: PayloadType) => client.publish(topic, payload, options)
  await connect(client, place.protocol, signal)
  // A message may take as long as the broker wants, but not the farewell.
  const patience = client.timeout
  client.timeout = Number.POSITIVE_INFINITY
  const leave = () => {
    client.timeout = patience
    return client.disconnect()
  }
  // Whatever is being waited for rejects then.
  signal.addEventListener('abort', leave)
  try {
    const count =
      single === null
        ? await publishLines(publish, signal)
        : await repeat(() => publish(single.payload), flags, signal)
    if (flags.count) output.text(`${count}\n`)
    await output.end()
  } finally {
    await leave()
  }
}

/** Undefined where the usual ones will do: calls without options are the fastest. */
function publishOptionsOf(
  { qos = 0, retain = false }: PubFlags,
  { properties }: Place,
): PublishOptions | undefined {
  const isUsual = qos === 0 && !retain && properties.publish === undefined
  return isUsual ? undefined : { qos, retain, properties: properties.publish }
}

async function repeat(publish: () => Promise<void>, flags: PubFlags, signal: AbortSignal): Promise<number> {
  const { repeat: times = 1, repeatDelay = 0 } = flags
  for (let done = 1; ; done++) {
    await publish()
    if (done === times || signal.aborted) return done
    if (repeatDelay > 0) await sleep(repeatDelay * 1000, undefined, { signal })
  }
}

/**
 * The lines of a block of input are all published at once, and the next block is read when those of the one before it
 * are through: the client always has something to send, and memory never holds more than two blocks.
 */
async function publishLines(
  publish: (line: Uint8Array) => Promise<void>,
  signal: AbortSignal,
): Promise<number> {
  let count = 0
  let previous: Promise<unknown> = Promise.resolve()
  for await (const block of lines(signal)) {
    const current = Promise.all(block.map(publish))
    // Whoever waits for `previous` hears of it; what fails meanwhile must not be unhandled.
    current.catch(() => {})
    count += block.length
    await previous
    previous = current
  }
  await previous
  return count
}
