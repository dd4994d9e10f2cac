import type { Filter } from '../engine/command-batch.js'
import { checkQoS, checkRemainingLength } from '../mqtt/fields.js'
import { PacketTypes } from '../mqtt/packet-types.js'
import { ProtocolVersion } from '../mqtt/protocol-version.js'
import { type SubscribeOptionsLike, subscribeOptionsByte } from '../mqtt/subscribe-options.js'
import { isFilter, sharedFilter, Wildcard, type WildcardLike } from '../mqtt/topic.js'
import { checkKeys, rangeError, typeError } from '../support/validate.js'
import {
  CALL_OPTIONS,
  type Call,
  type CallOptions,
  checkCall,
  type SubscribeCallOptions,
} from './publish-arguments.js'

/** A topic filter, or one with its QoS or (MQTT 5) its options. */
export type Subscription = WildcardLike | readonly [filter: WildcardLike, qos: number | SubscribeOptionsLike]

/** What `Client.subscribe()` takes: one subscription or several. Filters alone get the call's `qos` or `options`. */
export type SubscribeTopic = Subscription | readonly Subscription[]

/** A subscribe or unsubscribe call, checked. */
export interface FiltersCall extends Call {
  readonly filters: readonly Filter[]
  /**
   * The client's own, with one filter: it sees to it that a broker without the session gets it again, and a refusal is a
   * failure.
   * @defaultValue false
   */
  readonly isOwn?: boolean
}

const SUBSCRIBE_OPTIONS = new Set(['qos', 'options', ...CALL_OPTIONS])

/** A packet has room for as many filters of any length. */
const FEW_FILTERS = 4000

const NO_TOPIC = 'No topic specified, or incorrect topic type.'

/** No Local, among the options of a subscription (MQTT 5, 3.8.3.1). */
const NO_LOCAL = 0b100

/**
 * Checks the arguments of `subscribe()` in Python's order: the form of the topics, QoS and options, then the
 * filters themselves; then the rest.
 * @throws TypeError for an unknown key or a wrong type, RangeError for a wrong value, with Python's texts
 */
export function checkSubscribe(
  protocol: ProtocolVersion,
  topic: SubscribeTopic,
  options: SubscribeCallOptions | null | undefined,
): FiltersCall {
  const given = options ?? {}
  checkKeys('Client.subscribe()', given, SUBSCRIBE_OPTIONS)
  const subscriptions = listSubscriptions(topic)
  const usual = usualOptions(protocol, given)
  const filters = subscriptions.map((subscription) => {
    if (!Array.isArray(subscription)) return toFilter(protocol, subscription as WildcardLike, usual)
    const [filter, own] = checkPair(subscription)
    if (subscription === topic && typeof own === 'object' && (given.qos ?? 0) !== 0) {
      throw rangeError('Subscribe options and qos parameters cannot be combined.')
    }
    return toFilter(protocol, filter, typeof own === 'number' ? checkQoS(own) : ownOptions(protocol, own))
  })
  for (const filter of filters) checkFilter(protocol, filter)
  return checkFiltersLength({ filters, ...checkCall(protocol, PacketTypes.SUBSCRIBE, given) }, 1)
}

/**
 * Checks the arguments of `unsubscribe()`. Unlike Python's it checks the filters too: a broker ends the
 * connection when it gets a malformed one.
 * @throws TypeError for an unknown key or a wrong type, RangeError for a wrong value, with Python's texts
 */
export function checkUnsubscribe(
  protocol: ProtocolVersion,
  topic: WildcardLike | readonly WildcardLike[],
  options: CallOptions | null | undefined,
): FiltersCall {
  const given = options ?? {}
  checkKeys('Client.unsubscribe()', given, CALL_OPTIONS)
  if (topic === null || topic === undefined) throw typeError('Invalid topic.')
  const topics = isList(topic) ? topic : [topic]
  if (topics.length === 0) throw rangeError('Empty topic list')
  const filters = topics.map((each) => {
    const filter = filterText(each)
    if (filter === '') throw rangeError('Invalid topic.')
    return { filter, options: 0 }
  })
  for (const filter of filters) checkFilter(protocol, filter)
  return checkFiltersLength({ filters, ...checkCall(protocol, PacketTypes.UNSUBSCRIBE, given) }, 0)
}

