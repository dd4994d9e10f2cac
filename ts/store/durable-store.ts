import { constants } from 'node:fs'
import { type FileHandle, mkdir, open, rename } from 'node:fs/promises'
import { join } from 'node:path'
import { MqttError } from '../mqtt/errors.js'
import { checkText } from '../mqtt/fields.js'
import { fromCaller } from '../support/call-site.js'
import { checkBoolean, checkInteger, checkKeys, rangeError } from '../support/validate.js'
import { lockDirectory } from './directory-lock.js'
import { alone, encodeBatch, type Place, recordLength, scan, valueIn } from './record-log.js'
import type { Store, StoreChange, StoreRecord } from './store.js'

/** Options of `new DurableStore()`. */
export interface DurableStoreOptions {
  /**
   * Bytes of records: the most there may be, 1 or more; beyond it publishes reject with `ERR_MQTT_STORE`.
   * @defaultValue 268,435,456 (256 MiB)
   */
  maxBytes?: number | null | undefined
  /**
   * True to have each batch on the disk itself before what depends on it is sent.
   * @defaultValue false
   */
  sync?: boolean | null | undefined
}

const OPTIONS: ReadonlySet<string> = new Set(['maxBytes', 'sync'])
const USUAL_BYTES = 256 * 1024 * 1024
const NOTHING = new Uint8Array(0)

/** The file is written anew when this much of it, and more than half, is of records that are over. */
const MOST_WASTE = 4 * 1024 * 1024
/** Bytes that are copied at once then. */
const COPIED_AT_ONCE = 1024 * 1024

const FILE = 'records'
const NEW_FILE = 'records.new'

/** Of what a file consists, while it is open. */
interface OpenFile {
  readonly handle: FileHandle
  readonly unlock: () => Promise<void>
}

/**
 * Keeps the state of a client's QoS 1 and 2 messages in a file in a directory of its own: the option `store`.
 *
 * A publish of QoS 1 or 2 is stored before it is sent, and removed when it has been acknowledged; what is left is sent
 * by the next client with this store, before anything new. A message whose acknowledgement was not stored any more is
 * sent again: with QoS 1 as a repetition, with QoS 2 as one that the broker recognizes, if it still has the session.
 *
 * What was stored survives the end of the process, however it comes (`kill -9`); with `sync` also that of the machine
 * (power loss), as far as its disks keep what they say they have. Each record has a checksum: what is damaged costs the
 * records concerned and nothing else. The client is given them empty, and ignores them with a warning to its logger. A
 * deletion that was damaged brings a message back, which is then sent again.
 *
 * A directory serves one store at a time. It is opened when the client first connects.
 */
export class DurableStore implements Store, AsyncDisposable {
  readonly #directory: string
  readonly #maxBytes: number
  readonly #sync: boolean
  #file: OpenFile | null = null
  /** Where each record is. */
  readonly #places = new Map<string, Place>()
  /** Keys of records that were found damaged, until they have been told of. */
  #damaged: string[] = []
  /** The length of the file, as far as it is good. */
  #end = 0
  /** Bytes of the records that are there. */
  #live = 0
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

  /**
   * All records in the order of their keys, damaged ones empty.
   * @throws {MqttError} `ERR_MQTT_STORE`: the directory is in use
   * @throws what the operating system says: it cannot be read, or not be written
   */
  async *load(): AsyncGenerator<StoreRecord, void> {
    const { handle } = await this.#opened()
    const damaged = this.#damaged
    this.#damaged = []
    for (const key of [...this.#places.keys(), ...damaged].sort(byCode)) {
      const place = this.#places.get(key)
      const value = place === undefined ? null : valueIn(await read(handle, place))
      yield [key, value ?? NOTHING]
    }
  }

  /**
   * Makes changes, in their order, all of them or none.
   * @throws {MqttError} `ERR_MQTT_STORE`: there would be more than `maxBytes`
   * @throws what the operating system says: the disk is full, for example
   */
  batch(changes: readonly StoreChange[]): Promise<void> {
    const writing = this.#write(changes)
    this.#work = writing.catch(() => {})
    return writing
  }

  /** Closes the file, once a batch that is being written is; the next use opens it again. */
  async close(): Promise<void> {
    await this.#work
    const file = this.#file
    this.#file = null
    await file?.handle.close()
    await file?.unlock()
  }

  /** `close()`, for `await using`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  async #write(changes: readonly StoreChange[]): Promise<void> {
    const { handle } = await this.#opened()
    if (changes.length === 0) return
    this.#checkRoom(changes)
    const { bytes, lengths } = encodeBatch(changes)
    try {
      await writeAt(handle, bytes, this.#end)
      if (this.#sync) await handle.datasync()
    } catch (error) {
      // What is half there would be taken for damage. If it cannot be cut off, the next batch is written over it.
      await handle.truncate(this.#end).catch(() => {})
      throw error
    }
    for (const [index, [key, value]] of changes.entries()) {
      const length = lengths[index] as number
      this.#place(key, value === null ? null : { at: this.#end, length })
      this.#end += length
    }
    if (this.#live === 0 && this.#end > COPIED_AT_ONCE) await this.#empty(handle)
    else if (this.#end - this.#live > MOST_WASTE + this.#live) await this.#rewrite()
  }

  #checkRoom(changes: readonly StoreChange[]): void {
    const lengths = new Map<string, number>()
    let live = this.#live
    for (const [key, value] of changes) {
      const length = value === null ? 0 : recordLength(key, value)
      live += length - (lengths.get(key) ?? this.#places.get(key)?.length ?? 0)
      lengths.set(key, length)
    }
    if (live <= this.#maxBytes || live <= this.#live) return
    throw new MqttError(`The store is full: ${this.#directory} has ${this.#live} bytes of records`, {
      code: 'ERR_MQTT_STORE',
    })
  }

  /** @param place null for a record that is deleted */
  #place(key: string, place: Place | null): void {
    this.#live -= this.#places.get(key)?.length ?? 0
    this.#places.delete(key)
    if (place === null) return
    this.#places.set(key, place)
    this.#live += place.length
  }

