import { setTimeout as sleep } from 'node:timers/promises'
import type { Command } from 'commander'
import { Client } from '../client/client.js'
import { ProtocolVersion } from '../mqtt/protocol-version.js'
import { runAction } from './action.js'
import { CommandError, EXIT_CODES, ExitCode } from './command-error.js'
import { connect } from './connect.js'
import { addConnectionOptions, addLogOptions, type ConnectionFlags, readPlace } from './connection-options.js'
import { decimal, integer } from './options.js'
import { type Recorded, readRecording } from './recording.js'

interface ReplayFlags extends ConnectionFlags {
  speed?: number
  prefix?: string
  qos?: 0 | 1 | 2
  retain?: boolean
}

/** Messages that may be on their way; the next ones wait, and their lag is told. */
const WINDOW = 1000

/** Milliseconds by which a message may be early, so that not each one needs a timer. */
const GRAIN = 1

const AFTERWORD = `
The file is what \`aiomqtt record\` or \`aiomqtt sub --json\` wrote; - is standard input. Properties are sent on MQTT 5.
${EXIT_CODES}
  1         also when a message could not be published`

/** Makes it `aiomqtt replay`. */
export function build(command: Command): Command {
  command
    .argument('<file>', 'the file to read')
    .optionsGroup('Messages:')
    .option(
      '--speed <factor>',
      'how many times as fast as recorded; 0 for as fast as possible (1)',
      decimal(0, 1e6),
    )
    .option('--prefix <topic>', 'put this before each topic')
    .option('-q, --qos <qos>', '0, 1 or 2 (as recorded)', integer(0, 2))
    .option('--no-retain', 'publish nothing as retained')
    .option('-M, --max-inflight <messages>', 'maximum QoS 1 and 2 messages in flight (20)', integer(1, 65535))
    .addHelpText('after', AFTERWORD)
  addLogOptions(addConnectionOptions(command))
  return command.action((file: string, flags: ReplayFlags) =>
    runAction(({ signal }) => replay(file, flags, signal), flags.quiet),
  )
}

async function replay(file: string, flags: ReplayFlags, signal: AbortSignal): Promise<void> {
  const place = await readPlace(flags)
  const client = new Client(place.hostname, { ...place.options, maxQueuedOutgoingMessages: 0 })
  const messages = readRecording(file, signal)
  // A file that is not there, or no recording, is told before a broker is bothered.
  const first = await messages.next()
  if (first.done) throw new CommandError(`${file} has no messages`)
  await connect(client, place.protocol, signal)
  const run = new Run(client, flags, place.protocol === ProtocolVersion.V5)
  try {
    const start = performance.now()
    const { speed = 1 } = flags
    let next: IteratorResult<Recorded, void> = first
    for (; !next.done && !signal.aborted; next = await messages.next()) {
      const { time } = next.value
      const due = speed === 0 ? start : start + (time - first.value.time) / speed
      const early = due - performance.now()
      if (early > GRAIN) await sleep(early, undefined, { signal }).catch(() => {})
      if (signal.aborted) break
      run.lag = Math.max(run.lag, performance.now() - due)
      await run.publish(next.value)
    }
    await run.settled()
  } finally {
    if (!flags.quiet) process.stderr.write(run.report(flags.speed === 0))
    await client.disconnect()
  }
  if (run.failure !== null) {
    throw new CommandError(
      `${run.failed} messages could not be published: ${run.failure.message}`,
      ExitCode.FAILURE,
    )
  }
}

/** What has been published, and what is on its way. */
class Run {
  published = 0
  failed = 0
  failure: Error | null = null
  /** The most that a message was late, in milliseconds. */
  lag = 0
  #pending = 0
  #wake: (() => void) | null = null
  readonly #client: Client
  readonly #flags: ReplayFlags
  readonly #hasProperties: boolean

  constructor(client: Client, flags: ReplayFlags, hasProperties: boolean) {
    this.#client = client
    this.#flags = flags
    this.#hasProperties = hasProperties
  }

  /** Resolves when there is room for the next one. */
  async publish({ topic, payload, qos, retain, properties }: Recorded): Promise<void> {
    const { prefix = '', qos: wanted = qos, retain: mayRetain = true } = this.#flags
    this.#pending++
    this.#client
      .publish(prefix + topic, payload, {
        qos: wanted,
        retain: retain && mayRetain,
        properties: this.#hasProperties ? properties : undefined,
        timeout: Number.POSITIVE_INFINITY,
      })
      .then(
        () => {
          this.published++
        },
        (error: Error) => {
          this.failed++
          this.failure ??= error
        },
      )
      .finally(() => {
        this.#pending--
        this.#wake?.()
      })
    await this.#fewerThan(WINDOW)
  }

  /** Resolves when nothing is on its way any longer. */
  async settled(): Promise<void> {
    await this.#fewerThan(1)
  }

  report(isUnpaced: boolean): string {
    const late = isUnpaced ? '' : `, at most ${Math.round(this.lag)} ms late`
    return `${this.published} messages published${late}\n`
  }

  async #fewerThan(count: number): Promise<void> {
    while (this.#pending >= count) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve
      })
    }
    this.#wake = null
  }
}