/**
 * The bytes of SUBSCRIBE or UNSUBSCRIBE after its fixed header.
 * @param optionsLength bytes of options that each filter has: 1 in SUBSCRIBE, 0 in UNSUBSCRIBE
 */
export function filtersLength({ filters, encodedProperties }: FiltersCall, optionsLength: 0 | 1): number {
  // The length of no properties is a byte, too.
  let length = 2 + (encodedProperties?.length ?? 1)
  for (const { filter } of filters) length += 2 + Buffer.byteLength(filter) + optionsLength
  return length
}

function checkFiltersLength(call: FiltersCall, optionsLength: 0 | 1): FiltersCall {
  // So few cannot be too long, whatever they are: there is nothing to count.
  if (call.filters.length > FEW_FILTERS || call.encodedProperties !== null) {
    checkRemainingLength(filtersLength(call, optionsLength))
  }
  return call
}

function isList<T>(value: T | readonly T[]): value is readonly T[] {
  return Array.isArray(value)
}

function listSubscriptions(topic: SubscribeTopic): readonly Subscription[] {
  if (isFilterLike(topic)) return [topic]
  if (!Array.isArray(topic)) throw typeError(NO_TOPIC)
  if (topic.length === 0) throw rangeError('Empty topic list')
  return isPair(topic) ? [topic] : topic
}

/** A filter and something that is no other subscription: `['a', 1]`, but not `['a', 'b']`. */
function isPair(topic: readonly unknown[]): topic is readonly [WildcardLike, number | SubscribeOptionsLike] {
  return topic.length === 2 && isFilterLike(topic[0]) && !isFilterLike(topic[1]) && !Array.isArray(topic[1])
}

function isFilterLike(value: unknown): value is WildcardLike {
  return typeof value === 'string' || value instanceof Wildcard
}

function checkPair(
  pair: readonly unknown[],
): readonly [filter: WildcardLike, qos: number | SubscribeOptionsLike] {
  if (pair.length < 2) throw rangeError(`not enough values to unpack (expected 2, got ${pair.length})`)
  if (pair.length > 2) throw rangeError('too many values to unpack (expected 2)')
  return pair as unknown as readonly [WildcardLike, number | SubscribeOptionsLike]
}

/** The options of filters that have none of their own. */
function usualOptions(protocol: ProtocolVersion, { qos, options }: SubscribeCallOptions): number {
  const level = checkQoS(qos ?? 0)
  if (protocol !== ProtocolVersion.V5 || options === undefined || options === null) return level
  const byte = subscribeOptionsByte(options)
  if (level !== 0) throw rangeError('Subscribe options and qos parameters cannot be combined.')
  return byte
}

function ownOptions(protocol: ProtocolVersion, options: SubscribeOptionsLike): number {
  const byte = subscribeOptionsByte(options)
  if (protocol !== ProtocolVersion.V5) throw rangeError('Subscribe options only apply to MQTT V5')
  return byte
}

function toFilter(protocol: ProtocolVersion, source: WildcardLike, options: number): Filter {
  const filter = filterText(source)
  if (filter === '' && protocol !== ProtocolVersion.V5) throw rangeError('Invalid topic.')
  return { filter, options }
}

function filterText(source: unknown): string {
  if (source instanceof Wildcard) return source.value
  if (typeof source !== 'string') throw typeError(NO_TOPIC)
  return source
}

function checkFilter(protocol: ProtocolVersion, { filter, options }: Filter): void {
  if (!isFilter(filter)) throw rangeError('Invalid subscription filter.')
  const shared = protocol === ProtocolVersion.V5 ? sharedFilter(filter) : null
  if (shared === '') {
    throw rangeError(
      'Invalid subscription filter. A shared subscription is $share/name/filter, its name without wildcards.',
    )
  }
  if (shared !== null && (options & NO_LOCAL) !== 0) {
    throw rangeError('No Local must not be set for a shared subscription.')
  }
}