  async #opened(): Promise<OpenFile> {
    if (this.#file !== null) return this.#file
    await mkdir(this.#directory, { recursive: true })
    const unlock = await lockDirectory(this.#directory)
    let handle: FileHandle | null = null
    try {
      handle = await open(join(this.#directory, FILE), constants.O_RDWR | constants.O_CREAT, 0o600)
      this.#file = { handle, unlock }
      if (this.#restore(await handle.readFile())) await this.#rewrite()
    } catch (error) {
      this.#file = null
      await handle?.close()
      await unlock()
      throw error
    }
    return this.#file
  }

  /** @returns whether the file is damaged */
  #restore(bytes: Buffer): boolean {
    this.#places.clear()
    this.#live = 0
    const damaged = new Set<string>()
    const { found, end, isDamaged } = scan(bytes)
    for (const record of found) {
      if (record.isDamaged) {
        damaged.add(record.key)
        continue
      }
      damaged.delete(record.key)
      this.#place(record.key, record.deletes ? null : record)
    }
    this.#end = end
    this.#damaged = [...damaged].filter((key) => !this.#places.has(key))
    return isDamaged
  }

  async #empty(handle: FileHandle): Promise<void> {
    await handle.truncate(0)
    this.#end = 0
  }

  /** Writes what is left to a new file, and puts that in place of the old one. */
  async #rewrite(): Promise<void> {
    const { handle, unlock } = this.#file as OpenFile
    const path = join(this.#directory, NEW_FILE)
    const next = await open(path, constants.O_RDWR | constants.O_CREAT | constants.O_TRUNC, 0o600)
    const places = new Map<string, Place>()
    let end = 0
    try {
      let chunk: Buffer[] = []
      let chunkLength = 0
      const flush = async () => {
        await writeAt(next, Buffer.concat(chunk), end - chunkLength)
        chunk = []
        chunkLength = 0
      }
      for (const [key, place] of this.#places) {
        chunk.push(alone(await read(handle, place)))
        places.set(key, { at: end, length: place.length })
        end += place.length
        chunkLength += place.length
        if (chunkLength >= COPIED_AT_ONCE) await flush()
      }
      await flush()
      await next.datasync()
      await rename(path, join(this.#directory, FILE))
      await syncDirectory(this.#directory)
    } catch (error) {
      await next.close()
      throw error
    }
    this.#file = { handle: next, unlock }
    for (const [key, place] of places) this.#places.set(key, place)
    this.#end = end
    await handle.close()
  }
}

/** Sorts by the codes of characters, of which keys have only ASCII's. */
function byCode(a: string, b: string): number {
  if (a === b) return 0
  return a < b ? -1 : 1
}

async function read(handle: FileHandle, { at, length }: Place): Promise<Buffer> {
  const { buffer, bytesRead } = await handle.read(Buffer.allocUnsafe(length), 0, length, at)
  return buffer.subarray(0, bytesRead)
}

/** Writes all of it: a disk that fills up may take a part. */
async function writeAt(handle: FileHandle, bytes: Buffer, at: number): Promise<void> {
  for (let done = 0; done < bytes.length; ) {
    const { bytesWritten } = await handle.write(bytes, done, bytes.length - done, at + done)
    done += bytesWritten
  }
}

/** A new name in a directory is on the disk only once the directory is. Windows has no such thing. */
async function syncDirectory(path: string): Promise<void> {
  if (process.platform === 'win32') return
  const directory = await open(path, 'r')
  try {
    await directory.sync()
  } finally {
    await directory.close()
  }
}
