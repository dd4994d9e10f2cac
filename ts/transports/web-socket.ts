import { once } from 'node:events'
import type { ClientRequest, IncomingMessage } from 'node:http'
import { isIP } from 'node:net'
import type { Duplex } from 'node:stream'
import type { ClientOptions as WebSocketOptions } from 'ws'
import { BESIDE_QUEUE } from '../engine/boundary.js'
import type { Advice } from '../failures/advice.js'
import { Failure } from '../failures/failure.js'
import { failureText, thrownFailure } from '../failures/system-failure.js'
import { checkHeaders } from '../options/client-option-checks.js'
import type { ClientSettings } from '../options/client-settings.js'
import type { ConnectionAttempt } from '../options/connection-attempt.js'
import { ask } from '../options/fresh-values.js'
import { typeError } from '../support/validate.js'
import { own } from './node-socket.js'
import { loadOptional } from './optional-package.js'
import { WebSocketStream } from './web-socket-stream.js'

const USUAL_PATH = '/mqtt'

/** MQTT's largest packet (MQTT 5, 2.1.4): no message of a broker needs more. */
const LARGEST_MESSAGE = 268_435_460

/** A message may hold many packets; so large it may be, however small these must be. */
const USUAL_MESSAGE = 1024 * 1024

/** How long the broker may take to answer a Close frame, in milliseconds. */
const CLOSING = 1000

/**
 * A byte stream over WebSocket frames (MQTT 5, section 6): binary, subprotocol `mqtt`, whatever the frames' borders.
 * @param stream connected with the broker, through TLS for wss
 * @param where what errors call the broker
 * @throws {MqttError} the handshake failed, or the package ws is not installed (`ERR_MQTT_UNSUPPORTED`)
 */
export async function webSocket(
  stream: Duplex,
  settings: ClientSettings,
  isSecure: boolean,
  where: string,
  signal: AbortSignal,
): Promise<Duplex> {
  const { WebSocket } = await loadOptional('ws', 'the transport "websockets"', () => import('ws'))
  const address = addressOf(settings, isSecure)
  const origin = `http${isSecure ? 's' : ''}://${address.host}`
  // What is written to the stream is TLS already: for ws it is ws: in any case.
  address.protocol = 'ws:'
  const answer: Answer = {}
  let asking: Promise<void> | undefined
  const options: WebSocketOptions & { closeTimeout: number } = {
    createConnection: () => stream as never,
    closeTimeout: CLOSING,
    finishRequest: (request) => {
      request.once('response', (response) => {
        answer.refusal = response
      })
      request.once('upgrade', (response) => {
        answer.upgrade = response
      })
      asking = applyHeaders(request, settings, where)
      asking.then(() => request.end()).catch(() => {})
    },
    headers: { Host: address.host },
    maxPayload: largestMessage(settings),
    origin,
    perMessageDeflate: false,
    skipUTF8Validation: true,
  }
  const socket = new WebSocket(address, 'mqtt', options)
  const packets = new WebSocketStream(socket, stream)
  own(packets, signal)
  try {
    await Promise.all([once(socket, 'open'), asking])
    return packets
  } catch (error) {
    packets.destroy()
    throw (Failure.of(error) ?? handshakeFailure(error, answer, settings, where)).error()
  }
}

function handshakeFailure(error: unknown, answer: Answer, settings: ClientSettings, where: string): Failure {
  const statusCode = answer.refusal?.statusCode
  if (error instanceof Error && statusCode !== undefined) Object.assign(error, { statusCode })
  return new Failure({
    kind: 'websocket',
    text: `WebSocket handshake error: ${failureText(error)} (${where})`,
    code: 'ERR_MQTT_TRANSPORT',
    advice: adviceFor(answer),
    subject: shownPathOf(settings),
    statusCode,
    cause: error,
  })
}

