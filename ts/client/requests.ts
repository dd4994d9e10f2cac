import { randomBytes } from 'node:crypto'
import { timedOut } from '../calls/operation.js'
import { PendingCall } from '../calls/pending-call.js'
import { checkPublish, type PublishCall, type PublishOptions } from '../calls/publish-arguments.js'
import type { FiltersCall } from '../calls/subscribe-arguments.js'
import type { Message } from '../engine/message.js'
import { runtime } from '../engine/runtime.js'
import { CONNECTION_LOST } from '../failures/failure.js'
import type { Inbox } from '../messages/inbox.js'
import type { Recipient } from '../messages/views.js'
import { MqttCodeError, type MqttError } from '../mqtt/errors.js'
import { PacketTypes } from '../mqtt/packet-types.js'
import type { PayloadType } from '../mqtt/payload.js'
import { Properties } from '../mqtt/properties.js'
import { ProtocolVersion } from '../mqtt/protocol-version.js'
import { ReasonCode } from '../mqtt/reason-code.js'
import { isTopicName, type TopicLike } from '../mqtt/topic.js'
import { type Callable, CallSite } from '../support/call-site.js'
import { rangeError } from '../support/validate.js'

/** What response topics begin with if the broker's Response Information does not say it (MQTT 5, 3.2.2.3.15). */
const USUAL_PREFIX = 'aiomqtt/response'

/**
 * The QoS of the subscription to the answers. Not 2: an answer that comes twice is dropped the second time, as nobody
 * waits for it any longer.
 */
const ANSWER_QOS = 1

/** Random bytes: nobody who has seen one can guess another, which another responder is asked with. */
const CORRELATION_LENGTH = 16

/** What requests are made of. Both throw, and their promises reject, as the client's methods of the same names do. */
interface RequestCalls {
  publish(call: PublishCall, timeout: number, entry: Callable): Promise<void>
  subscribe(call: FiltersCall, timeout: number, entry: Callable): Promise<ReasonCode[]>
  /** CONNACK's Response Information, if there was any. */
  readonly responseInformation: string | undefined
}

/**
 * Checks the arguments of `request()`.
 * @throws as `checkPublish()`; RangeError when the protocol has no requests, or the caller has set what is set here
 */
export function checkRequest(
  protocol: ProtocolVersion,
  topic: TopicLike,
  payload: PayloadType,
  options: PublishOptions | undefined,
): PublishCall {
  if (protocol !== ProtocolVersion.V5) throw rangeError('Requests only apply to MQTT V5')
  const call = checkPublish(protocol, topic, payload, options, 'Client.request()')
  for (const name of ['responseTopic', 'correlationData'] as const) {
    if (call.properties?.[name] !== undefined) throw rangeError(`request() sets the property ${name} itself`)
  }
  return call
}

/**
 * A client's requests (MQTT 5, 4.10). All answers come to one topic that nobody else knows, to which the client
 * subscribes with its first request, and again on each connection whose broker does not know it; their correlation data
 * is random, so that none who has answered one request can answer another.
 */
export class Requests implements Recipient {
  readonly takesAlone = true
  private readonly pending = new Map<string, PendingCall<Message>>()
  private topic = ''
  /** The Response Information for which the topic was chosen. */
  private information: string | undefined
  /** Resolves when the broker has accepted the subscription; null while there is none. */
  private subscription: Promise<void> | null = null
  private isSubscribed = false

  constructor(
    private readonly calls: RequestCalls,
    private readonly inbox: Inbox,
  ) {}

  /**
   * @param timeout seconds from here to the answer
   * @param usual seconds that the subscription may take
   * @param entry the public method that is running
   * @throws {MqttError} as `publish()`
   */
  send(call: PublishCall, timeout: number, usual: number, entry: Callable): Promise<Message> {
    if (timeout <= 0) throw timedOut()
    if (this.information !== this.calls.responseInformation) this.forgetTopic()
    this.subscription ??= this.subscribe(usual, entry)
    const correlation = randomBytes(CORRELATION_LENGTH)
    const key = keyOf(correlation)
    const addressed = this.address(call, correlation)
    const publishing = this.isSubscribed ? this.calls.publish(addressed, timeout, entry) : null
    const giveUp = (reason: unknown) => {
      this.pending.delete(key)
      answer.reject(reason)
    }
    const answer = new PendingCall<Message>(runtime(), timeout, call.signal, new CallSite(entry), giveUp)
    this.pending.set(key, answer)
    const sent = publishing ?? this.publishLater(key, withOwnPayload(addressed), timeout, entry)
    sent.catch((error: unknown) => this.fail(key, error))
    return answer.promise
  }

