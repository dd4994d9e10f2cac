import { randomBytes } from 'node:crypto'
import { timedOut } from '../calls/operation.js'
import { PendingCall } from '../calls/pending-call.js'
import { checkPublish, type PublishCall, type PublishOptions } from '../calls/publish-arguments.js'
import type { FiltersCall } from '../calls/subscribe-arguments.js'
import type { Message } from '../engine/message.js'
import { runtime } from '../engine/runtime.js'
import type { Inbox } from '../messages/inbox.js'
import type { Recipient } from '../messages/views.js'
import { MqttCodeError, type MqttError } from '../mqtt/errors.js'
import { PacketTypes } from '../mqtt/packet-types.js'
import type { PayloadType } from '../mqtt/payload.js'
import { Properties } from '../mqtt/properties.js'
import { ProtocolVersion } from '../mqtt/protocol-version.js'
import type { ReasonCode } from '../mqtt/reason-code.js'
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

/** Paho's code for a connection that went without a better reason. */
const CONNECTION_LOST = 7

const CORRELATION_LENGTH = 4

/** What requests are made of. Both throw, and their promises reject, as the client's methods of the same names do. */
export interface RequestCalls {
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
 * subscribes with its first request; their correlation data is the number of the request.
 */
export class Requests implements Recipient {
  readonly takesAlone = true
  private readonly pending = new Map<number, PendingCall<Message>>()
  private lastNumber = 0
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
    const number = this.nextNumber()
    const addressed = this.address(call, number)
    const publishing = this.isSubscribed ? this.calls.publish(addressed, timeout, entry) : null
    const giveUp = (reason: unknown) => {
      this.pending.delete(number)
      answer.reject(reason)
    }
    const answer = new PendingCall<Message>(runtime(), timeout, call.signal, new CallSite(entry), giveUp)
    this.pending.set(number, answer)
    const sent = publishing ?? this.publishLater(number, withOwnPayload(addressed), timeout, entry)
    sent.catch((error: unknown) => this.fail(number, error))
    return answer.promise
  }

  /** An answer has come. */
  push(message: Message): void {
    void message.ack()
    const number = numberOf(message)
    const answer = this.pending.get(number)
    if (answer === undefined) return
    this.pending.delete(number)
    answer.resolve(message)
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
    }
    const subscribing = this.calls.subscribe(call, timeout, entry)
    const subscription = subscribing.then(([code]) => {
      if (code?.isFailure) throw new MqttCodeError(code)
      this.isSubscribed = this.subscription === subscription
    })
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

  private nextNumber(): number {
    do this.lastNumber = (this.lastNumber + 1) >>> 0
    while (this.pending.has(this.lastNumber))
    return this.lastNumber
  }

  /** The call with what brings its answer here. */
  private address(call: PublishCall, number: number): PublishCall {
    const properties = Properties.from(PacketTypes.PUBLISH, call.properties ?? {})
    const correlationData = Buffer.alloc(CORRELATION_LENGTH)
    correlationData.writeUInt32BE(number)
    properties.responseTopic = this.topic
    properties.correlationData = correlationData
    return { ...call, properties, encodedProperties: properties.encode() }
  }

  private async publishLater(
    number: number,
    call: PublishCall,
    timeout: number,
    entry: Callable,
  ): Promise<void> {
    await this.subscription
    const answer = this.pending.get(number)
    if (answer === undefined) return
    await this.calls.publish(call, Math.min(timeout, answer.secondsLeft), entry)
  }

  private fail(number: number, error: unknown): void {
    const answer = this.pending.get(number)
    if (answer === undefined) return
    this.pending.delete(number)
    if (error instanceof Error) answer.fail(error)
    else answer.reject(error)
  }
}

/** The number of the request that a message answers; 0 if it answers none. */
function numberOf(message: Message): number {
  const data = message.properties?.correlationData
  return data?.length === CORRELATION_LENGTH ? data.readUInt32BE() : 0
}

/** The caller's bytes may change as soon as the call has returned. */
function withOwnPayload(call: PublishCall): PublishCall {
  const { payload } = call
  return typeof payload === 'string' ? call : { ...call, payload: Buffer.from(payload) }
}

/** The reason for which calls are rejected that were pending when the connection went. */
function lost(cause: MqttError | null): MqttCodeError {
  if (cause instanceof MqttCodeError) return new MqttCodeError(cause.rc, '', { cause: cause.cause })
  return new MqttCodeError(CONNECTION_LOST, '', { cause })
}
