import { setTimeout as sleep } from 'node:timers/promises'
import type { Command } from 'commander'
import { Client } from '../../client/client.js'
import { runAction } from '../action.js'
import { CommandError, EXIT_CODES } from '../command-error.js'
import { connect } from '../connect.js'
import {
  addConnectionOptions,
  addLogOptions,
  type ConnectionFlags,
  type Place,
  readPlace,
} from '../connection-options.js'
import { eachOf } from '../each-of.js'
import { decimal, integer } from '../options.js'
import { type FleetTemplate, type MessageMaker, makerOf, readFleetFile } from './fleet-file.js'
import { PLACEHOLDER_HELP } from './template.js'

interface SimulateFlags extends ConnectionFlags {
  topic?: string
  message?: string
  qos?: 0 | 1 | 2
  retain?: boolean
  devices?: number
  interval?: number
  duration?: number
}

const USUAL_DEVICES = 10

/** Seconds. */
const USUAL_INTERVAL = 1

const AFTERWORD = `
A template is a file of JSON: { "topic", "payload", "qos", "retain", "devices", "interval", "birth": { "topic", … },
"will": { "topic", … } }; -t and -m are one without a file. Topics and payloads may have placeholders:
${PLACEHOLDER_HELP}
In a JSON payload a string that is only a placeholder of a number becomes a number. Each device has a connection of its
own, made again when it is lost, and readings of all devices are spread evenly over the interval.
${EXIT_CODES}`

/** Makes it `aiomqtt simulate`. */
export function build(command: Command): Command {
  command
    .argument('[template]', 'the file that says what a device publishes')
    .optionsGroup('Fleet:')
    .option('-t, --topic <topic>', 'the topic of a reading, without a template')
    .option('-m, --message <text>', 'its payload')
    .option('-q, --qos <qos>', '0, 1 or 2 (0)', integer(0, 2))
    .option('-r, --retain', 'have the broker retain it')
    .option('--devices <devices>', `how many (${USUAL_DEVICES})`, integer(1, 100_000))
    .option(
      '--interval <seconds>',
      `between two readings of a device (${USUAL_INTERVAL})`,
      decimal(0.001, 1e6),
    )
    .option('--duration <seconds>', 'how long (until Ctrl-C)', decimal(0.1, 1e6))
    .addHelpText('after', AFTERWORD)
  addLogOptions(addConnectionOptions(command))
  return command.action((file: string | undefined, flags: SimulateFlags) =>
    runAction(({ signal }) => simulate(file, flags, signal), flags.quiet),
  )
}

async function simulate(file: string | undefined, flags: SimulateFlags, signal: AbortSignal): Promise<void> {
  const template = file === undefined ? templateOf(flags) : await readFleetFile(file)
  if (file !== undefined && (flags.topic !== undefined || flags.message !== undefined)) {
    throw new CommandError('A template, and -t or -m, cannot be used together')
  }
  const place = await readPlace(flags)
  const count = flags.devices ?? template.devices ?? USUAL_DEVICES
  const interval = flags.interval ?? template.interval ?? USUAL_INTERVAL
  const devices = Array.from({ length: count }, (_, index) => new Device(index + 1, template, place))
  const isOver =
    flags.duration === undefined
      ? signal
      : AbortSignal.any([signal, AbortSignal.timeout(flags.duration * 1000)])
  const report = flags.quiet ? undefined : setInterval(() => tell(devices), 1000)
  try {
    await eachOf(devices, (device) => device.connect(signal))
    await Promise.all(
      devices.map((device, index) => device.run(interval, (index / count) * interval, isOver)),
    )
  } finally {
    clearInterval(report)
    await Promise.all(devices.map((device) => device.end()))
    if (!flags.quiet) tell(devices)
  }
}

function templateOf({ topic, message = '', qos = 0, retain = false }: SimulateFlags): FleetTemplate {
  if (topic === undefined) throw new CommandError('There must be a template, or a topic: -t')
  return {
    reading: { topic, payload: message, qos, retain },
    birth: null,
    will: null,
    devices: null,
    interval: null,
  }
}

function tell(devices: readonly Device[]): void {
  const sum = (value: (device: Device) => number) =>
    devices.reduce((total, device) => total + value(device), 0)
  const connected = sum(({ isConnected }) => (isConnected ? 1 : 0))
  const failed = sum((device) => device.failed)
  const rest = failed === 0 ? '' : `, ${failed} failed`
  process.stderr.write(`${connected} connected, ${sum((device) => device.published)} published${rest}\n`)
}

/** One device, with its own connection and its own state of the placeholders. */
class Device {
  published = 0
  failed = 0
  readonly #client: Client
  readonly #place: Place
  readonly #template: FleetTemplate
  readonly #reading: MessageMaker

  constructor(
    readonly number: number,
    template: FleetTemplate,
    place: Place,
  ) {
    this.#place = place
    this.#template = template
    this.#reading = makerOf(template.reading)
    const { identifier, will } = place.options
    const own = template.will && { ...template.will, ...makerOf(template.will)(this.#moment(0)) }
    this.#client = new Client(place.hostname, {
      ...place.options,
      identifier: identifier ? `${identifier}-${number}` : undefined,
      will: own ?? will,
      reconnect: true,
    })
  }

  get isConnected(): boolean {
    return this.#client.state === 'connected'
  }

  async connect(signal: AbortSignal): Promise<void> {
    await connect(this.#client, this.#place.protocol, signal)
    const { birth } = this.#template
    if (birth === null) return
    const { topic, payload } = makerOf(birth)(this.#moment(0))
    await this.#client.publish(topic, payload, { qos: birth.qos, retain: birth.retain })
  }

  /** Publishes by a schedule that is settled from the beginning. */
  async run(interval: number, phase: number, signal: AbortSignal): Promise<void> {
    const { qos, retain } = this.#template.reading
    const start = performance.now() + phase * 1000
    for (let count = 1; ; count++) {
      const early = start + (count - 1) * interval * 1000 - performance.now()
      if (early > 0) await sleep(early, undefined, { signal }).catch(() => {})
      if (signal.aborted) return
      const { topic, payload } = this.#reading(this.#moment(count))
      await this.#client.publish(topic, payload, { qos, retain }).then(
        () => {
          this.published++
        },
        () => {
          this.failed++
        },
      )
    }
  }

  async end(): Promise<void> {
    await this.#client.disconnect()
  }

  #moment(count: number) {
    return { device: this.number, count, now: new Date() }
  }
}
