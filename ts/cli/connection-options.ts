import { type Command, Option } from 'commander'
import type { ClientOptionsWithPort } from '../client/client.js'
import type { PropertiesLiteral } from '../mqtt/properties.js'
import { ProtocolVersion } from '../mqtt/protocol-version.js'
import type { WillLiteral } from '../mqtt/will.js'
import type { ProxySettingsLiteral } from '../options/proxy-settings.js'
import { proxyFromUrl } from '../options/proxy-url.js'
import type { Logger } from '../support/logger.js'
import { CommandError } from './command-error.js'
import { applyProfile, type PasswordFlags, passwordOf } from './credentials.js'
import { collect, integer, refuse } from './options.js'
import { type PropertyPacket, readProperties } from './property-options.js'
import { isTls, readTls, type TlsFlags } from './tls-flags.js'

/** What the options for the connection say, as commander gives it. */
export interface ConnectionFlags extends TlsFlags, PasswordFlags {
  host?: string
  port?: number
  url?: string
  unix?: string
  ws?: boolean
  wsPath?: string
  username?: string
  id?: string
  idPrefix?: string
  keepalive?: number
  disableCleanSession?: boolean
  protocolVersion?: ProtocolVersion
  x?: number
  A?: string
  maxInflight?: number
  willTopic?: string
  willPayload?: string
  willQos?: 0 | 1 | 2
  willRetain?: boolean
  proxy?: string
  property?: string[]
  debug?: boolean
  quiet?: boolean
}

/** Where to connect and how, for `new Client()`. */
export interface Place {
  readonly hostname: string
  readonly options: ClientOptionsWithPort
  readonly protocol: ProtocolVersion
  /** The topic of a URL that has one: `mqtt://host/topic`. */
  readonly topic: string | null
  /** The properties of `-D`, by the packet that carries them. */
  readonly properties: Partial<Record<PropertyPacket, PropertiesLiteral>>
}

const NEVER = 0xffff_ffff

const VERSIONS: Readonly<Record<string, ProtocolVersion>> = {
  '5': ProtocolVersion.V5,
  mqttv5: ProtocolVersion.V5,
  '311': ProtocolVersion.V311,
  mqttv311: ProtocolVersion.V311,
  '31': ProtocolVersion.V31,
  mqttv31: ProtocolVersion.V31,
}

/** Adds the options that Mosquitto's tools have for connecting; `bench` and `doctor` have them, too. */
export function addConnectionOptions(command: Command): Command {
  command.optionsGroup('Connection:')
  command
    .option('-h, --host <host>', 'the broker (localhost)')
    .option('-p, --port <port>', 'its port (1883, with TLS 8883)', integer(1, 65535))
    .option(
      '-L, --url <url>',
      'mqtt(s)://[user[:password]@]host[:port][/topic], or a URL with ws:, wss: or unix:',
    )
    .option('--unix <path>', 'connect to a unix socket')
    .option('--ws', 'connect by WebSocket')
    .option('--ws-path <path>', 'the path of the WebSocket handshake (/mqtt)')
    .option('--profile <name>', 'take options from a named profile of ~/.config/aiomqtt/profiles.json')
    .option('-u, --username <name>', 'the user name; also AIOMQTT_USERNAME')
    .option(
      '-P, --pw <password>',
      'the password; other users of this machine can see it in the list of processes',
    )
    .option('--pw-file <file>', 'a file with the password; also AIOMQTT_PASSWORD')
    .option('--ask-pw', 'ask for the password on the terminal')
    .hook('preAction', (_command, acting) => applyProfile(acting))
    .option('-i, --id <id>', 'the client identifier (the broker chooses one)')
    .option('-I, --id-prefix <prefix>', 'a client identifier of this and the process identifier')
    .option('-k, --keepalive <seconds>', 'the longest silence (60)', integer(0, 65535))
    .option('-c, --disable-clean-session', 'have the broker keep the session; needs -i')
    .option(
      '-x <seconds>',
      'MQTT 5: how long it keeps it, -1 or ∞ for ever (for ever with -c, else 0)',
      readExpiry,
    )
    .option(
      '-V, --protocol-version <version>',
      'mqttv5, mqttv311 or mqttv31; also 5, 311, 31 (mqttv311)',
      readVersion,
    )
    .option('-A <address>', 'the local address to connect from')
    .option('--nodelay', 'no delay of small packets (always so)')
    .option(
      '--proxy <url>',
      'socks5h://[user[:password]@]host[:port]; also socks5:, socks4a:, socks4:, http:',
    )
    .option(
      '-D, --property <words...>',
      'MQTT 5: packet, property, value (user-property: name and value), for example: publish content-type text/plain',
      collect,
    )
  command.optionsGroup('Will:')
  command
    .option('--will-topic <topic>', 'what the broker publishes if this client goes without a word')
    .option('--will-payload <payload>', 'its payload (none)')
    .option('--will-qos <qos>', 'its QoS (0)', integer(0, 2))
    .option('--will-retain', 'it is retained')
  command.optionsGroup('TLS:')
  command
    .option('--cafile <file>', 'the certificates that are trusted, PEM')
    .option('--capath <folder>', 'the same, all files of a folder')
    .option('--tls-use-os-certs', "trust what this system trusts (Node's own list, too)")
    .option('--cert <file>', "this client's certificate, PEM")
    .option('--key <file>', 'its private key, PEM')
    .option('--keyform <form>', 'pem', readKeyForm)
    .option('--insecure', "do not check that the certificate is for the broker's name")
    .addOption(
      new Option('--tls-version <version>', 'the oldest one that is allowed (tlsv1.2)').choices([
        'tlsv1.3',
        'tlsv1.2',
        'tlsv1.1',
      ]),
    )
    .option('--tls-alpn <protocol>', 'the protocol to ask for (ALPN)')
    .option('--ciphers <list>', "OpenSSL's list of ciphers")
    .option('--psk <hex>', 'a pre-shared key instead of certificates; needs --psk-identity')
    .option('--psk-identity <identity>', 'whose key it is')
  refuse(command, '--tls-engine <engine>', "Node's OpenSSL has no engines")
  refuse(command, '--tls-engine-kpass-sha1 <hash>', "Node's OpenSSL has no engines")
  command.optionsGroup('Other:')
  refuse(command, '-S', 'give the host that the SRV record names with -h')
  return command
}

