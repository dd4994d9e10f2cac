import type { Command } from 'commander'
import { Client } from '../client/client.js'
import type { Message } from '../engine/message.js'
import { ProtocolVersion } from '../mqtt/protocol-version.js'
import type { ReasonCode } from '../mqtt/reason-code.js'
import { Wildcard } from '../mqtt/topic.js'
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
import { compileFormat, type Printer } from './format.js'
import { Moment, messageLine } from './message-json.js'
import { collect, decimal, integer } from './options.js'
import { Output } from './output.js'
import type { Interruption } from './signals.js'

interface SubFlags extends ConnectionFlags {
  topic?: string[]
  qos?: 0 | 1 | 2
  C?: number
  E?: boolean
  W?: number
  unsubscribe?: string[]
  filterOut?: string[]
  R?: boolean
  retainedOnly?: boolean
  removeRetained?: boolean
  retainAsPublished?: boolean
  randomFilter?: number
  verbose?: boolean
  F?: string
  N?: boolean
  pretty?: boolean
  json?: boolean
  count?: boolean
}

const NEWLINE = 0x0a
const SPACE = 0x20

/** Messages that are taken at once. */
const BATCH = 4096

const AFTERWORD = `
Options are mosquitto_sub's, and mean the same. Configuration files of Mosquitto's tools are not read. When the
connection is lost, the client comes back and subscribes again.

-F: %t topic, %p payload, %x %X payload in hex, %l its length, %q QoS, %r retained, %m packet identifier, %j JSON,
%J JSON with a JSON payload, %I ISO 8601 time, %U Unix time, %C content type, %D correlation data, %E message expiry
interval, %F payload format indicator, %P user properties, %R response topic, %S subscription identifier, %% percent;
%-10t %010l widths, %.5t most characters; @Y-@m-@d and the like by strftime, @N nanoseconds; \\n \\t \\0 \\e ...
${EXIT_CODES}
  27        the time of -W was over`

/** Makes it `aiomqtt sub`. */
export function buildSub(command: Command): Command {
  command
    .description('Subscribes, and prints what comes.')
    .optionsGroup('Subscription:')
    .option('-t, --topic <filter>', 'what to subscribe to; may be repeated', collect)
    .option('-q, --qos <qos>', 'the highest QoS at which messages come: 0, 1 or 2 (0)', integer(0, 2))
    .option('-U, --unsubscribe <filter>', 'what to unsubscribe from; may be repeated', collect)
    .option('-E', 'end when the broker has acknowledged the subscriptions')
    .option('-C <messages>', 'end after so many messages', integer(1, 2 ** 31 - 1))
    .option('-W <seconds>', 'end after so many seconds, with exit code 27', integer(1, 2 ** 31 / 1000))
    .option('-R', 'leave out retained messages')
    .option('--retained-only', 'only retained messages; end with the first other one')
    .option(
      '--remove-retained',
      'have the broker forget the retained messages that come, but for those of -T',
    )
    .option('--retain-as-published', 'MQTT 5: retained as the publisher said')
    .option('-T, --filter-out <filter>', 'leave out messages whose topic matches; may be repeated', collect)
    .option('--random-filter <percent>', 'print only this share of the messages (100)', decimal(0.1, 100))
    .optionsGroup('Output:')
    .option('-v, --verbose', 'print the topic before the payload')
    .option('-F <format>', 'how to print a message, see below')
    .option('-N', 'no new line after a message')
    .option('--pretty', 'spread the JSON of %j and %J over several lines')
    .option('--json', 'a line of JSON for each message, for programs: what is not UTF-8 is payload_base64')
    .option('--count', 'print nothing but the number of messages, at the end')
    .addHelpText('after', AFTERWORD)
  addLogOptions(addConnectionOptions(command))
  return command.action((flags: SubFlags) =>
    runAction((interruption) => sub(flags, interruption), flags.quiet),
  )
}

async function sub(flags: SubFlags, { signal }: Interruption): Promise<void> {
  const print = printerOf(flags)
  const place = await readPlace(flags)
  const filters = [...(place.topic === null ? [] : [place.topic]), ...(flags.topic ?? [])]
  if (filters.length === 0 && flags.unsubscribe === undefined)
    throw new CommandError('There must be a topic: -t')
  if (flags.R && flags.retainedOnly) throw new CommandError('-R and --retained-only cannot be used together')
  if (flags.retainAsPublished && place.protocol !== ProtocolVersion.V5) {
    throw new CommandError('--retain-as-published needs MQTT 5: -V mqttv5')
  }
  for (const filter of [...filters, ...(flags.unsubscribe ?? []), ...(flags.filterOut ?? [])]) {
    new Wildcard(filter)
  }
  const client = new Client(place.hostname, { ...place.options, overflow: 'backpressure', reconnect: true })
  const output = new Output()
  const end = AbortSignal.any([signal, output.closed])
  const selection = new Selection(flags, client)
  await connect(client, place.protocol, signal)
  if (!flags.quiet) tellLosses(client)
  const deadline = flags.W === undefined ? null : AbortSignal.timeout(flags.W * 1000)
  try {
    await subscribe(client, filters, flags, place)
    if (flags.E) return
    const over = deadline === null ? end : AbortSignal.any([end, deadline])
    await receive(client, selection, flags.count ? null : print, output, over)
    if (deadline?.aborted && !end.aborted) throw new CommandError('Timed out', ExitCode.TIMEOUT)
  } finally {
    if (flags.count) output.text(`${selection.count}\n`)
    await output.end()
    await client.disconnect()
  }
}

