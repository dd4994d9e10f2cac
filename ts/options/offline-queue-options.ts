import { checkBoolean, checkChoice, checkInteger, checkKeys } from '../support/validate.js'

/** What becomes of messages that are published while there is no connection. */
export interface OfflineQueueOptions {
  /**
   * Messages: the most that wait, 1 or more.
   * @defaultValue `Infinity`
   */
  maxMessages?: number | undefined
  /**
   * Bytes of topics, payloads and properties: the most that wait, 1 or more.
   * @defaultValue `Infinity`
   */
  maxBytes?: number | undefined
  /**
   * What happens beyond that: the new message rejects, or the oldest one is dropped, and rejects.
   * @defaultValue `'reject'`
   */
  overflow?: 'reject' | 'drop-oldest' | undefined
  /**
   * Whether messages of QoS 0 wait too.
   * @defaultValue false
   */
  qos0?: boolean | undefined
}

/** {@link OfflineQueueOptions} with nothing left out. */
export type OfflineQueueSettings = Readonly<Required<OfflineQueueOptions>>

const KEYS = new Set(['maxMessages', 'maxBytes', 'overflow', 'qos0'])

/**
 * The option `offlineQueue`, checked; null when it is off.
 * @throws TypeError for an unknown key or a wrong type, RangeError for a wrong value
 */
export function checkOfflineQueue(
  value: boolean | OfflineQueueOptions | null | undefined,
): OfflineQueueSettings | null {
  if (value === undefined || value === null || value === false) return null
  const options = value === true ? {} : value
  checkKeys('offlineQueue', options, KEYS)
  return Object.freeze({
    maxMessages: checkBound('offlineQueue.maxMessages', options.maxMessages ?? Number.POSITIVE_INFINITY),
    maxBytes: checkBound('offlineQueue.maxBytes', options.maxBytes ?? Number.POSITIVE_INFINITY),
    overflow: checkChoice('offlineQueue.overflow', options.overflow ?? 'reject', ['reject', 'drop-oldest']),
    qos0: checkBoolean('offlineQueue.qos0', options.qos0 ?? false),
  })
}

function checkBound(name: string, value: unknown): number {
  return value === Number.POSITIVE_INFINITY ? value : checkInteger(name, value, 1, Number.MAX_SAFE_INTEGER)
}
