import { MqttError } from '../mqtt/errors.js'
import { NodeFiles } from './files.js'
import { decodePublish, type PublishRecord } from './message-record.js'
import { isOld, migrate } from './migration.js'
import { RecordReader } from './record-reader.js'
import { type Contents, recover, type StoreLoss } from './recovery.js'
import type { Segment } from './segment.js'
import { SegmentedLog } from './segmented-log.js'
import { SET_ASIDE } from './set-aside.js'

/** One record, in words. */
export type InspectedRecord =
  | { readonly kind: 'message' | 'set aside'; readonly key: string; readonly message: PublishRecord }
  | { readonly kind: 'received' | 'other' | 'damaged'; readonly key: string; readonly reason: string | null }

const MESSAGE = 'out-'
const RECEIVED = 'in-'
/** Errors of a directory that may only be read. */
const READ_ONLY: ReadonlySet<unknown> = new Set(['EROFS', 'EACCES', 'EPERM'])

/**
 * Reads the store in a directory without a client, and changes nothing. What the disk cannot read counts as damaged, so
 * that all the rest is read.
 */
export class StoreInspector implements AsyncDisposable {
  readonly #reader: RecordReader

  private constructor(
    files: NodeFiles,
    private readonly contents: Contents,
    private readonly unlock: (() => void) | null,
  ) {
    this.#reader = new RecordReader(files)
  }

  /**
   * @throws {MqttError} `ERR_MQTT_STORE`: the store is in use, or another version wrote it
   * @throws what the operating system says: there is no such directory
   */
  static async open(directory: string): Promise<StoreInspector> {
    const files = new NodeFiles(directory)
    await files.list()
    const unlock = await files.lock().catch((error: NodeJS.ErrnoException) => {
      // Nobody else writes there either.
      if (READ_ONLY.has(error.code)) return null
      throw error
    })
    try {
      if (await isOld(files)) {
        throw new MqttError(
          `The store has the layout of the first version: aiomqtt store ${directory} repair writes it anew`,
          { code: 'ERR_MQTT_STORE' },
        )
      }
      return new StoreInspector(files, await recover(files, true), unlock)
    } catch (error) {
      unlock?.()
      throw error
    }
  }

  /** What was found damaged, cut or missing. */
  get losses(): readonly StoreLoss[] {
    return this.contents.losses
  }

  get files(): { readonly count: number; readonly bytes: number } {
    const { segments, total } = this.contents.catalog
    return { count: segments.length, bytes: total }
  }

  /** What the records count for in `maxBytes`. */
  get bytes(): number {
    return this.contents.catalog.counted
  }

  /** All records, in the order of their keys. */
  async *records(): AsyncGenerator<InspectedRecord, void> {
    const { catalog } = this.contents
    for (const key of catalog.index.keys()) {
      const place = catalog.index.get(key)
      if (place === null) continue
      const segment = catalog.segment(place.file) as Segment
      const value = await this.#reader.read(segment, place, key).catch(() => null)
      yield value === null ? { kind: 'damaged', key, reason: 'it cannot be read' } : inspected(key, value)
    }
  }

  async close(): Promise<void> {
    await this.#reader.close()
    this.unlock?.()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }
}

/**
 * Writes all that can be read of a store to new files, and removes the old ones.
 * @returns what is lost for good
 * @throws {MqttError} `ERR_MQTT_STORE`: the store is in use, or another version wrote it
 * @throws what the operating system says: the disk cannot be read or is full; nothing is lost then that was not before
 */
export async function repairStore(directory: string): Promise<readonly StoreLoss[]> {
  const files = new NodeFiles(directory)
  await files.list()
  const unlock = await files.lock()
  const log = new SegmentedLog(files, true)
  try {
    const losses = await migrate(files)
    await log.open()
    await log.rewrite()
    return [...losses, ...log.losses]
  } finally {
    await log.close()
    unlock()
  }
}

function inspected(key: string, value: Uint8Array): InspectedRecord {
  if (key.startsWith(RECEIVED)) return { kind: 'received', key, reason: null }
  const kind = key.startsWith(MESSAGE) ? 'message' : key.startsWith(SET_ASIDE) ? 'set aside' : null
  if (kind === null) return { kind: 'other', key, reason: null }
  const message = decodePublish(value)
  return typeof message === 'string' ? { kind: 'damaged', key, reason: message } : { kind, key, message }
}