/** The path of the WebSocket as it may be shown: its query may have a token or a signature in it. */
export function shownPathOf({ websocketPath }: ClientSettings): string {
  return (websocketPath ?? USUAL_PATH).replace(/\?.*$/s, '')
}

/**
 * A message is gathered before its packets are seen: it must not be larger than the largest of them that is taken, or
 * than usual.
 */
function largestMessage({ properties, maxQueuedIncomingBytes, overflow }: ClientSettings): number {
  const packet = properties?.maximumPacketSize ?? LARGEST_MESSAGE
  const queued = Math.max(maxQueuedIncomingBytes, overflow === 'backpressure' ? 0 : BESIDE_QUEUE)
  return Math.max(Math.min(packet, queued + USUAL_MESSAGE), USUAL_MESSAGE)
}

/** What an HTTP server has answered. */
interface Answer {
  /** It does not become a WebSocket. */
  refusal?: IncomingMessage
  /** It does. */
  upgrade?: IncomingMessage
}

function adviceFor({ refusal, upgrade }: Answer): Advice {
  if (upgrade !== undefined) return 'websocket-subprotocol'
  if (refusal === undefined) return 'no-web-server'
  const { statusCode } = refusal
  if (statusCode === 404) return 'websocket-path'
  return statusCode === 401 || statusCode === 403 ? 'websocket-credentials' : 'websocket-refused'
}

/** The URL in whose place the handshake is made; its `host` leaves the usual port out. */
function addressOf({ hostname, port, websocketPath }: ClientSettings, isSecure: boolean): URL {
  const path = websocketPath ?? USUAL_PATH
  const host = hostname.replace(/%.*$/, '')
  try {
    const root = `ws${isSecure ? 's' : ''}://${isIP(host) === 6 ? `[${host}]` : host}:${port}`
    // Behind the root, not relative to it: two slashes at the beginning are a part of the path.
    return new URL(`${root}${path.startsWith('/') ? '' : '/'}${path}`)
  } catch {
    const text = 'hostname or websocketPath cannot be part of a URL'
    throw new Failure({ kind: 'websocket', text, code: 'ERR_MQTT_TRANSPORT', retry: 'never' }).error()
  }
}

/**
 * Adds to the headers of the handshake, or has the user's function replace them.
 * @throws {MqttError} the function failed, or gave no headers
 */
async function applyHeaders(request: ClientRequest, settings: ClientSettings, where: string): Promise<void> {
  const { hostname: host, port, websocketHeaders } = settings
  if (websocketHeaders === null) return
  if (typeof websocketHeaders !== 'function') {
    setHeaders(request, websocketHeaders)
    return
  }
  const usual = Object.fromEntries(
    request.getRawHeaderNames().map((name) => [name, String(request.getHeader(name))]),
  )
  const attempt = settings.attempt ?? { host, port, number: 1, error: null }
  const given = withMembers({ ...usual }, attempt)
  const result = await ask('websocketHeaders', () => websocketHeaders(given, attempt), where)
  try {
    const headers = checkHeaders(result)
    if (headers === null || typeof headers === 'function') {
      throw typeError('websocketHeaders must give an object of headers')
    }
    const isWhole = Object.keys(headers).some((name) => name.toLowerCase() === 'sec-websocket-key')
    if (isWhole) for (const name of Object.keys(usual)) request.removeHeader(name)
    setHeaders(request, headers)
  } catch (error) {
    throw thrownFailure(error, where, 'later').error()
  }
}

function setHeaders(request: ClientRequest, headers: Readonly<Record<string, string>>): void {
  for (const [name, value] of Object.entries(headers)) request.setHeader(name, value)
}

/** The headers with the members of the attempt, which a copy of the headers does not have. */
function withMembers(
  headers: Record<string, string>,
  attempt: ConnectionAttempt,
): typeof headers & { host: string } {
  const members = Object.entries(attempt).map(([name, value]) => [name, { value }])
  return Object.defineProperties(headers, Object.fromEntries(members)) as typeof headers & { host: string }
}
