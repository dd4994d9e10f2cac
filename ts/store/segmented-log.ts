import { MqttError } from '../mqtt/errors.js'
import { Catalog } from './catalog.js'
import type { Files, StoreFile } from './files.js'
import { countedBytes, DELETE, ENDS_BATCH, FLOOR, LogEncoder, mostBytes, PUT } from './log-format.js'
import { RecordReader } from './record-reader.js'
import { recover, type StoreLoss } from './recovery.js'
import { Reserve } from './reserve.js'
import { ACTIVE, encodeHead, type Segment, scanFile, sealedName } from './segment.js'
import type { StoreChange } from './store.js'

const MIB = 1024 * 1024
/** A file is full at a 64th of what the disk has free, within these. */
const SMALLEST_FILE = MIB
const LARGEST_FILE = 8 * MIB
const FILES_ON_DISK = 64
/** Bytes that are written at once. */
const WRITTEN_AT_ONCE = MIB

const NOT_ENOUGH_ROOM: ReadonlySet<unknown> = new Set(['ENOSPC', 'EDQUOT', 'EFBIG'])

/** A change that was written, until it counts. */
type Written = readonly [key: string, kind: number, at: number, size: number, counted: number]

/**
 * The files of a store while it is open: changes are appended to the last one, and a file is removed when all of its
 * records are over. The oldest one, if few of its records are left, is emptied by writing them again at the end. One call
 * at a time.
 */
export class SegmentedLog {
  readonly losses: StoreLoss[] = []
  #catalog = new Catalog()
  #active: StoreFile | null = null
  /** A write or a sync of the last file failed: nothing is to be written behind that. */
  #isBroken = false
  #floor = 0
  #fileSize: number
  /** The size of all files when a compaction failed. */
  #failedAt = 0
  #reserve: Reserve
  readonly #reader: RecordReader

  /**
   * @param isSynced true to have all changes on the disk before they count
   * @param fileSize a file is full then; 0 to go by what the disk has free
   */
  constructor(
    private readonly files: Files,
    private readonly isSynced: boolean,
    fileSize = 0,
  ) {
    this.#fileSize = fileSize
    this.#reserve = new Reserve(files, SMALLEST_FILE)
    this.#reader = new RecordReader(files)
  }

  get catalog(): Catalog {
    return this.#catalog
  }

