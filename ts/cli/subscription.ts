import type { Command } from 'commander'
import { Client } from '../client/client.js'
import type { Message } from '../engine/message.js'
import { ProtocolVersion } from '../mqtt/protocol-version.js'
import type { ReasonCode } from '../mqtt/reason-code.js'
import { Wildcard } from '../mqtt/topic.js'
import { CommandError, ExitCode } from './command-error.js'
import { connect } from './connect.js'
import { type ConnectionFlags, type Place, readPlace } from './connection-options.js'
import type { Printer } from './format.js'
import { Moment } from './message-json.js'
import { collect, decimal, integer } from './options.js'
import type { Output } from './output.js'

/** What the options for subscribing say. */
export interface SubscriptionFlags extends ConnectionFlags {
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
}

/** Messages that are taken at once. */
const BATCH = 4096

/** Adds the options of mosquitto_sub for what to subscribe to, and when to end. */
export function addSubscriptionOptions(command: Command): Command {
  return command
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
}

/**
 * Connects, subscribes, and prints what comes until it is enough: a signal, `-C`, `-E`, `-W`, or an output that nobody
 * reads any longer. A lost connection is made again.
 * @param print null to print nothing
 * @param told is told how many messages counted, before the output is ended
 * @throws {CommandError} options that make no sense together, a refusal, or the time of `-W` is over
 */
export async function consume(
  flags: SubscriptionFlags,
  signal: AbortSignal,
  output: Output,
  print: Printer | null,
  told: (count: number) => void = () => {},
): Promise<void> {
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
  const end = AbortSignal.any([signal, output.closed])
  const selection = new Selection(flags, client)
  await connect(client, place.protocol, signal)
  if (!flags.quiet) tellLosses(client)
  const deadline = flags.W === undefined ? null : AbortSignal.timeout(flags.W * 1000)
  try {
    await subscribe(client, filters, flags, place)
    if (flags.E) return
    const over = deadline === null ? end : AbortSignal.any([end, deadline])
    await receive(client, selection, print, output, over)
    if (deadline?.aborted && !end.aborted) throw new CommandError('Timed out', ExitCode.TIMEOUT)
  } finally {
    told(selection.count)
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
  { qos = 0, retainAsPublished = false, unsubscribe }: SubscriptionFlags,
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
  readonly #flags: SubscriptionFlags
  readonly #client: Client
  readonly #removals: Promise<void>[] = []

  constructor(flags: SubscriptionFlags, client: Client) {
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
