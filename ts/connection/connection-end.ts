import {
  CAUSE_ABORTED,
  CAUSE_KEEPALIVE,
  CAUSE_LOCAL,
  CAUSE_REFUSED,
  CAUSE_SERVER_DISCONNECT,
  CAUSE_TLS,
  CAUSE_TRANSPORT,
  TRANSPORT_CONNECT,
  TRANSPORT_HANDSHAKE,
  TRANSPORT_READ,
  TRANSPORT_WRITE,
} from '../engine/binding.js'
import { MqttCodeError, MqttConnectError, MqttError } from '../mqtt/errors.js'
import { PacketTypes } from '../mqtt/packet-types.js'
import { Properties } from '../mqtt/properties.js'
import { connackReasonCode, type ReasonCode, receivedReasonCode } from '../mqtt/reason-code.js'
import { errnoText, systemError } from '../support/errno.js'
import type { Link } from '../transports/link.js'
import {
  handshakeError,
  nativeTlsFault,
  nodeTlsFault,
  type TlsFault,
  tlsCause,
  tlsError,
} from '../transports/tls-errors.js'
import { failureText } from '../transports/transport-error.js'

/** Paho's code for a connection that went without a better reason. */
const CONNECTION_LOST = 7
const PROTOCOL_ERROR = 130
const KEEP_ALIVE_TIMEOUT = 141

/** The words of a CLOSED event. */
export interface Closed {
  /** Whether OPENED had happened. */
  readonly opened: boolean
  readonly cause: number
  readonly code: number
  readonly errno: number
  readonly bytes: Buffer
}

/** Why a connection is over. */
export interface ConnectionEnd {
  /** It ended as it should: by `disconnect()`, or by a DISCONNECT of the broker's that has no reason. */
  readonly isClean: boolean
  /** Makes the error for a call that was pending: each gets one of its own, with its own stack. */
  readonly error: () => MqttError
  /** The broker's reason code, where it gave one. */
  readonly rc?: number
  /** Where the broker wants the client to go (MQTT 5, 4.11), where it said so. */
  readonly serverReference?: string | undefined
}

/** What is behind the end of an iteration: null for a clean end. */
export function endCause(end: ConnectionEnd): MqttError | null {
  return end.isClean ? null : withoutStack(end.error())
}

/** @param isV5 whether the connection spoke MQTT 5 */
export function connectionEnd(closed: Closed, link: Link, isV5: boolean): ConnectionEnd {
  const { cause, code, bytes } = closed
  switch (cause) {
    case CAUSE_LOCAL:
    case CAUSE_ABORTED:
      return cleanEnd()
    case CAUSE_TRANSPORT:
      return transportEnd(closed, link)
    case CAUSE_TLS:
      return tlsEnd(closed.opened, nativeTlsFault(code, bytes.toString()), link.where)
    case CAUSE_REFUSED: {
      const rc = connackReasonCode(isV5, code)
      if (rc === undefined)
        return endWith(PROTOCOL_ERROR, fact(`CONNACK has the unknown reason code ${code}`))
      const said = isV5 ? Properties.decode(PacketTypes.CONNACK, bytes) : null
      const cause = explanation(said)
      return {
        isClean: false,
        error: () => new MqttConnectError(rc, { cause }),
        rc: code,
        serverReference: said?.serverReference,
      }
    }
    case CAUSE_SERVER_DISCONNECT: {
      if (code === 0) return cleanEnd()
      const said = Properties.decode(PacketTypes.DISCONNECT, bytes)
      return { ...endWith(code, explanation(said)), rc: code, serverReference: said.serverReference }
    }
    case CAUSE_KEEPALIVE:
      return endWith(KEEP_ALIVE_TIMEOUT, undefined)
    default:
      return endWith(code, fact(bytes.toString()))
  }
}

/** We could not answer the broker's challenge. */
export function authenticationFailure(cause: unknown): ConnectionEnd {
  const text = 'The challenge of the broker was not answered'
  return { isClean: false, error: () => new MqttError(text, { code: 'ERR_MQTT_AUTHENTICATION', cause }) }
}

/** The end that `disconnect()` makes. */
export function cleanEnd(): ConnectionEnd {
  return { isClean: true, error: () => new MqttCodeError(CONNECTION_LOST) }
}

function transportEnd({ opened, code, errno, bytes }: Closed, link: Link): ConnectionEnd {
  const where = bytes.toString() || link.where
  const { failure } = link
  if (failure !== null) {
    // What the native side saw was only the end of our own part of the way.
    const fault = nodeTlsFault(failure)
    if (fault !== null) return tlsEnd(opened, fault, where)
    return opened ? lost(failure) : failed(`${failureText(failure)} (${where})`, failure)
  }
  // What a server does that takes CONNECT for nonsense.
  const isPuzzled = !opened && code === TRANSPORT_READ && !link.isSecure
  const advice = isPuzzled ? '. Is that its port for TLS? Then give tlsParams.' : ''
  if (errno === 0) {
    const when = opened ? '' : ' before CONNACK'
    return lost(
      Object.assign(fact(`The broker closed the connection${when} (${where})${advice}`), { code: 'EOF' }),
    )
  }
  const syscall = code === TRANSPORT_CONNECT ? 'connect' : code === TRANSPORT_WRITE ? 'write' : 'read'
  const cause = withoutStack(systemError(errno, syscall, where))
  if (code === TRANSPORT_HANDSHAKE) {
    return { isClean: false, error: () => handshakeError(errnoText(errno), where, cause) }
  }
  return opened ? lost(cause) : failed(`${errnoText(errno)} (${where})${advice}`, cause)
}

function tlsEnd(opened: boolean, fault: TlsFault, where: string): ConnectionEnd {
  if (opened) return lost(tlsCause(fault, where))
  return { isClean: false, error: () => tlsError(fault, where) }
}

/** It was there, and is no more. */
function lost(cause: Error): ConnectionEnd {
  return { isClean: false, error: () => new MqttCodeError(CONNECTION_LOST, '', { cause }) }
}

/** It was never there. */
function failed(text: string, cause: Error): ConnectionEnd {
  return { isClean: false, error: () => new MqttError(text, { code: 'ERR_MQTT_TRANSPORT', cause }) }
}

/** @param code a reason code of DISCONNECT, whoever sent it, or would have */
function endWith(code: number, cause: Error | undefined): ConnectionEnd {
  const rc: ReasonCode | number = receivedReasonCode(PacketTypes.DISCONNECT, code) ?? code
  return { isClean: false, error: () => new MqttCodeError(rc, '', { cause }) }
}

/** What the broker said beside its code, in its Reason String and its Server Reference. */
function explanation(said: Properties | null): Error | undefined {
  const { reasonString, serverReference } = said ?? {}
  const parts: string[] = []
  if (reasonString !== undefined) parts.push(reasonString)
  if (serverReference !== undefined) parts.push(`Server reference: ${serverReference}`)
  return parts.length === 0 ? undefined : fact(parts.join('. '))
}

/** What happened, as the cause of an error. */
function fact(message: string): Error {
  return withoutStack(new Error(message))
}

/** It happened on the native side: no line of JavaScript has to do with it. */
export function withoutStack<E extends Error>(error: E): E {
  error.stack = `${error.name}: ${error.message}`
  return error
}