  /** Reads what there is; writes nothing unless the files of an older process were left unfinished. */
  async open(): Promise<void> {
    const { catalog, losses, isClean, over, floor } = await recover(this.files)
    this.#catalog = catalog
    this.losses.push(...losses)
    this.#floor = floor
    if (this.#fileSize === 0) this.#fileSize = fileSizeFor(await this.files.free())
    this.#reserve = new Reserve(this.files, this.#fileSize)
    await this.#reserve.open()
    for (const name of over) await this.files.remove(name)
    if (isClean) this.#active = await this.files.open(ACTIVE, 'update')
    else await this.#sparing(() => this.#begin())
    if (this.isSynced) await this.files.sync()
  }

  async close(): Promise<void> {
    const active = this.#active
    this.#active = null
    await this.#reader.close()
    await active?.close()
  }

  /**
   * @returns its value
   * @throws what the operating system says
   */
  async read(key: string): Promise<Buffer | null> {
    const place = this.#catalog.index.get(key)
    const segment = place === null ? undefined : this.#catalog.segment(place.file)
    if (place === null || segment === undefined) return null
    const value = await this.#reader.read(segment, place, key)
    if (value !== null) return value
    this.losses.push({ file: segment.name, kind: 'damaged', at: place.at, bytes: place.size, key })
    this.#catalog.remove(key)
    return null
  }

  /**
   * Makes the changes of several batches, each of them wholly or not at all.
   * @throws what the operating system says; nothing of them counts then
   */
  async append(batches: ReadonlyArray<readonly StoreChange[]>): Promise<void> {
    const deletesOnly = batches.every((changes) => changes.every(([, value]) => value === null))
    try {
      if (!deletesOnly) await this.#reserve.keep(this.#catalog.total)
      await this.#write(batches)
    } catch (error) {
      if (!isFull(error)) throw error
      const size = sizeOf(batches)
      if (deletesOnly) {
        if (!(await this.#reserve.give(size))) throw error
      } else {
        if (!(await this.#makeRoom(size))) throw error
        await this.#reserve.keep(this.#catalog.total)
      }
      await this.#write(batches)
    }
    await this.#tidy()
  }

  async #write(batches: ReadonlyArray<readonly StoreChange[]>): Promise<void> {
    const { end } = this.#catalog.last as Segment
    if (this.#isBroken) await this.#begin()
    // A file that cannot be made now is made later: this one takes more.
    else if (end >= this.#fileSize) await this.#begin().catch(() => {})
    const written: Written[] = []
    await this.#appending(this.isSynced, sizeOf(batches), async (encoder, flush) => {
      for (const changes of batches) {
        for (const [index, [key, value]] of changes.entries()) {
          const kind = value === null ? DELETE : PUT
          const { at, size } = encoder.add(
            index === changes.length - 1 ? kind | ENDS_BATCH : kind,
            key,
            value,
          )
          written.push([key, kind, at, size, countedBytes(key.length, value?.length ?? 0)])
          if (encoder.pending >= WRITTEN_AT_ONCE) await flush()
        }
      }
    })
    const { number } = this.#catalog.last as Segment
    for (const [key, kind, at, size, counted] of written) {
      if (kind === DELETE) this.#catalog.remove(key)
      else this.#catalog.put(key, { file: number, at, size, counted })
    }
  }

  /** Writes all that can be read to a new file, and removes those before it. */
  async rewrite(): Promise<void> {
    await this.#begin()
    const { number } = this.#catalog.last as Segment
    while ((this.#catalog.segments[0] as Segment).number < number) await this.#empty()
  }

  /** Writes at the end of the last file. If that fails, the file ends where it did. */
  async #appending(
    isSynced: boolean,
    expected: number,
    write: (encoder: LogEncoder, flush: () => Promise<void>) => Promise<void>,
  ): Promise<void> {
    const segment = this.#catalog.last as Segment
    const file = this.#active as StoreFile
    const encoder = new LogEncoder(segment.tag, segment.end, expected)
    let done = segment.end
    const flush = async () => {
      for (const bytes of encoder.take()) {
        await file.write(bytes, done)
        done += bytes.length
      }
    }
    let isUnsure = false
    try {
      await write(encoder, flush)
      await flush()
      isUnsure = true
      const isCurrent = this.files.isCurrent(segment.name, file)
      isCurrent.catch(() => {})
      if (isSynced) await file.sync()
      if (!(await isCurrent)) throw gone(segment.name)
    } catch (error) {
      // What a failed sync has left on the disk nobody knows: such a file is not written on.
      this.#isBroken = isUnsure || !(await wasCut(file, segment.end))
      throw error
    }
    segment.end = encoder.position
  }

  /** Begins another file. */
  async #begin(): Promise<void> {
    const last = this.#catalog.last
    const full = this.#catalog.segments.find(({ name }) => name === ACTIVE)
    if (full !== undefined) {
      const name = sealedName(full.number)
      await this.files.rename(ACTIVE, name)
      full.name = name
    }
    const number = Math.max(last?.number ?? 0, this.#floor) + 1
    const { tag, bytes, end } = encodeHead(number, this.#floor, last?.end ?? 0)
    const file = await this.files.open(ACTIVE, 'overwrite')
    try {
      await file.write(bytes, 0)
      if (this.isSynced) {
        await file.sync()
        await this.files.sync()
      }
    } catch (error) {
      await file.close()
      await this.files.remove(ACTIVE).catch(() => {})
      throw error
    }
    const before = this.#active
    this.#active = file
    this.#isBroken = false
    this.#catalog.add({ name: ACTIVE, number, tag, end, records: 0, live: 0 })
    await before?.close()
  }

  /** Gives back what is over. What the system refuses here is tried again later. */
  async #tidy(): Promise<void> {
    const { segments } = this.#catalog
    if (segments.length < 2) return
    if (this.#failedAt > 0 && this.#catalog.total < this.#failedAt + SMALLEST_FILE) return
    try {
      await this.#drop()
      const { total, live } = this.#catalog
      if (segments.length > 1 && total - live > Math.max(live, 2 * this.#fileSize)) await this.#empty()
      this.#failedAt = 0
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === undefined) throw error
      this.#failedAt = this.#catalog.total
    }
  }

  /** Removes the oldest files, as far as all of their records are over. */
  async #drop(): Promise<void> {
    const { segments } = this.#catalog
    const count = segments.findIndex(({ records }, index) => records > 0 || index === segments.length - 1)
    if (count <= 0) return
    const floor = (segments[count] as Segment).number
    const value = Buffer.alloc(4)
    value.writeUInt32LE(floor)
    // What takes the place of what is removed must be on the disk before.
    await this.#sparing(() =>
      this.#appending(true, 0, async (encoder) => void encoder.add(FLOOR | ENDS_BATCH, '', value)),
    )
    if (!this.isSynced) await this.files.sync()
    this.#floor = floor
    for (const segment of this.#catalog.dropFirst(count)) {
      await this.#reader.forget(segment)
      await this.files.remove(segment.name)
    }
  }

  /** Writes what is left of the oldest file again, at the end, and removes it. */
  async #empty(): Promise<void> {
    const oldest = this.#catalog.segments[0] as Segment
    const keys: string[] = []
    const file = await this.files.open(oldest.name, 'read')
    try {
      await scanFile(file, oldest.end, oldest.tag, {
        onRecord: ({ kind, key, at }) => {
          const place = kind === PUT ? this.#catalog.index.get(key) : null
          if (place?.file === oldest.number && place.at === at) keys.push(key)
        },
        onDamage: () => {},
      })
    } finally {
      await file.close()
    }
    for (let done = 0; done < keys.length; ) {
      const changes: StoreChange[] = []
      for (let bytes = 0; done < keys.length && bytes < WRITTEN_AT_ONCE; done++) {
        const key = keys[done] as string
        const value = await this.read(key)
        if (value === null) continue
        changes.push([key, value])
        bytes += value.length
      }
      if (changes.length > 0) await this.#sparing(() => this.#write([changes]))
    }
    await this.#drop()
  }

  /** Does something that ends in more room, with what was kept for it if there is no other. */
  async #sparing(work: () => Promise<void>): Promise<void> {
    try {
      await work()
    } catch (error) {
      if (!isFull(error) || !(await this.#reserve.give(this.#fileSize))) throw error
      if (this.#isBroken && this.#active !== null) await this.#begin()
      await work()
    }
  }

  /** @returns whether it was worth it */
  async #makeRoom(bytes: number): Promise<boolean> {
    const before = this.#catalog.total
    for (;;) {
      const { segments, total, live } = this.#catalog
      if (segments.length < 2) await this.#sparing(() => this.#begin())
      if (total - live < bytes) break
      await this.#empty()
      if (before - this.#catalog.total >= bytes) return true
      if (this.#catalog.total >= total) break
    }
    return this.#catalog.total < before
  }
}

function fileSizeFor(free: number): number {
  return Math.min(LARGEST_FILE, Math.max(SMALLEST_FILE, Math.floor(free / FILES_ON_DISK)))
}

function sizeOf(batches: ReadonlyArray<readonly StoreChange[]>): number {
  let size = 0
  for (const changes of batches) {
    for (const [key, value] of changes) size += mostBytes(key.length, value?.length ?? 0)
  }
  return size
}

/** @returns whether the file ends here now */
async function wasCut(file: StoreFile, end: number): Promise<boolean> {
  try {
    await file.truncate(end)
    return true
  } catch {
    return false
  }
}

function isFull(error: unknown): boolean {
  return NOT_ENOUGH_ROOM.has((error as NodeJS.ErrnoException).code)
}

function gone(name: string): MqttError {
  return new MqttError(
    `The store's directory was removed or replaced while it was open, or its file ${name} was`,
    {
      code: 'ERR_MQTT_STORE',
    },
  )
}
