import { decodePublish, type PublishRecord } from './message-record.js'
import type { Store } from './store.js'

/** What the keys of messages that were set aside begin with, before the number that they had among all messages. */
export const SET_ASIDE = 'aside-'

/** A message that was set aside: the broker ended one connection after the other while it was the oldest one. */
export interface SetAsideMessage {
  /** The key of its record. */
  readonly key: string
  /** The topic that it was published to. */
  readonly topic: string
  /** Its payload. */
  readonly payload: Buffer
  /** Its QoS: 1 or 2. */
  readonly qos: number
  /** Whether the broker was to retain it. */
  readonly retain: boolean
}

/**
 * The messages that a client has set aside in its store, the oldest first. They are not sent any more, and stay until
 * they are dropped. One that is damaged is left out; `stats.setAside` of a `DurableStore` counts it, and `dropSetAside()`
 * or `npx aiomqtt store` drops it.
 *
 * @param store a store that no client is about to load
 */
export async function* setAsideMessages(store: Store): AsyncGenerator<SetAsideMessage, void> {
  for await (const [key, value] of store.load()) {
    if (!key.startsWith(SET_ASIDE)) continue
    const record = decodePublish(value)
    if (typeof record === 'string') continue
    yield messageOf(key, record)
  }
}

/**
 * Drops messages that were set aside, for good.
 * @param keys those of `setAsideMessages()`
 * @throws {RangeError} a key that is not that of a message that was set aside
 */
export async function dropSetAside(store: Store, keys: readonly string[]): Promise<void> {
  for (const key of keys) {
    if (!key.startsWith(SET_ASIDE))
      throw new RangeError(`${key} is not the key of a message that was set aside`)
  }
  await store.batch(keys.map((key) => [key, null]))
}

function messageOf(key: string, { topic, payload, qos, isRetained }: PublishRecord): SetAsideMessage {
  return {
    key,
    topic: Buffer.from(topic).toString(),
    payload: Buffer.from(payload),
    qos,
    retain: isRetained,
  }
}
