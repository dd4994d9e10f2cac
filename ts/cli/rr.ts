import { randomUUID } from 'node:crypto'
import type { Command } from 'commander'
import { Client } from '../client/client.js'
import type { Message } from '../engine/message.js'
import { MqttError } from '../mqtt/errors.js'
import { ProtocolVersion } from '../mqtt/protocol-version.js'
import { checkPublishTopic } from '../mqtt/topic.js'
import { runAction } from './action.js'
import { CommandError, EXIT_CODES, ExitCode } from './command-error.js'
import { connect } from './connect.js'
import {
  addConnectionOptions,
  addLogOptions,
  type ConnectionFlags,
  type Place,
  readPlace,
} from './connection-options.js'
import { Moment } from './message-json.js'
import { decimal, integer } from './options.js'
import { Output } from './output.js'
import { addPayloadOptions, checkSource, type PayloadFlags, payloadOf } from './payload-source.js'
import { addOutputOptions, FORMAT_HELP, type OutputFlags, printerOf } from './printer.js'

interface RrFlags extends ConnectionFlags, PayloadFlags, OutputFlags {
  topic?: string
  e?: string
  qos?: 0 | 1 | 2
  retain?: boolean
  W?: number
}

/** Seconds to wait for the response. */
const USUAL_WAIT = 10

const AFTERWORD = `
Without -V it is MQTT 5, where the request carries its response topic and correlation data, and only the response that
returns the correlation data counts. On MQTT 3.x there is no such thing: -e says where the response is expected, and the
first message there is taken for it.
${FORMAT_HELP}
${EXIT_CODES}
  27        no response came in the time of -W`

/** Makes it `aiomqtt rr`. */
export function build(command: Command): Command {
  addPayloadOptions(command.optionsGroup('Request:').option('-t, --topic <topic>', 'the topic to publish to'))
    .option('-e <topic>', 'the topic of the response (MQTT 5: one of its own)')
    .option('-q, --qos <qos>', '0, 1 or 2 (0)', integer(0, 2))
    .option('-r, --retain', 'have the broker retain the request')
    .option(
      '-W <seconds>',
      `how long to wait for the response (${USUAL_WAIT})`,
      decimal(0.001, 2 ** 31 / 1000),
    )
  addOutputOptions(command).addHelpText('after', AFTERWORD)
  addLogOptions(addConnectionOptions(command))
  return command.action((flags: RrFlags) => runAction(({ signal }) => rr(flags, signal), flags.quiet))
}

async function rr(flags: RrFlags, signal: AbortSignal): Promise<void> {
  checkSource(flags, '-m, -f, -n and -s')
  const print = printerOf(flags)
  const protocolVersion = flags.protocolVersion ?? ProtocolVersion.V5
  const place = await readPlace({ ...flags, protocolVersion })
  const topic = flags.topic ?? place.topic
  if (topic === null) throw new CommandError('There must be a topic: -t')
  if (flags.e === undefined && place.protocol !== ProtocolVersion.V5) {
    throw new CommandError('MQTT 3.x has no response topics: give the one to listen to with -e')
  }
  checkPublishTopic(topic, false)
  if (flags.e !== undefined) checkPublishTopic(flags.e, false)
  const { payload } = await payloadOf(flags, signal)
  const client = new Client(place.hostname, place.options)
  await connect(client, place.protocol, signal)
  try {
    const request: Request = { topic, payload, wait: AbortSignal.timeout((flags.W ?? USUAL_WAIT) * 1000) }
    const response = await answerTo(client, request, flags, place, signal)
    const output = new Output()
    print(response, output, new Moment())
    await output.end()
  } finally {
    await client.disconnect()
  }
}

interface Request {
  readonly topic: string
  readonly payload: Awaited<ReturnType<typeof payloadOf>>['payload']
  /** Fires when it has been waited long enough. */
  readonly wait: AbortSignal
}

async function answerTo(
  client: Client,
  { topic, payload, wait }: Request,
  { e: responseTopic, qos = 0, retain = false }: RrFlags,
  { protocol, properties: { publish: properties } }: Place,
  interruption: AbortSignal,
): Promise<Message> {
  const signal = AbortSignal.any([wait, interruption])
  const options = { qos, retain, signal, timeout: Number.POSITIVE_INFINITY }
  try {
    if (responseTopic === undefined) return await client.request(topic, payload, { ...options, properties })
    const [code] = await client.subscribe(responseTopic, { qos, signal })
    if (code?.isFailure) throw new CommandError(`The subscription to ${responseTopic} was refused: ${code}`)
    const isV5 = protocol === ProtocolVersion.V5
    const correlationData = Buffer.from(randomUUID())
    const addressed = isV5 ? { ...properties, responseTopic, correlationData } : undefined
    await client.publish(topic, payload, { ...options, properties: addressed })
    for (;;) {
      const { value: message } = await client.messages.next({ signal })
      if (message === undefined) throw new MqttError('The connection was lost.')
      if (!isV5 || message.properties?.correlationData?.equals(correlationData)) return message
    }
  } catch (error) {
    if (wait.aborted && !interruption.aborted) throw new CommandError('No response in time', ExitCode.TIMEOUT)
    throw error
  }
}
