import { rangeError } from '../support/validate.js'
import type { ClientOptions } from './client-options.js'

interface Scheme {
  readonly transport: 'tcp' | 'websockets' | 'unix'
  readonly port: number
  readonly isSecure: boolean
}

const SCHEMES: ReadonlyMap<string, Scheme> = new Map([
  ['mqtt:', { transport: 'tcp', port: 1883, isSecure: false }],
  ['mqtts:', { transport: 'tcp', port: 8883, isSecure: true }],
  ['ws:', { transport: 'websockets', port: 80, isSecure: false }],
  ['wss:', { transport: 'websockets', port: 443, isSecure: true }],
  ['unix:', { transport: 'unix', port: 1883, isSecure: false }],
])

const NAMES = 'mqtt:, mqtts:, ws:, wss: or unix:'

/** The first arguments of `new Client()`, before they are checked. */
export interface Target {
  hostname: string
  /** Undefined or null for the usual one. */
  port: unknown
  options: ClientOptions
}

/**
 * Takes a URL in the place of the host name apart, so that everything stands where it would stand without URLs; what
 * is not a URL stays as it is. Errors never show the URL: there may be a password in it.
 * @throws RangeError for a URL that is none of MQTT's, and for options that contradict it
 */
export function readUrl(target: Target): Target {
  const { hostname } = target
  if (typeof hostname !== 'string' || !/^(?:[a-z][a-z\d+.-]*:\/\/|unix:)/i.test(hostname)) return target
  const name = hostname.slice(0, hostname.indexOf(':') + 1).toLowerCase()
  const scheme = SCHEMES.get(name)
  if (scheme === undefined) throw rangeError(`A URL as hostname must begin with ${NAMES}, not ${name}`)
  const { transport, isSecure } = scheme
  const [url, zone] = parse(hostname)
  if (url.hash !== '') throw rangeError('A URL as hostname must not have a fragment')
  const options: ClientOptions = { ...target.options }
  merge(options, 'transport', transport)
  if (transport !== 'unix') withoutTls(name, isSecure, options)
  if (isSecure && !options.tlsContext) options.tlsParams ??= {}
  if (url.username !== '' || url.password !== '') merge(options, 'username', decode(url.username))
  if (url.password !== '') merge(options, 'password', decode(url.password))

  if (transport === 'unix') {
    if (url.host !== '' || url.search !== '')
      throw rangeError('A unix: URL is written unix:///path/of/the/socket')
    return { hostname: decode(url.pathname), port: target.port, options }
  }
  const path = `${url.pathname}${url.search}`
  if (path !== '' && path !== '/') {
    if (transport !== 'websockets') throw rangeError(`A URL with ${name} must not have a path`)
    merge(options, 'websocketPath', path)
  }
  const port = url.port === '' ? undefined : Number(url.port)
  if (port !== undefined && (target.port ?? port) !== port) throw contradiction('port')
  const host = decode(url.hostname).replace(/^\[(.*)\]$/, '$1')
  return { hostname: `${host}${zone}`, port: port ?? target.port ?? scheme.port, options }
}

/** The zone of a link-local address (RFC 6874), which URL does not know, comes apart: `%eth0`. */
function parse(text: string): [url: URL, zone: string] {
  let zone = ''
  const known = text.replace(/\[([\da-f:.]+)%(?:25)?([^\]]+)\]/i, (_match, address: string, name: string) => {
    zone = `%${name}`
    return `[${address}]`
  })
  try {
    return [new URL(known), zone]
  } catch {
    throw invalid()
  }
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    throw invalid()
  }
}

/** Sets an option that the URL gives; it may be given twice, but not with two values. */
function merge<Key extends 'transport' | 'username' | 'password' | 'websocketPath'>(
  options: ClientOptions,
  key: Key,
  value: string & ClientOptions[Key],
): void {
  const given = options[key]
  const known = typeof given === 'string' && key === 'transport' ? given.toLowerCase() : given
  if ((known ?? value) !== value) throw contradiction(key)
  options[key] = value
}

function withoutTls(name: string, isSecure: boolean, { tlsContext, tlsParams }: ClientOptions): void {
  if (isSecure || (!tlsContext && !tlsParams)) return
  throw rangeError(
    `A URL with ${name} is without TLS, which the options ask for: write ${name.slice(0, -1)}s:`,
  )
}

function contradiction(key: string): Error {
  return rangeError(`The URL and the option ${key} contradict each other`)
}

function invalid(): Error {
  return rangeError('hostname looks like a URL, but is not a valid one')
}
