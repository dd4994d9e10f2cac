import { MqttCodeError, MqttConnectError, MqttError, type MqttErrorCode } from '../mqtt/errors.js'
import type { Properties } from '../mqtt/properties.js'
import type { ReasonCode } from '../mqtt/reason-code.js'
import { printable } from '../support/printable.js'
import { type Advice, LIBRARY_ADVICE } from './advice.js'
import type { Retry } from './finality.js'

/** Where a connection, or the attempt to make one, has failed. */
type FailureKind =
  /** An option is wrong, or what a function among the options gave. */
  | 'argument'
  /** A function among the options has thrown. */
  | 'option'
  /** Something that this installation lacks. */
  | 'unsupported'
  /** A name has no address. */
  | 'name'
  /** The operating system, a stream, or the peer's end of it. */
  | 'network'
  | 'proxy'
  | 'tls'
  | 'websocket'
  /** The peer ended the connection before CONNACK, and gave no reason. */
  | 'closed'
  /** CONNACK has a failure in it. */
  | 'refused'
  /** The connection was there, and was lost without a reason in MQTT. */
  | 'lost'
  /** DISCONNECT: the broker's, or ours to it. */
  | 'disconnected'
  /** The option `authentication` had no answer. */
  | 'authentication'
  /** No time was left. */
  | 'timeout'

/** What a {@link Failure} is made of. */
interface FailureFields {
  readonly kind: FailureKind
  /** What happened, and where: the message without advice. Not needed with `rc`, which says it. */
  readonly text?: string
  /** @defaultValue that of the error's class */
  readonly code?: MqttErrorCode
  /** The reason code, where the error has one. */
  readonly rc?: number | ReasonCode
  /** @defaultValue `'later'` */
  readonly retry?: Retry
  readonly advice?: Advice | undefined
  /** What the advice is about, where that is not the whole connection: the path of a WebSocket. */
  readonly subject?: string
  readonly cause?: unknown
  /** What an HTTP server answered in place of a WebSocket. */
  readonly statusCode?: number | undefined
  /** What the broker said beside its code. */
  readonly properties?: Properties | null | undefined
}

/** The failure that an error tells of. */
const origins = new WeakMap<object, Failure>()

/**
 * Why a connection was not made, or is over: one description for all ways to a broker. It is made where the fault is
 * seen, and read by its fields: by reconnection (`retry`), by the command line (`kind`, `advice`), and by those who
 * need an error, of which everybody gets one of their own, because each has its own stack.
 */
export class Failure {
  readonly kind: FailureKind
  readonly text: string
  readonly code: MqttErrorCode
  readonly rc: number | ReasonCode | null
  readonly retry: Retry
  readonly advice: Advice | null
  readonly subject: string
  readonly cause: unknown
  readonly statusCode: number | undefined
  /** What the broker said beside its code. */
  readonly properties: Properties | null

  constructor(fields: FailureFields) {
    const { kind, text, code, rc, retry, advice, subject, cause, statusCode, properties } = fields
    this.kind = kind
    this.text = text ?? ''
    this.code = code ?? 'ERR_MQTT_FAILED'
    this.rc = rc ?? null
    this.retry = retry ?? 'later'
    this.advice = advice ?? null
    this.subject = subject ?? ''
    this.cause = printableError(cause)
    this.statusCode = statusCode
    this.properties = properties ?? null
  }

  /** What an error tells of; undefined for an error that {@link error} has not made. */
  static of(error: unknown): Failure | undefined {
    return typeof error === 'object' && error !== null ? origins.get(error) : undefined
  }

  /** What happened, and what to do, in the library's words. */
  get message(): string {
    const advice = this.advice === null ? undefined : LIBRARY_ADVICE[this.advice]
    return advice === undefined ? this.text : `${this.text}. ${advice}`
  }

  /** The `code` of the lower error, such as `ECONNREFUSED`; empty where there is none. */
  get causeCode(): string {
    const { code } = (this.cause ?? {}) as { code?: unknown }
    return typeof code === 'string' ? code : ''
  }

  /** An error of its own for each that is told. */
  error(): MqttError {
    const error = this.make()
    origins.set(error, this)
    return error
  }

  /** An error for those who have made no call: there is no line of theirs to show. */
  report(): MqttError {
    return withoutStack(this.error())
  }

  /** What a call rejects with: a wrong argument stays what it is. */
  rejection(): unknown {
    return this.kind === 'argument' ? this.cause : this.error()
  }

  /** The same, of a connection that had been accepted: what calls were told is that it was lost. */
  afterConnack(): Failure {
    return connectionLost(this.cause, this.retry)
  }

  private make(): MqttError {
    const { kind, rc, code, cause, statusCode, properties } = this
    if (rc === null) return new MqttError(this.message, { code, cause, statusCode })
    const options = { cause, properties }
    return kind === 'refused' ? new MqttConnectError(rc, options) : new MqttCodeError(rc, '', options)
  }
}

/** Paho's code for a connection that went without a better reason. */
export const CONNECTION_LOST = 7

/** @param cause what is known about it */
export function connectionLost(cause?: unknown, retry: Retry = 'later'): Failure {
  return new Failure({ kind: 'lost', rc: CONNECTION_LOST, cause, retry })
}

/** A lower error as it is, or another one with its code, if there are control characters in its message. */
function printableError(cause: unknown): unknown {
  if (!(cause instanceof Error) || cause.message === printable(cause.message)) return cause
  const { code } = cause as { code?: unknown }
  return Object.assign(fact(cause.message), code === undefined ? {} : { code })
}

/** What happened, as the cause of an error. */
export function fact(message: string): Error {
  return withoutStack(new Error(printable(message)))
}

/** For what happened on the native side, or to nobody in particular: no line of JavaScript has to do with it. */
export function withoutStack<E extends Error>(error: E): E {
  error.stack = `${error.name}: ${error.message}`
  return error
}
