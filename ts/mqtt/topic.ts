import { inspect } from 'node:util'
import { describeType, rangeError, typeError } from '../support/validate.js'
import { exceedsField } from './fields.js'

/** A topic, or a string that is one. */
export type TopicLike = string | Topic

/** A wildcard, or a string that is one. */
export type WildcardLike = string | Wildcard

const SLASH = 0x2f
const PLUS = 0x2b
const HASH = 0x23

/** What the filter of a shared subscription begins with. */
const SHARE_PREFIX = '$share/'

/** Says to the constructors below that a value was checked already, or came from where only topics come from. */
const TRUSTED = Symbol('trusted')

/**
 * A topic filter: what a subscription asks for. `+` stands for one level, `#` for all that follow; both
 * take a whole level (MQTT 5, 4.7.1). Frozen.
 */
export class Wildcard {
  /** The filter or the topic as text. */
  readonly value: string

  /**
   * @throws TypeError `Wildcard must be of type str`; RangeError `Invalid wildcard: …` for an empty string,
   *   more than 65535 bytes of UTF-8, a NUL, a lone surrogate, or a `+` or `#` that shares its level
   */
  constructor(value: string)
  constructor(value: string, trust?: typeof TRUSTED) {
    if (trust !== TRUSTED) checkWildcard(value)
    this.value = value
    Object.freeze(this)
  }

  /** `value`. */
  toString(): string {
    return this.value
  }

  /** True for another object of the same class with the same value. */
  equals(other: unknown): boolean {
    return other instanceof Wildcard && other.constructor === this.constructor && other.value === this.value
  }

  /** Python's `repr()`: `Topic(value='a/b')`. @internal */
  [inspect.custom](): string {
    return `${this.constructor.name}(value=${inspect(this.value)})`
  }
}

type TrustingConstructor<T> = new (value: string, trust: typeof TRUSTED) => T

const TrustingWildcard = Wildcard as unknown as TrustingConstructor<Wildcard>

/** A topic name: what a message is published to. Frozen. */
export class Topic extends TrustingWildcard {
  /**
   * @throws TypeError `Topic must be of type str`; RangeError `Invalid topic: …` for an empty string,
   *   more than 65535 bytes of UTF-8, a NUL, a lone surrogate, or a `+` or `#`
   */
  constructor(value: string)
  constructor(value: string, trust?: typeof TRUSTED) {
    if (trust !== TRUSTED) checkTopic(value)
    super(value, TRUSTED)
  }

  /**
   * True when a subscription to `wildcard` gets messages on this topic. The first two levels of
   * `$share/name/filter` do not count. As in Python, `#` and `+` match topics that begin with `$` as well.
   * @throws TypeError or RangeError as the constructor of {@link Wildcard}
   */
  matches(wildcard: WildcardLike): boolean {
    if (wildcard instanceof Wildcard) return matchesFilter(this.value, wildcard.value)
    checkWildcard(wildcard)
    return matchesFilter(this.value, wildcard)
  }
}

const TrustingTopic = Topic as unknown as TrustingConstructor<Topic>

/** The topic of a message that came in: the engine has checked it, so that this costs one allocation. */
export function receivedTopic(value: string): Topic {
  return new TrustingTopic(value, TRUSTED)
}

function checkWildcard(value: unknown): asserts value is string {
  if (typeof value !== 'string') throw typeError('Wildcard must be of type str')
  if (!isFilter(value)) throw rangeError(`Invalid wildcard: ${value}`)
}

function checkTopic(value: unknown): asserts value is string {
  if (typeof value !== 'string') throw typeError('Topic must be of type str')
  if (!isTopicName(value)) throw rangeError(`Invalid topic: ${value}`)
}

/**
 * The topic argument of a publish, or of a will, as text.
 * @param emptyAllowed true where a topic alias says which topic is meant (MQTT 5, 3.3.2.3.4)
 * @throws TypeError for anything but a string or a {@link Topic}; RangeError with Python's text
 */
