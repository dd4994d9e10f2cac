import { MqttError } from '../mqtt/errors.js'
import { checkText } from '../mqtt/fields.js'
import { fromCaller } from '../support/call-site.js'
import { checkBoolean, checkInteger, checkKeys, rangeError } from '../support/validate.js'
import type { Files } from './files.js'
import { NodeFiles } from './files.js'
import { countedBytes } from './log-format.js'
import { migrate } from './migration.js'
import type { StoreLoss } from './recovery.js'
import { SegmentedLog } from './segmented-log.js'
import { SET_ASIDE } from './set-aside.js'
import { checkChanges, type Store, type StoreChange, type StoreRecord } from './store.js'

/** Options of `new DurableStore()`. */
export interface DurableStoreOptions {
  /**
   * Maximum bytes of records, 1 or more; beyond it publishes reject with `ERR_MQTT_STORE`. The files take at most twice
   * as much, and some MiB.
   * @defaultValue 268,435,456 (256 MiB)
   */
  maxBytes?: number | null | undefined
  /**
   * True to have each batch on the disk itself before what depends on it is sent.
   * @defaultValue false
   */
  sync?: boolean | null | undefined
}

/** What a `DurableStore` holds: `stats`. */
export interface DurableStoreStats {
  /** Records, those of set-aside messages among them. */
  readonly records: number
  /** What they count for in `maxBytes`. */
  readonly bytes: number
  /** Messages that were set aside, because the broker ended one connection after the other over them. */
  readonly setAside: number
  /** Files of records. */
  readonly files: number
  /** Bytes of these files. */
  readonly fileBytes: number
  /** What was found damaged or missing since the store was opened. */
  readonly losses: readonly StoreLoss[]
}

const OPTIONS: ReadonlySet<string> = new Set(['maxBytes', 'sync'])
const USUAL_BYTES = 256 * 1024 * 1024
/** Bytes of one batch: what a file has room for with certainty. */
const LARGEST_BATCH = 2 ** 31
/** Of what waits, so much is written together, with one sync. */
const WRITTEN_TOGETHER = 8 * 1024 * 1024
/** So many records are read at once, or as many as have so many bytes. */
const READ_TOGETHER = 64
const BYTES_READ_TOGETHER = 1024 * 1024
/** Losses that are told one by one. */
const MOST_TOLD = 20

/** A batch that waits to be written. */
interface WaitingBatch {
  readonly changes: readonly StoreChange[]
  readonly resolve: () => void
  readonly reject: (error: unknown) => void
}

/**
 * Keeps the state of a client's QoS 1 and 2 messages in files in a directory of its own: the option `store`.
 *
 * A publish of QoS 1 or 2 is stored before it is sent, and removed when it has been acknowledged; what is left is sent
 * by the next client with this store, before anything new. A message whose acknowledgement was not stored any more is
 * sent again: with QoS 1 as a repetition, with QoS 2 as one that the broker recognizes, if it still has the session.
 *
 * What was stored survives the end of the process, however it comes (`kill -9`); with `sync` also that of the machine
 * (power loss), as far as its disks keep what they say they have. Every record is checked when it is read: what is
 * damaged costs the records concerned and nothing else, is not sent, and is told to the client's logger.
 *
 * A directory serves one store at a time: the kernel holds a lock on it. It is opened when the client first connects.
 * docs/store.md has the layout of the files, and what to do when a disk failed.
 */
export class DurableStore implements Store, AsyncDisposable {
  readonly #directory: string
  readonly #maxBytes: number
  readonly #sync: boolean
  #log: SegmentedLog | null = null
  #unlock: (() => void) | null = null
  /** How many of the losses have been told. */
  #told = 0
  #waiting: WaitingBatch[] = []
  /** What touches the files does so one after the other. */
  #work: Promise<unknown> = Promise.resolve()

  /**
   * @param directory made when it is first needed
   * @throws {TypeError} a wrong type, or an unknown option
   * @throws {RangeError} a wrong value
   */
  constructor(directory: string, options?: DurableStoreOptions | null) {
    try {
      if (checkText('directory', directory) === '') throw rangeError('directory must not be empty')
      checkKeys('DurableStore()', options ?? {}, OPTIONS)
      this.#directory = directory
      this.#maxBytes = checkInteger('maxBytes', options?.maxBytes ?? USUAL_BYTES, 1, Number.MAX_SAFE_INTEGER)
      this.#sync = checkBoolean('sync', options?.sync ?? false)
    } catch (error) {
      throw fromCaller(error, DurableStore)
    }
  }

  /** What it holds; all zeros while it is not open. */
  get stats(): DurableStoreStats {
    const log = this.#log
    return {
      records: log?.catalog.index.size ?? 0,
      bytes: log?.catalog.counted ?? 0,
      setAside: log?.catalog.index.count(SET_ASIDE) ?? 0,
      files: log?.catalog.segments.length ?? 0,
      fileBytes: log?.catalog.total ?? 0,
      losses: [...(log?.losses ?? [])],
    }
  }