/** Adds `-d` and `--quiet`. */
export function addLogOptions(command: Command): Command {
  return command
    .option('-d, --debug', 'say on stderr what the client does')
    .option('--quiet', 'no messages about errors, but for those about options')
}

/**
 * What to connect with.
 * @throws {CommandError} options that contradict each other, or a file that cannot be read
 */
export async function readPlace(flags: ConnectionFlags): Promise<Place> {
  const properties = readProperties(flags.property ?? [])
  const protocol = versionOf(flags)
  const { hostname, port, topic, isSecure } = readHost(flags)
  const tls = await readTls(flags, isSecure)
  const options: ClientOptionsWithPort = { ...tls, port, protocol, keepalive: flags.keepalive }
  if (flags.unix !== undefined) options.transport = 'unix'
  if (flags.ws) options.transport = 'websockets'
  if (flags.wsPath !== undefined) options.websocketPath = flags.wsPath
  options.bindAddress = flags.A
  options.maxInflightMessages = flags.maxInflight
  options.will = willOf(flags, properties.will)
  options.proxy = proxyOf(flags.proxy)
  await addCredentials(options, flags)
  addSession(options, flags, protocol, properties.connect)
  if (flags.debug) options.logger = debugLogger()
  return { hostname, options, protocol, topic, properties }
}

/**
 * Flags with the argument that says where the broker is, if there is one.
 * @throws {CommandError} an option says it, too
 */
export function withPlace<Flags extends ConnectionFlags>(flags: Flags, place: string | undefined): Flags {
  if (place === undefined) return flags
  if (flags.host !== undefined || flags.url !== undefined || flags.unix !== undefined) {
    throw new CommandError('Only one of the argument, -h, -L and --unix can say where the broker is')
  }
  return place.includes('://') ? { ...flags, url: place } : { ...flags, host: place }
}

function readVersion(text: string): ProtocolVersion {
  const version = VERSIONS[text]
  if (version === undefined) {
    throw new CommandError(`-V must be one of ${Object.keys(VERSIONS).join(', ')}, not ${text}`)
  }
  return version
}

function readKeyForm(text: string): string {
  if (text === 'pem') return text
  throw new CommandError(
    `--keyform ${text} is not supported: keys are PEM, and Node's OpenSSL has no engines`,
  )
}

function readExpiry(text: string): number {
  if (text === '-1' || text === '∞') return NEVER
  return integer(0, NEVER)(text)
}

/** As in Mosquitto's tools, properties make it MQTT 5. */
function versionOf({ protocolVersion, property }: ConnectionFlags): ProtocolVersion {
  if (property === undefined) return protocolVersion ?? ProtocolVersion.V311
  if ((protocolVersion ?? ProtocolVersion.V5) !== ProtocolVersion.V5) {
    throw new CommandError('-D needs MQTT 5: -V mqttv5')
  }
  return ProtocolVersion.V5
}

