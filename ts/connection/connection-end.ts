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
import type { Advice } from '../failures/advice.js'
import { disconnection, farewell, refusal } from '../failures/broker-failure.js'
import { CONNECTION_LOST, connectionLost, Failure, fact, withoutStack } from '../failures/failure.js'
import { networkFailure, systemFailure } from '../failures/system-failure.js'
import { handshakeFailure, nativeTlsFailure, nodeTlsFailure } from '../failures/tls-failure.js'
import type { MqttError } from '../mqtt/errors.js'
import { PacketTypes } from '../mqtt/packet-types.js'
import { Properties } from '../mqtt/properties.js'
import { connackReasonCode } from '../mqtt/reason-code.js'
import { errnoText, systemError } from '../support/errno.js'
import type { Link } from '../transports/link.js'

const PROTOCOL_ERROR = 130
const KEEP_ALIVE_TIMEOUT = 141

/** The words of a CLOSED event, and what we know of the connection. */
export interface Closed {
  /** Whether OPENED had happened. */
  readonly opened: boolean
  /** Whether the server could be one that waits for TLS. */
  readonly mayBeTls: boolean
  readonly cause: number
  readonly code: number
  readonly errno: number
  readonly bytes: Buffer
}

/** Why a connection is over. */
export class ConnectionEnd {
  /**
   * @param isClean it ended as it should: by `disconnect()`, or by a DISCONNECT of the broker's that has no reason
   */
  constructor(
    readonly isClean: boolean,
    readonly failure: Failure,
  ) {}

  /** Makes the error for a call that was pending: each gets one of its own, with its own stack. */
  readonly error = (): MqttError => this.failure.error()
}

/** What is behind the end of an iteration: null for a clean end. */
export function endCause({ isClean, failure }: ConnectionEnd): MqttError | null {
  return isClean ? null : failure.report()
}

/** @param isV5 whether the connection spoke MQTT 5 */
export function connectionEnd(closed: Closed, link: Link, isV5: boolean): ConnectionEnd {
  const { cause, code } = closed
  if (cause === CAUSE_LOCAL || cause === CAUSE_ABORTED) return cleanEnd()
  if (cause === CAUSE_SERVER_DISCONNECT && code === 0) return cleanEnd()
  return new ConnectionEnd(false, failureOf(closed, link, isV5))
}

/**
 * We could not answer the broker's challenge.
 * @param where what errors call the broker
 */
export function authenticationFailure(cause: unknown, where: string): ConnectionEnd {
  const text = `The challenge of the broker was not answered (${where})`
  const failure = new Failure({ kind: 'authentication', text, code: 'ERR_MQTT_AUTHENTICATION', cause })
  return new ConnectionEnd(false, failure)
}

/** The end that `disconnect()` makes. */
export function cleanEnd(): ConnectionEnd {
  return new ConnectionEnd(true, connectionLost())
}

function failureOf(closed: Closed, link: Link, isV5: boolean): Failure {
  const { opened, cause, code, bytes } = closed
  const { where } = link
  switch (cause) {
    case CAUSE_TRANSPORT:
      return transportFailure(closed, link)
    case CAUSE_TLS: {
      const failure = nativeTlsFailure(code, bytes.toString(), where, link.tlsRetry)
      return opened ? failure.afterConnack() : failure
    }
    case CAUSE_REFUSED:
      return refused(isV5, code, bytes, where)
    case CAUSE_SERVER_DISCONNECT:
      return farewell(code, Properties.decode(PacketTypes.DISCONNECT, Buffer.from(bytes)), where)
    case CAUSE_KEEPALIVE:
      return disconnection(KEEP_ALIVE_TIMEOUT, fact(`The broker did not answer PINGREQ in time (${where})`))
    default:
      return disconnection(code, fact(`${bytes.toString()} (${where})`))
  }
}

function transportFailure({ opened, mayBeTls, code, errno, bytes }: Closed, link: Link): Failure {
  const where = bytes.toString() || link.where
  const { failure } = link
  if (failure !== null) {
    // What the native side saw was only the end of our own part of the way.
    const known = nodeTlsFailure(failure, where) ?? networkFailure(failure, where)
    return opened ? known.afterConnack() : known
  }
  // What a server does that takes CONNECT for nonsense.
  const isPuzzled = !opened && code === TRANSPORT_READ && mayBeTls
  const advice = isPuzzled ? 'broker-with-tls' : undefined
  if (errno === 0) return endOfStream(opened, where, advice)
  const syscall = code === TRANSPORT_CONNECT ? 'connect' : code === TRANSPORT_WRITE ? 'write' : 'read'
  const cause = withoutStack(systemError(errno, syscall, where))
  const known =
    code === TRANSPORT_HANDSHAKE
      ? handshakeFailure(errnoText(errno), where, cause)
      : systemFailure(cause, where, advice)
  return opened ? known.afterConnack() : known
}

/** The broker has closed the connection. */
function endOfStream(opened: boolean, where: string, advice: Advice | undefined): Failure {
  const when = opened ? '' : ' before CONNACK'
  const text = `The broker closed the connection${when} (${where})`
  const told = new Failure({ kind: 'closed', text, advice })
  const cause = Object.assign(fact(told.message), { code: 'EOF' })
  if (opened) return connectionLost(cause)
  return new Failure({ kind: 'closed', rc: CONNECTION_LOST, text, advice, cause })
}

/** @param code CONNACK's, as it stands there */
function refused(isV5: boolean, code: number, bytes: Uint8Array, where: string): Failure {
  const rc = connackReasonCode(isV5, code)
  if (rc === undefined) {
    return disconnection(PROTOCOL_ERROR, fact(`CONNACK has the unknown reason code ${code} (${where})`))
  }
  return refusal(rc, isV5 ? Properties.decode(PacketTypes.CONNACK, Buffer.from(bytes)) : null, where)
}
