import { MqttError } from '../mqtt/errors.js'
import { Catalog } from './catalog.js'
import type { Files, StoreFile } from './files.js'
import { countedBytes, DELETE, FLOOR, PUT } from './log-format.js'
import type { FoundRecord } from './log-scanner.js'
import {
  ACTIVE,
  isReadable,
  numberOf,
  readHead,
  type Segment,
  type SegmentHead,
  scanFile,
  sealedName,
} from './segment.js'

/** Something that a store has lost. */
export interface StoreLoss {
  /** The file's name in the directory. */
  readonly file: string
  /**
   * `damaged`: bytes that no record could be read from. `unfinished`: the end of what was being written when the process
   * or the power ended, or of a file that was cut. `missing`: a file that is not there.
   */
  readonly kind: 'damaged' | 'unfinished' | 'missing'
  /** Where in the file it begins, in bytes. */
  readonly at: number
  /** How many bytes it takes; 0 for a missing file. */
  readonly bytes: number
  /** The key of the record that is damaged, where it can be read. */
  readonly key: string | null
}

/** What the files of a store hold. */
export interface Contents {
  readonly catalog: Catalog
  readonly losses: StoreLoss[]
  /** The last file is as it was left, and can be written on. */
  readonly isClean: boolean
  /** Files that are over, and can be removed. */
  readonly over: readonly string[]
  readonly floor: number
}

interface Candidate {
  readonly name: string
  readonly head: SegmentHead | null
  readonly number: number
  readonly length: number
}

/**
 * Reads all files.
 * @param readsOn true to take what the disk cannot read for damage, instead of failing
 * @throws {MqttError} `ERR_MQTT_STORE`: another version of the package wrote them
 */
export async function recover(files: Files, readsOn = false): Promise<Contents> {
  const losses: StoreLoss[] = []
  const all = await candidates(files, readsOn)
  let floor = all.reduce((most, { head }) => Math.max(most, head?.floor ?? 0), 0)
  const catalog = new Catalog()
  const over: string[] = []
  let isClean = false
  for (const [place, candidate] of all.entries()) {
    const { name, number, head } = candidate
    const next = all[place + 1]
    if (number < floor) {
      over.push(name)
      continue
    }
    for (let missing = (catalog.last?.number ?? number - 1) + 1; missing < number; missing++) {
      losses.push({ file: sealedName(missing), kind: 'missing', at: 0, bytes: 0, key: null })
    }
    const isFollowed = next?.number === number + 1 && next.head !== null
    const declared = isFollowed ? (next.head as SegmentHead).previousEnd : null
    const segment: Segment = { name, number, tag: head?.tag ?? 0, end: 0, records: 0, live: 0 }
    catalog.add(segment)
    const found = await withFile(files, name, (file) =>
      replay(file, candidate, declared, segment, { catalog, losses, readsOn }),
    )
    floor = Math.max(floor, found.floor)
    isClean = found.isClean && head !== null && name === ACTIVE && segment.end === candidate.length
  }
  // Files that were to be removed, and that only those behind them know of.
  const count = catalog.segments.findIndex(({ number }) => number >= floor)
  for (const { name } of catalog.dropFirst(Math.max(0, count))) over.push(name)
  return { catalog, losses, isClean, over, floor }
}

async function candidates(files: Files, readsOn: boolean): Promise<Candidate[]> {
  const found: Candidate[] = []
  const names = await files.list()
  const numbered = names.filter((name) => numberOf(name) !== null).sort()
  const active = names.includes(ACTIVE) ? [ACTIVE] : []
  for (const name of [...numbered, ...active]) {
    const [head, length] = await withFile(files, name, async (file) => [
      await readHead(file).catch((error: unknown) => {
        if (readsOn) return null
        throw error
      }),
      await file.size(),
    ])
    if (head !== null && !isReadable(head)) {
      throw new MqttError(
        `The store's file ${name} has layout ${head.version}, which this version of aiomqtt does not know: open it with the version that wrote it`,
        { code: 'ERR_MQTT_STORE' },
      )
    }
    const number = head?.number ?? numberOf(name) ?? (await guessedNumber(files, length, readsOn, found))
    const twin = found.find((other) => other.number === number)
    if (twin !== undefined) {
      throw new MqttError(
        `The store's files ${twin.name} and ${name} are copies of one: move one of them elsewhere`,
        { code: 'ERR_MQTT_STORE' },
      )
    }
    found.push({ name, head, number, length })
  }
  return found.sort((a, b) => a.number - b.number)
}

/** The number of the last file, whose head is damaged: behind all others, and no smaller than a floor that it holds. */
async function guessedNumber(
  files: Files,
  length: number,
  readsOn: boolean,
  others: readonly Candidate[],
): Promise<number> {
  let number = 1
  for (const other of others) number = Math.max(number, other.number + 1, other.head?.floor ?? 0)
  const onRecord = ({ kind, shortValue }: FoundRecord) => {
    if (kind === FLOOR) number = Math.max(number, shortValue.readUInt32LE())
  }
  await withFile(files, ACTIVE, (file) =>
    scanFile(file, length, null, { onRecord, onDamage: () => {} }, readsOn),
  )
  return number
}

interface Replay {
  readonly catalog: Catalog
  readonly losses: StoreLoss[]
  readonly readsOn: boolean
}

/** Takes in what a file holds. */
async function replay(
  file: StoreFile,
  { name, head, length }: Candidate,
  declared: number | null,
  segment: Segment,
  { catalog, losses, readsOn }: Replay,
): Promise<{ floor: number; isClean: boolean }> {
  let floor = 0
  let batch: FoundRecord[] = []
  let batchEnd = 0
  const damages: StoreLoss[] = []
  const commit = () => {
    for (const record of batch) {
      if (record.kind === FLOOR) floor = record.shortValue.readUInt32LE()
      else if (record.kind === PUT || record.kind === DELETE) apply(record, segment, catalog)
    }
    batch = []
  }
  const end = Math.min(declared ?? length, length)
  const tag = await scanFile(
    file,
    end,
    head?.tag ?? null,
    {
      onRecord: (record) => {
        batch.push(record)
        if (!record.endsBatch) return
        commit()
        batchEnd = record.at + record.size
      },
      onDamage: ({ at, size, key }) =>
        damages.push({ file: name, kind: 'damaged', at, bytes: size, key: key === '' ? null : key }),
    },
    readsOn,
  )
  segment.tag = tag ?? segment.tag
  if (declared === null) {
    segment.end = batchEnd
    const whole = damages.filter(({ at }) => at < batchEnd)
    losses.push(...whole)
    if (batchEnd < length) {
      losses.push({ file: name, kind: 'unfinished', at: batchEnd, bytes: length - batchEnd, key: null })
    }
    return { floor, isClean: whole.length === 0 }
  }
  // All of it was stored before the next file was begun.
  commit()
  segment.end = declared
  losses.push(...damages)
  if (length < declared) {
    losses.push({ file: name, kind: 'damaged', at: length, bytes: declared - length, key: null })
  }
  return { floor, isClean: false }
}

function apply(record: FoundRecord, { number }: Segment, catalog: Catalog): void {
  const { kind, key, at, size, valueLength } = record
  if (kind === DELETE) catalog.remove(key)
  else catalog.put(key, { file: number, at, size, counted: countedBytes(key.length, valueLength) })
}

export async function withFile<T>(
  files: Files,
  name: string,
  use: (file: StoreFile) => Promise<T>,
): Promise<T> {
  const file = await files.open(name, 'read')
  try {
    return await use(file)
  } finally {
    await file.close()
  }
}