interface Host {
  hostname: string
  port: number | undefined
  topic: string | null
  isSecure: boolean
}

function readHost(flags: ConnectionFlags): Host {
  const { host, port, url, unix } = flags
  if ([host, url, unix].filter((value) => value !== undefined).length > 1) {
    throw new CommandError('Only one of -h, -L and --unix can say where the broker is')
  }
  if (unix !== undefined) {
    if (port !== undefined) throw new CommandError('--unix and -p cannot be used together')
    return { hostname: unix, port: undefined, topic: null, isSecure: false }
  }
  if (url !== undefined) return readUrl(url, port)
  const isSecure = isTls(flags) || port === 8883
  return { hostname: host ?? 'localhost', port: port ?? (isSecure ? 8883 : 1883), topic: null, isSecure }
}

/** Takes the topic from a URL with mqtt: or mqtts:; the client reads the rest. */
function readUrl(text: string, port: number | undefined): Host {
  const [, scheme = '', authority = '', path = ''] = /^(\w+):\/\/([^/?#]*)\/?(.*)$/s.exec(text) ?? []
  const name = scheme.toLowerCase()
  if (!['mqtt', 'mqtts', 'ws', 'wss', 'unix'].includes(name)) {
    throw new CommandError('-L must be a URL that begins with mqtt://, mqtts://, ws://, wss:// or unix://')
  }
  const isSecure = name === 'mqtts' || name === 'wss'
  if (!name.startsWith('mqtt')) return { hostname: text, port, topic: null, isSecure }
  return { hostname: `${name}://${authority}`, port, topic: path === '' ? null : path, isSecure }
}

async function addCredentials(options: ClientOptionsWithPort, flags: ConnectionFlags): Promise<void> {
  const { id, idPrefix, pw, pwFile, askPw } = flags
  const username = flags.username ?? (process.env.AIOMQTT_USERNAME || undefined)
  const isPasswordGiven = pw !== undefined || pwFile !== undefined || askPw !== undefined
  if (isPasswordGiven && username === undefined) throw new CommandError('-P needs a user name: -u')
  if (id !== undefined && idPrefix !== undefined) throw new CommandError('-i and -I cannot be used together')
  if (username !== undefined) {
    options.username = username
    options.password = await passwordOf(flags)
  }
  options.identifier = idPrefix === undefined ? id : `${idPrefix}${process.pid}`
}

function addSession(
  options: ClientOptionsWithPort,
  flags: ConnectionFlags,
  protocol: ProtocolVersion,
  given: PropertiesLiteral | undefined,
): void {
  const isKept = flags.disableCleanSession === true
  if (isKept && !options.identifier) throw new CommandError('-c needs a client identifier: -i')
  if (protocol !== ProtocolVersion.V5) {
    if (flags.x !== undefined) throw new CommandError('-x needs MQTT 5: -V mqttv5')
    if (isKept) options.cleanSession = false
    return
  }
  const sessionExpiryInterval = flags.x ?? given?.sessionExpiryInterval ?? (isKept ? NEVER : 0)
  if (sessionExpiryInterval === NEVER && !options.identifier) {
    throw new CommandError('A session that never expires needs a client identifier: -i')
  }
  options.properties = { ...given, sessionExpiryInterval }
  if (isKept) options.cleanStart = false
}

function willOf(flags: ConnectionFlags, properties: PropertiesLiteral | undefined): WillLiteral | null {
  const { willTopic, willPayload, willQos = 0, willRetain = false } = flags
  if (willTopic === undefined) {
    const others = [willPayload, flags.willQos, flags.willRetain, properties]
    if (others.some((value) => value !== undefined)) throw new CommandError('A will needs --will-topic')
    return null
  }
  return { topic: willTopic, payload: willPayload, qos: willQos, retain: willRetain, properties }
}

function proxyOf(text: string | undefined): ProxySettingsLiteral | null {
  if (text === undefined) return null
  const proxy = proxyFromUrl(text)
  if (proxy === null) {
    throw new CommandError('--proxy must be a URL such as socks5h://[user[:password]@]host[:port]')
  }
  return { ...proxy, proxyRdns: !/^socks[45]:/i.test(text.trim()) }
}

function debugLogger(): Logger {
  const write = (line: unknown) => process.stderr.write(`${line}\n`)
  return { debug: write, info: write, warn: write, error: write }
}
