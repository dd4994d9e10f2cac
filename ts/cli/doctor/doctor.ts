import { isIP } from 'node:net'
import type { Duplex } from 'node:stream'
import type { Command } from 'commander'
import { Client } from '../../client/client.js'
import { loadAddon } from '../../engine/load-addon.js'
import { ProtocolVersion } from '../../mqtt/protocol-version.js'
import { ClientSettings } from '../../options/client-settings.js'
import { destroyLayers, type Maker } from '../../transports/node-socket.js'
import { type Layer, Way } from '../../transports/way.js'
import { shownPathOf } from '../../transports/web-socket.js'
import { runAction } from '../action.js'
import { ExitCode } from '../command-error.js'
import {
  addConnectionOptions,
  addLogOptions,
  type ConnectionFlags,
  type Place,
  readPlace,
  withPlace,
} from '../connection-options.js'
import { decimal } from '../options.js'
import { Output } from '../output.js'
import type { Interruption } from '../signals.js'
import { examineTls, speaksTls } from './certificates.js'
import { Checklist, Fault, type Finding } from './checklist.js'
import { askForConnack, type Connack, SilentFault } from './connack.js'
import { limitsOf } from './limits.js'
import { findAddresses, placeOf, tryAddress } from './network.js'

interface DoctorFlags extends ConnectionFlags {
  topic?: string
  timeout?: number
}

const VERSION_NAMES = new Map<ProtocolVersion, string>([
  [ProtocolVersion.V5, 'MQTT 5'],
  [ProtocolVersion.V311, 'MQTT 3.1.1'],
  [ProtocolVersion.V31, 'MQTT 3.1'],
])

const AFTERWORD = `
Each step is a line: ✔ it works, ✘ it does not, – it does not matter. Nothing is published but with --topic, and no
session is kept; a client with the identifier of -i that is connected at the time is disconnected, as MQTT has it.

Exit codes:
  0         all is well
  1         a step failed
  130, 143  ended by SIGINT or SIGTERM`

/** Makes it `aiomqtt doctor`. */
export function build(command: Command): Command {
  command
    .argument('[place]', 'the host, or a URL as for -L')
    .optionsGroup('Examination:')
    .option('-t, --topic <topic>', 'also send a message there and wait for it')
    .option('--timeout <seconds>', 'for each step (5)', decimal(0.1, 3600))
    .addHelpText('after', AFTERWORD)
  addLogOptions(addConnectionOptions(command))
  return command.action((place: string | undefined, flags: DoctorFlags) =>
    runAction((interruption) => doctor(withPlace(flags, place), interruption), flags.quiet),
  )
}

async function doctor(flags: DoctorFlags, { signal }: Interruption): Promise<void> {
  const place = await readPlace(flags)
  const output = new Output()
  const list = new Checklist(output, signal, flags.timeout ?? 5)
  const settings = settingsFor(place, place.protocol)
  try {
    await examine(list, flags, place, settings)
  } finally {
    await output.end()
  }
  if (list.failures > 0) process.exitCode = ExitCode.FAILURE
}

/** Each step needs those before it. */
async function examine(
  list: Checklist,
  flags: DoctorFlags,
  place: Place,
  settings: ClientSettings,
): Promise<void> {
  const maker: Maker = { binding: loadAddon(), settings, signal: list.signal }
  const way = await Way.for(maker, false)
  if (!(await reach(list, way, maker))) return
  if (way.tls !== null && !(await checkTls(list, way, settings))) return
  if (settings.transport === 'websockets' && !(await checkWebSocket(list, way, settings))) return
  const version = await checkVersions(list, flags, place, way)
  if (version === null || flags.topic === undefined) return
  await list.step('round trip', () => roundTrip(place, version, flags.topic ?? ''))
}

/** The client's settings, as they are for another version. */
function settingsFor({ hostname, options, properties }: Place, protocol: ProtocolVersion): ClientSettings {
  const { cleanSession, cleanStart, will, ...rest } = options
  const isNew = protocol === ProtocolVersion.V5
  return new ClientSettings(hostname, {
    ...rest,
    protocol,
    properties: isNew ? { ...properties.connect, sessionExpiryInterval: 0 } : null,
  })
}

// --- The way to the broker -----------------------------------------------------------------------------------------

async function reach(list: Checklist, way: Way, maker: Maker): Promise<boolean> {
  const { hostname, port, transport } = maker.settings
  if (way.proxy !== null) {
    const name = `${way.proxy.proxyAddr}:${way.proxy.proxyPort ?? 'usual port'}`
    return checkLayers(list, 'proxy', way, 'socket', `${name} connects with ${way.where}`)
  }
  if (transport === 'unix') {
    const isUp = await list.step('socket', async (signal) => {
      const fault = await tryAddress({ ...maker, signal }, { path: hostname })
      if (fault !== null) throw fault
      return { text: `${hostname} accepts connections`, value: true }
    })
    return isUp !== null
  }
  const addresses =
    isIP(hostname) === 0 ? await list.step('name', () => findAddresses(hostname, port)) : [hostname]
  return addresses !== null && (await tryAddresses(list, maker, addresses, port))
}