export function checkPublishTopic(topic: TopicLike, emptyAllowed: boolean): string {
  if (topic instanceof Topic) return topic.value
  if (topic === null || topic === undefined) throw typeError('Invalid topic.')
  if (typeof topic !== 'string') {
    throw typeError(`topic must be a string or a Topic, not ${describeType(topic)}`)
  }
  if (isTopicName(topic) || (topic === '' && emptyAllowed)) return topic
  if (topic === '') throw rangeError('Invalid topic.')
  if (hasWildcard(topic)) throw rangeError('Publish topic cannot contain wildcards.')
  if (exceedsField(topic)) throw rangeError('Publish topic is too long.')
  if (topic.includes('\0')) throw rangeError('Publish topic cannot contain NUL characters.')
  throw rangeError('Publish topic cannot contain lone surrogates.')
}

// Searches by the engine, not loops: a topic that was put together from parts is slow to read unit by unit.

/** True for a topic name that a message can be published to. */
export function isTopicName(text: string): boolean {
  return isTopicText(text) && !hasWildcard(text)
}

/** True for a topic filter that can be subscribed to, whatever it says about sharing. */
export function isFilter(text: string): boolean {
  if (!isTopicText(text)) return false
  const hash = text.indexOf('#')
  if (hash >= 0 && (hash < text.length - 1 || !isLevel(text, hash))) return false
  for (let plus = text.indexOf('+'); plus >= 0; plus = text.indexOf('+', plus + 1)) {
    if (!isLevel(text, plus)) return false
  }
  return true
}

function isTopicText(text: string): boolean {
  return text.length > 0 && !text.includes('\0') && text.isWellFormed() && !exceedsField(text)
}

/** True when the character at this place is a level of its own. */
function isLevel(text: string, index: number): boolean {
  const begins = index === 0 || text.charCodeAt(index - 1) === SLASH
  return begins && (index === text.length - 1 || text.charCodeAt(index + 1) === SLASH)
}

/** True when the text has a `+` or a `#`, in whatever place. */
export function hasWildcard(text: string): boolean {
  return text.includes('+') || text.includes('#')
}

/**
 * The filter inside a shared subscription, `$share/name/filter`, or null when it is none (MQTT 5, 4.8.2).
 * An empty string stands for a shared subscription that lacks its name or its filter.
 */
export function sharedFilter(filter: string): string | null {
  if (!filter.startsWith(SHARE_PREFIX)) return null
  const end = filter.indexOf('/', SHARE_PREFIX.length)
  const name = filter.slice(SHARE_PREFIX.length, end < 0 ? undefined : end)
  return end < 0 || name === '' || hasWildcard(name) ? '' : filter.slice(end + 1)
}

/** Walks both texts once, level by level; the filter has been checked, so that a `#` is its end. */
function matchesFilter(topic: string, filter: string): boolean {
  let inFilter = startOfFilter(filter)
  if (inFilter < 0) return false
  let inTopic = 0
  for (;;) {
    const first = filter.charCodeAt(inFilter)
    if (first === HASH) return true
    if (first === PLUS) {
      inFilter++
      const end = topic.indexOf('/', inTopic)
      inTopic = end < 0 ? topic.length : end
    } else {
      for (;;) {
        const unit = inFilter < filter.length ? filter.charCodeAt(inFilter) : SLASH
        const other = inTopic < topic.length ? topic.charCodeAt(inTopic) : SLASH
        if (unit !== other) return false
        if (unit === SLASH) break
        inFilter++
        inTopic++
      }
    }
    // Both are at the end of a level now.
    if (inFilter === filter.length) return inTopic === topic.length
    // `a` matches `a/#`: the parent level belongs to a multi-level wildcard (MQTT 5, 4.7.1.2).
    if (inTopic === topic.length) return filter.charCodeAt(inFilter + 1) === HASH
    inFilter++
    inTopic++
  }
}

/** The levels of a filter that count, or null when a `$share` leaves none. */
export function countedFilter(filter: string): string | null {
  const start = startOfFilter(filter)
  return start < 0 ? null : filter.slice(start)
}

/** Where the levels begin that count, or -1 when a `$share` leaves none. */
function startOfFilter(filter: string): number {
  if (filter === '$share') return -1
  if (!filter.startsWith(SHARE_PREFIX)) return 0
  const end = filter.indexOf('/', SHARE_PREFIX.length)
  return end < 0 ? -1 : end + 1
}
