import { once } from 'node:events'
import type { ClientRequest, IncomingMessage } from 'node:http'
import { isIP } from 'node:net'
import type { Duplex } from 'node:stream'
import type { ClientOptions as WebSocketOptions } from 'ws'
import type { Advice } from '../failures/advice.js'
import { Failure } from '../failures/failure.js'
import { failureText } from '../failures/system-failure.js'
import type { ClientSettings } from '../options/client-settings.js'
import { own } from './node-socket.js'
import { loadOptional } from './optional-package.js'
import { WebSocketStream } from './web-socket-stream.js'

const USUAL_PATH = '/mqtt'

/** MQTT's largest packet (MQTT 5, 2.1.4): no message of a broker needs more. */
const LARGEST_MESSAGE = 268_435_460

/** How long the broker may take to answer a Close frame, in milliseconds. */
const CLOSING = 1000

/**
 * A byte stream over WebSocket frames (MQTT 5, section 6): binary, subprotocol `mqtt`, whatever the frames' borders.
 * @param stream connected with the broker, through TLS for wss
 * @param where what errors call the broker
 * @throws {MqttError} the handshake failed, or the package ws is not installed (`ERR_MQTT_UNSUPPORTED`)
 * @throws what `websocketHeaders` throws
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
  const options: WebSocketOptions & { closeTimeout: number } = {
    createConnection: () => stream as never,
    closeTimeout: CLOSING,
    finishRequest: (request) => {
      applyHeaders(request, settings)
      request.once('response', (response) => {
        answer.refusal = response
      })
      request.once('upgrade', (response) => {
        answer.upgrade = response
      })
      request.end()
    },
    headers: { Host: address.host },
    maxPayload: LARGEST_MESSAGE,
    origin,
    perMessageDeflate: false,
    skipUTF8Validation: true,
  }
  const socket = new WebSocket(address, 'mqtt', options)
  const packets = new WebSocketStream(socket)
  own(packets, signal)
  try {
    await once(socket, 'open')
    return packets
  } catch (error) {
    throw new Failure({
      kind: 'websocket',
      text: `WebSocket handshake error: ${failureText(error)} (${where})`,
      code: 'ERR_MQTT_TRANSPORT',
      advice: adviceFor(answer),
      subject: settings.websocketPath ?? USUAL_PATH,
      cause: error,
    }).error()
  }
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
    return new URL(path.startsWith('/') ? path : `/${path}`, root)
  } catch {
    const text = 'hostname or websocketPath cannot be part of a URL'
    throw new Failure({ kind: 'websocket', text, code: 'ERR_MQTT_TRANSPORT', retry: 'never' }).error()
  }
}

/** Adds to the headers of the handshake, or has the user's function replace them. */
function applyHeaders(request: ClientRequest, { websocketHeaders }: ClientSettings): void {
  if (websocketHeaders === null) return
  if (typeof websocketHeaders !== 'function') {
    for (const [name, value] of Object.entries(websocketHeaders)) request.setHeader(name, value)
    return
  }
  const usual = Object.fromEntries(
    request.getRawHeaderNames().map((name) => [name, String(request.getHeader(name))]),
  )
  const replaced = websocketHeaders({ ...usual })
  for (const name of Object.keys(usual)) request.removeHeader(name)
  for (const [name, value] of Object.entries(replaced)) request.setHeader(name, value)
}