  /** An answer has come. */
  push(message: Message): void {
    void message.ack()
    const data = message.properties?.correlationData
    if (data?.length !== CORRELATION_LENGTH) return
    const key = keyOf(data)
    const answer = this.pending.get(key)
    if (answer === undefined) return
    this.pending.delete(key)
    answer.resolve(message)
  }

  /**
   * There is a connection.
   * @param hasSession whether its broker still knows the subscription
   * @param usual seconds that the subscription may take
   */
  connected(hasSession: boolean, usual: number, entry: Callable): void {
    if (hasSession || this.subscription === null) return
    if (this.information !== this.calls.responseInformation) this.forgetTopic()
    else this.forgetSubscription()
    if (this.pending.size === 0) return
    // Answers may be on their way: they must find somebody.
    this.subscription = this.subscribe(usual, entry)
    const pending = [...this.pending.keys()]
    this.subscription.catch((error: unknown) => {
      for (const key of pending) this.fail(key, error)
    })
  }

  end(cause: MqttError | null): void {
    this.forgetSubscription()
    const pending = [...this.pending.values()]
    this.pending.clear()
    for (const answer of pending) answer.fail(lost(cause))
  }

  private subscribe(timeout: number, entry: Callable): Promise<void> {
    if (this.topic === '') this.chooseTopic()
    const call = {
      filters: [{ filter: this.topic, options: ANSWER_QOS }],
      properties: undefined,
      encodedProperties: null,
      timeout: undefined,
      signal: undefined,
      isOwn: true,
    }
    const subscribing = this.calls.subscribe(call, timeout, entry)
    const subscription = subscribing.then(
      () => {
        this.isSubscribed = this.subscription === subscription
      },
      (error: unknown) => {
        throw isRefusal(error) ? refused(error) : error
      },
    )
    subscription.catch(() => {
      if (this.subscription === subscription) this.subscription = null
    })
    return subscription
  }

  private chooseTopic(): void {
    const information = this.calls.responseInformation
    const prefix = information !== undefined && isTopicName(information) ? information : USUAL_PREFIX
    this.topic = `${prefix}${prefix.endsWith('/') ? '' : '/'}${randomBytes(16).toString('base64url')}`
    this.information = information
    this.inbox.divert(this.topic, this)
  }

  /** The broker, which may be another one than before, wants another topic. */
  private forgetTopic(): void {
    this.inbox.restore(this)
    this.topic = ''
    this.forgetSubscription()
  }

  private forgetSubscription(): void {
    this.subscription = null
    this.isSubscribed = false
  }

  /** The call with what brings its answer here. */
  private address(call: PublishCall, correlationData: Buffer): PublishCall {
    const properties = Properties.from(PacketTypes.PUBLISH, call.properties ?? {})
    properties.responseTopic = this.topic
    properties.correlationData = correlationData
    return { ...call, properties, encodedProperties: properties.encode() }
  }

  private async publishLater(
    key: string,
    call: PublishCall,
    timeout: number,
    entry: Callable,
  ): Promise<void> {
    await this.subscription
    const answer = this.pending.get(key)
    if (answer === undefined) return
    await this.calls.publish(call, Math.min(timeout, answer.secondsLeft), entry)
  }

  private fail(key: string, error: unknown): void {
    const answer = this.pending.get(key)
    if (answer === undefined) return
    this.pending.delete(key)
    if (error instanceof Error) answer.fail(error)
    else answer.reject(error)
  }
}

function keyOf(correlation: Buffer): string {
  return correlation.toString('latin1')
}

/** The caller's bytes may change as soon as the call has returned. */
function withOwnPayload(call: PublishCall): PublishCall {
  const { payload } = call
  return typeof payload === 'string' ? call : { ...call, payload: Buffer.from(payload) }
}

/** Whether the broker has refused a subscription. */
function isRefusal(error: unknown): error is MqttCodeError {
  return (
    error instanceof MqttCodeError &&
    error.rc instanceof ReasonCode &&
    error.rc.packetType === PacketTypes.SUBACK
  )
}

/** The same, with what was refused. */
function refused({ rc, properties, cause }: MqttCodeError): MqttCodeError {
  const said = cause instanceof Error ? `: ${cause.message}` : ''
  const what = new Error(`The broker refused the subscription to the answers${said}`)
  return new MqttCodeError(rc, '', { properties, cause: what })
}

/** The reason for which calls are rejected that were pending when the connection went. */
function lost(cause: MqttError | null): MqttCodeError {
  if (cause instanceof MqttCodeError)
    return new MqttCodeError(cause.rc, '', { cause: cause.cause, properties: cause.properties })
  return new MqttCodeError(CONNECTION_LOST, '', { cause })
}