  /**
   * All records in the order of their keys. Damaged ones are left out.
   * @param warn is told of what was lost
   * @param after only records whose keys come after this one
   * @throws {MqttError} `ERR_MQTT_STORE`: the directory is in use, or written by a newer version
   * @throws what the operating system says: it cannot be read, or not be written
   */
  async *load(warn?: (text: string) => void, after = ''): AsyncGenerator<StoreRecord, void> {
    const log = await this.#next(() => this.#opened())
    if (warn !== undefined) this.#tell(log, warn)
    const keys = log.catalog.index.keys(after)
    for (let isOver = false; !isOver; ) {
      const records: StoreRecord[] = []
      await this.#next(async () => {
        if (this.#log !== log) throw new MqttError('The store was closed', { code: 'ERR_MQTT_STORE' })
        let bytes = 0
        for (let count = 0; count < READ_TOGETHER && bytes < BYTES_READ_TOGETHER; count++) {
          const { done, value: key } = keys.next()
          isOver = done === true
          if (done) return
          const value = await log.read(key)
          if (value === null) continue
          records.push([key, value])
          bytes += value.length
        }
      })
      if (warn !== undefined) this.#tell(log, warn)
      yield* records
    }
  }

  /**
   * The last key that begins with `prefix`; null if there is none.
   * @throws as `load()`
   */
  async last(prefix: string): Promise<string | null> {
    const { catalog } = await this.#next(() => this.#opened())
    return catalog.index.last(prefix)
  }

  /**
   * Makes changes, in their order, all of them or none.
   * @throws {TypeError} a wrong type
   * @throws {RangeError} a key that is none
   * @throws {MqttError} `ERR_MQTT_STORE`: there would be more than `maxBytes`, or the directory has been removed
   * @throws what the operating system says: the disk is full, for example
   */
  batch(changes: readonly StoreChange[]): Promise<void> {
    return new Promise((resolve, reject) => {
      checkChanges(changes)
      this.#waiting.push({ changes, resolve, reject })
      if (this.#waiting.length === 1) void this.#next(() => this.#writeWaiting())
    })
  }

  /** Closes the files, once what is being written is; the next use opens them again. */
  close(): Promise<void> {
    return this.#next(async () => {
      const log = this.#log
      const unlock = this.#unlock
      this.#log = this.#unlock = null
      try {
        await log?.close()
      } finally {
        unlock?.()
      }
    })
  }

  /** `close()`, for `await using`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  /** Does something when all that came before is done. */
  #next<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#work.then(work)
    this.#work = result.catch(() => {})
    return result
  }

  /** Writes all that waits, as much as goes together with one sync. */
  async #writeWaiting(): Promise<void> {
    while (this.#waiting.length > 0) {
      const taken: WaitingBatch[] = []
      try {
        const log = await this.#opened()
        this.#take(log, taken)
        if (taken.length > 0) await log.append(taken.map(({ changes }) => changes))
        for (const { resolve } of taken) resolve()
      } catch (error) {
        const refused = taken.length > 0 ? taken : this.#waiting.splice(0)
        for (const { reject } of refused) reject(error)
      }
    }
  }

  /** Takes from what waits; what there is no room for rejects. */
  #take({ catalog }: SegmentedLog, taken: WaitingBatch[]): void {
    const counted = new Map<string, number>()
    let total = catalog.counted
    let together = 0
    let next = 0
    while (next < this.#waiting.length && together < WRITTEN_TOGETHER) {
      const batch = this.#waiting[next++] as WaitingBatch
      const before = total
      const changed = new Map<string, number>()
      let size = 0
      for (const [key, value] of batch.changes) {
        const bytes = value === null ? 0 : countedBytes(key.length, value.length)
        total += bytes - (changed.get(key) ?? counted.get(key) ?? catalog.index.get(key)?.counted ?? 0)
        changed.set(key, bytes)
        size += countedBytes(key.length, value?.length ?? 0)
      }
      const isFull = total > this.#maxBytes && total > before
      if (isFull || size > LARGEST_BATCH) {
        total = before
        batch.reject(isFull ? this.#full(before) : tooLarge(size))
        continue
      }
      for (const [key, bytes] of changed) counted.set(key, bytes)
      together += size
      if (batch.changes.length === 0) batch.resolve()
      else taken.push(batch)
    }
    this.#waiting = this.#waiting.slice(next)
  }

  #full(bytes: number): MqttError {
    return new MqttError(
      `The store is full: ${this.#directory} has ${bytes} bytes of records, and maxBytes is ${this.#maxBytes}`,
      { code: 'ERR_MQTT_STORE' },
    )
  }

  async #opened(): Promise<SegmentedLog> {
    if (this.#log !== null) return this.#log
    const files: Files = new NodeFiles(this.#directory)
    await files.make(this.#sync)
    const unlock = await files.lock()
    const log = new SegmentedLog(files, this.#sync)
    try {
      log.losses.push(...(await migrate(files)))
      await log.open()
    } catch (error) {
      await log.close().catch(() => {})
      unlock()
      throw error
    }
    this.#unlock = unlock
    this.#told = 0
    this.#log = log
    return log
  }

  #tell({ losses }: SegmentedLog, warn: (text: string) => void): void {
    const news = losses.slice(this.#told)
    this.#told = losses.length
    for (const loss of news.slice(0, MOST_TOLD))
      warn(`The store ${this.#directory} has lost records: ${describeLoss(loss)}`)
    if (news.length > MOST_TOLD) {
      warn(`The store ${this.#directory} has lost records in ${news.length - MOST_TOLD} more places`)
    }
  }
}

/** One loss in words. */
export function describeLoss({ file, kind, at, bytes, key }: StoreLoss): string {
  if (kind === 'missing') return `the file ${file} is missing`
  const where = `${bytes} bytes at ${at} of ${file}`
  if (kind === 'unfinished') return `${where} are a batch that was not written to its end`
  return key === null ? `${where} are damaged` : `${where} are damaged, the record ${key} among them`
}

function tooLarge(bytes: number): MqttError {
  return new MqttError(`A batch of ${bytes} bytes is larger than a store takes: ${LARGEST_BATCH} at most`, {
    code: 'ERR_MQTT_STORE',
  })
}
