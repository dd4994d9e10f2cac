import {
  checkBoolean,
  checkKeys,
  describeType,
  isObject,
  rangeError,
  typeError,
} from '../support/validate.js'
import type { QoS } from './fields.js'

/** What becomes of retained messages when a subscription is made (MQTT 5, 3.8.3.1). */
export type RetainHandling = 0 | 1 | 2

/** Subscription options as an object literal. */
export interface SubscribeOptionsLiteral {
  /**
   * The highest QoS at which messages are to come: 0, 1 or 2.
   * @defaultValue 0
   */
  qos?: QoS | undefined
  /**
   * True to get no messages that this client has published.
   * @defaultValue false
   */
  noLocal?: boolean | undefined
  /**
   * True to see a message's retain flag as it was published.
   * @defaultValue false
   */
  retainAsPublished?: boolean | undefined
  /**
   * Whether retained messages come: 0 always, 1 for a new subscription only, 2 never.
   * @defaultValue 0
   */
  retainHandling?: RetainHandling | undefined
}

/** Subscription options, or an object literal of them. */
export type SubscribeOptionsLike = SubscribeOptions | SubscribeOptionsLiteral

const KEYS = new Set(['qos', 'noLocal', 'retainAsPublished', 'retainHandling'])

/** The options of an MQTT 5 subscription (3.8.3.1), as paho's `SubscribeOptions`. */
export class SubscribeOptions {
  /** `retainHandling`: retained messages come with every SUBSCRIBE. */
  static readonly RETAIN_SEND_ON_SUBSCRIBE = 0
  /** `retainHandling`: retained messages come if there was no such subscription. */
  static readonly RETAIN_SEND_IF_NEW_SUB = 1
  /** `retainHandling`: retained messages do not come. */
  static readonly RETAIN_DO_NOT_SEND = 2

  /** The highest QoS at which messages are to come. */
  qos: QoS
  /** Whether messages that this client has published stay away. */
  noLocal: boolean
  /** Whether a message's retain flag comes as it was published. */
  retainAsPublished: boolean
  /** What becomes of retained messages: one of the three numbers above. */
  retainHandling: RetainHandling

  /** @throws TypeError for an unknown key or a wrong type, RangeError for a value out of its range */
  constructor(options: SubscribeOptionsLiteral = {}) {
    checkKeys('SubscribeOptions()', options, KEYS)
    this.qos = options.qos ?? 0
    this.noLocal = options.noLocal ?? false
    this.retainAsPublished = options.retainAsPublished ?? false
    this.retainHandling = options.retainHandling ?? SubscribeOptions.RETAIN_SEND_ON_SUBSCRIBE
    checkOptions(this)
    // Members may be assigned, but a misspelt one must not be made.
    Object.seal(this)
  }

  /** As paho shows it: `{qos=1, noLocal=false, retainAsPublished=false, retainHandling=0}`. */
  toString(): string {
    const { qos, noLocal, retainAsPublished, retainHandling } = this
    return `{qos=${qos}, noLocal=${noLocal}, retainAsPublished=${retainAsPublished}, retainHandling=${retainHandling}}`
  }
}

/**
 * The byte that stands after a topic filter in SUBSCRIBE.
 * @throws TypeError `Subscribe options must be instance of SubscribeOptions class.` for anything but an
 *   object; otherwise as the constructor, since members may have been assigned
 */
export function subscribeOptionsByte(options: SubscribeOptionsLike): number {
  if (!isObject(options)) throw typeError('Subscribe options must be instance of SubscribeOptions class.')
  // A copy: what has been checked cannot be something else when it is written.
  const { qos, noLocal, retainAsPublished, retainHandling } = new SubscribeOptions(
    options instanceof SubscribeOptions ? plain(options) : options,
  )
  return qos | (Number(noLocal) << 2) | (Number(retainAsPublished) << 3) | (retainHandling << 4)
}

function plain({
  qos,
  noLocal,
  retainAsPublished,
  retainHandling,
}: SubscribeOptions): SubscribeOptionsLiteral {
  return { qos, noLocal, retainAsPublished, retainHandling }
}

function checkOptions(options: SubscribeOptions): void {
  checkUpToTwo('QoS', options.qos)
  checkBoolean('noLocal', options.noLocal)
  checkBoolean('retainAsPublished', options.retainAsPublished)
  checkUpToTwo('Retain handling', options.retainHandling)
}

function checkUpToTwo(name: string, value: unknown): void {
  if (value === 0 || value === 1 || value === 2) return
  const shown = typeof value === 'number' ? value : describeType(value)
  throw (typeof value === 'number' ? rangeError : typeError)(`${name} should be 0, 1 or 2, not ${shown}`)
}