/** One address that works is enough: the client tries them all. */
async function tryAddresses(
  list: Checklist,
  maker: Maker,
  addresses: readonly string[],
  port: number,
): Promise<boolean> {
  const results = await list.step('TCP', async (signal) => {
    const faults = await Promise.all(
      addresses.map((address) => tryAddress({ ...maker, signal }, { host: address, port })),
    )
    const lines = addresses.map((address, index) => {
      const fault = faults[index]
      return `${placeOf(address, port)}: ${fault ? [fault.message, ...fault.details].join('. ') : 'accepts connections'}`
    })
    const [line = '', ...more] = lines
    if (faults.every((fault) => fault !== null)) throw new Fault(line, more)
    return { text: line, details: more, value: true }
  })
  return results !== null
}

/** A step that makes the way up to a layer of it, and says that it is good. */
async function checkLayers(
  list: Checklist,
  name: string,
  way: Way,
  top: Layer,
  text: string,
): Promise<boolean> {
  const result = await list.step(name, async (signal) => {
    destroyLayers(await way.open(top, signal))
    return { text, value: true }
  })
  return result !== null
}

function checkWebSocket(list: Checklist, way: Way, settings: ClientSettings): Promise<boolean> {
  const text = `${shownPathOf(settings)} is one, with the subprotocol mqtt`
  return checkLayers(list, 'WebSocket', way, 'websocket', text)
}

async function checkTls(list: Checklist, way: Way, settings: ClientSettings): Promise<boolean> {
  const isChecked = settings.tlsInsecure !== true && way.tls?.checkServerIdentity === undefined
  const result = await list.step('TLS', (signal) => examineTls(way, signal, settings.hostname, isChecked))
  return result !== null
}

// --- MQTT ----------------------------------------------------------------------------------------------------------

/** What came of asking for a version: `'silent'` when no broker answered. */
type Answer = 'accepted' | 'refused' | 'silent'

/** Asks for the version that was given, or for all; one that works is enough then. Returns the newest that does. */
async function checkVersions(
  list: Checklist,
  flags: DoctorFlags,
  place: Place,
  way: Way,
): Promise<ProtocolVersion | null> {
  const isChosen = flags.protocolVersion !== undefined || flags.property !== undefined
  let working: ProtocolVersion | null = null
  for (const version of isChosen ? [place.protocol] : VERSION_NAMES.keys()) {
    const answer = await checkVersion(list, place, way, version, !isChosen)
    // Whoever is silent, or is no broker, is so in every version.
    if (answer === 'silent') return null
    if (answer === 'accepted') working ??= version
  }
  if (working === null && list.failures === 0) list.failures += 1
  return working
}

/** @param mayBeMissing whether it is no failure if the broker speaks others only */
async function checkVersion(
  list: Checklist,
  place: Place,
  way: Way,
  version: ProtocolVersion,
  mayBeMissing: boolean,
): Promise<Answer> {
  let answer: Answer = 'silent'
  await list.step(VERSION_NAMES.get(version) ?? 'MQTT', async (signal) => {
    const connack = await ask(way, settingsFor(place, version), signal, list.seconds)
    answer = connack.code === 0 ? 'accepted' : 'refused'
    if (answer === 'accepted') return accepted(connack)
    const text = `refused: ${connack.reason} (${connack.code})`
    if (!mayBeMissing || connack.code !== 132) throw new Fault(text, connack.advice)
    return { text: 'the broker does not speak it', isNeutral: true, value: true }
  })
  return answer
}

function accepted({ properties }: Connack): Finding<true> {
  return { text: 'accepted', details: properties === null ? [] : limitsOf(properties), value: true }
}

/** @param seconds of the step, most of which belong to the broker, and the rest to the question why it is silent */
async function ask(
  way: Way,
  settings: ClientSettings,
  signal: AbortSignal,
  seconds: number,
): Promise<Connack> {
  const limit = AbortSignal.timeout(seconds * 600)
  const layers = await way.open('websocket', AbortSignal.any([signal, limit]))
  try {
    return await askForConnack(layers.at(-1) as Duplex, settings)
  } catch (error) {
    if (!(error instanceof SilentFault)) throw error
    const fault = limit.aborted ? new Fault(`no answer within ${seconds * 0.6} s`, NO_BROKER) : error
    const isTlsPort = way.tls === null && (await speaksTls(way, AbortSignal.timeout(seconds * 300)))
    throw isTlsPort ? new Fault(fault.message, TLS_PORT) : fault
  } finally {
    destroyLayers(layers)
  }
}

const NO_BROKER = ['Something accepts connections there, but does not answer MQTT: is it a broker?']
const TLS_PORT = ['This port speaks TLS: use mqtts: or wss:, or --cafile or --tls-use-os-certs.']

// --- Round trip ----------------------------------------------------------------------------------------------------

/** By the client itself, with all of its options. */
async function roundTrip(place: Place, protocol: ProtocolVersion, topic: string): Promise<Finding<true>> {
  const { cleanSession, cleanStart, properties, ...options } = place.options
  const client = new Client(place.hostname, { ...options, protocol })
  await client.connect()
  try {
    const [code] = await client.subscribe(topic, { qos: 1 })
    if (code?.isFailure) throw new Fault(`the subscription to ${topic} was refused: ${code}`)
    const payload = `aiomqtt doctor ${process.pid} ${performance.now()}`
    const start = performance.now()
    await client.publish(topic, payload, { qos: 1 })
    for await (const message of client.messages) if (message.text() === payload) break
    const time = (performance.now() - start).toFixed(1)
    return { text: `a message of QoS 1 to ${topic} came back after ${time} ms`, value: true }
  } finally {
    await client.disconnect()
  }
}
