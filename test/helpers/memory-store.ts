import { type ClientOptions, ProtocolVersion, type Store, type StoreChange, type StoreRecord } from 'aiomqtt'
import type { ExecutionContext } from 'ava'
import { clientOf, patience } from './client.js'
import { until, within } from './deadline.js'
import type { Peer } from './peer.js'
import { lasting } from './reconnect.js'

const { V31, V5 } = ProtocolVersion

/** A store that outlives its clients, but not the test; each batch takes a turn of the event loop. */
export class MemoryStore implements Store {
  readonly records = new Map<string, Uint8Array>()
  /** What the next batches throw. */
  failure: Error | undefined
  /** While set, batches wait for it. */
  gate: Promise<void> | undefined
  batches = 0

  load(_warn?: (text: string) => void, _after?: string): Iterable<StoreRecord> {
    return [...this.records].sort(([one], [other]) => (one < other ? -1 : 1))
  }

  async batch(changes: readonly StoreChange[]): Promise<void> {
    this.batches++
    await this.gate
    await new Promise((resolve) => setImmediate(resolve))
    if (this.failure !== undefined) throw this.failure
    for (const [key, value] of changes) {
      if (value === null) this.records.delete(key)
      else this.records.set(key, Uint8Array.from(value))
    }
  }
}

/** One that a client reads in portions. */
export class PortionedStore extends MemoryStore {
  /** Records that were read so far, again and again those that are read again. */
  read = 0
  /** What reading throws. */
  unreadable: Error | undefined

  override *load(_warn?: unknown, after = ''): Iterable<StoreRecord> {
    for (const record of super.load()) {
      if (record[0] <= after) continue
      if (this.unreadable !== undefined) throw this.unreadable
      this.read++
      yield record
    }
  }

  last(prefix: string): string | null {
    const keys = [...this.records.keys()].filter((key) => key.startsWith(prefix))
    return keys.sort().at(-1) ?? null
  }
}

/** Options that ask for the session each time. */
export function kept(protocol: ProtocolVersion, store: MemoryStore): ClientOptions {
  return { ...lasting(protocol), store, ...(protocol === V5 && { cleanStart: false }) }
}

/** A client that a session accepts, the session there already or not; MQTT 3.1 cannot say. */
export async function joined(
  t: ExecutionContext,
  peer: Peer,
  options: ClientOptions,
  sessionPresent = false,
) {
  const client = clientOf(t, peer, options)
  const connecting = client.connect()
  const session = await peer.welcome({ sessionPresent: sessionPresent && options.protocol !== V31 })
  await within(patience, 'connecting', connecting)
  return { client, session }
}

/** Resolves when the store has nothing. */
export async function reachedEmpty(store: MemoryStore): Promise<void> {
  await until(patience, 'an empty store', () => store.records.size === 0)
}