/** Says on stderr when the connection is lost. */
async function tellLosses(client: Client): Promise<void> {
  for await (const { state, error, attempt } of client.states) {
    if (state === 'disconnected') return
    if (state === 'reconnecting' && attempt === 1) {
      process.stderr.write(`Warning: ${error?.message ?? 'The connection was lost.'} Reconnecting.\n`)
    }
  }
}

async function subscribe(
  client: Client,
  filters: string[],
  { qos = 0, retainAsPublished = false, unsubscribe }: SubFlags,
  { protocol, properties }: Place,
): Promise<void> {
  if (filters.length > 0) {
    const isNew = protocol === ProtocolVersion.V5
    const codes = await client.subscribe(
      isNew ? filters.map((filter) => [filter, { qos, retainAsPublished }]) : filters,
      { ...(isNew ? {} : { qos }), properties: properties.subscribe },
    )
    checkAnswers(codes, filters)
  }
  if (unsubscribe !== undefined) await client.unsubscribe(unsubscribe, { properties: properties.unsubscribe })
}

/** As mosquitto_sub: one subscription is enough; what was refused beside it is said. */
function checkAnswers(codes: readonly ReasonCode[], filters: readonly string[]): void {
  const refused = filters.flatMap((filter, index) => {
    const code = codes[index]
    return code?.isFailure ? [`${filter} (${code})`] : []
  })
  if (refused.length === filters.length) {
    throw new CommandError(`All subscription requests were denied: ${refused.join(', ')}`)
  }
  if (refused.length > 0) process.stderr.write(`Warning: The broker refused ${refused.join(', ')}\n`)
}

async function receive(
  client: Client,
  selection: Selection,
  print: Printer | null,
  output: Output,
  over: AbortSignal,
): Promise<void> {
  const batches = client.messages.batches(BATCH)
  while (!over.aborted && !selection.isComplete) {
    const batch = await batches.next({ signal: over }).catch((error: unknown) => {
      if (over.aborted) return null
      throw error
    })
    if (batch === null) return
    const moment = new Moment()
    for (const message of batch.value ?? []) {
      if (!selection.takes(message)) {
        if (selection.isComplete) break
        continue
      }
      if (print !== null && selection.isPrinted()) print(message, output, moment)
      if (selection.isComplete) break
    }
    await output.flush()
  }
  await selection.settled()
}

/** Which messages count, and when there are enough of them. */
class Selection {
  /** Messages that counted. */
  count = 0
  /** Whether there are to be no more. */
  isComplete = false
  readonly #flags: SubFlags
  readonly #client: Client
  readonly #removals: Promise<void>[] = []

  constructor(flags: SubFlags, client: Client) {
    this.#flags = flags
    this.#client = client
  }

  /** Whether a message counts. */
  takes(message: Message): boolean {
    const { retainedOnly, R, filterOut, removeRetained, C } = this.#flags
    if (retainedOnly && !message.retain) {
      this.isComplete = true
      return false
    }
    if (filterOut !== undefined && isOneOf(filterOut, message)) return false
    if (removeRetained && message.retain) this.#remove(message)
    if (R && message.retain) return false
    this.count += 1
    if (this.count === C) this.isComplete = true
    return true
  }

  /** Whether a message that counts is among those of `--random-filter`. */
  isPrinted(): boolean {
    const { randomFilter } = this.#flags
    return randomFilter === undefined || Math.random() * 100 < randomFilter
  }

  /** Resolves when the broker has been told to forget all that it was to forget. */
  async settled(): Promise<void> {
    await Promise.all(this.#removals)
  }

  #remove({ topic }: Message): void {
    const removal = this.#client.publish(topic, null, { retain: true, qos: 1 })
    removal.catch(() => {})
    this.#removals.push(removal)
  }
}

function isOneOf(filters: readonly string[], { topic }: Message): boolean {
  return filters.some((filter) => topic.matches(filter))
}

function printerOf({ F, verbose, N, pretty, json, count }: SubFlags): Printer {
  if (json && (F !== undefined || count || pretty)) {
    throw new CommandError('--json cannot be used together with -F, --count or --pretty')
  }
  const hasEnd = !N
  if (json) return withEnd((message, output, moment) => output.text(messageLine(message, moment)), true)
  if (F !== undefined) return withEnd(compileFormat(F, pretty ?? false), hasEnd)
  return verbose ? printVerbose(hasEnd) : printPayload(hasEnd)
}

function withEnd(print: Printer, hasEnd: boolean): Printer {
  if (!hasEnd) return print
  return (message, output, moment) => {
    print(message, output, moment)
    output.byte(NEWLINE)
  }
}

/** As mosquitto_sub: an empty payload has no line. */
function printPayload(hasEnd: boolean): Printer {
  return ({ payload }, output) => {
    if (payload.length === 0) return
    output.bytes(payload)
    if (hasEnd) output.byte(NEWLINE)
  }
}

/** As mosquitto_sub: an empty payload is `(null)`, and nothing at all with -N. */
function printVerbose(hasEnd: boolean): Printer {
  return ({ topic, payload }, output) => {
    if (payload.length === 0 && !hasEnd) return
    output.text(topic.value)
    output.byte(SPACE)
    if (payload.length === 0) output.text('(null)')
    else output.bytes(payload)
    if (hasEnd) output.byte(NEWLINE)
  }
}
