import type { Files, StoreFile } from './files.js'
import { ENDS_BATCH, LogEncoder, PUT } from './log-format.js'
import { isOldLayout, readOldLayout } from './old-layout.js'
import { type StoreLoss, withFile } from './recovery.js'
import { ACTIVE, encodeHead } from './segment.js'

const NEW = 'records.new'
/** A file of the first version that could not be read to its end. */
const KEPT = 'records.old'
const BEGINNING = 4
const ALL = 2 ** 31 - 1

/** Whether the store is one of the first version. */
export async function isOld(files: Files): Promise<boolean> {
  if (!(await files.list()).includes(ACTIVE)) return false
  return await withFile(files, ACTIVE, async (file) => isOldLayout(await file.read(0, BEGINNING)))
}

/**
 * Writes a file of the first version anew, and puts the result in its place. If not all of it could be read, it stays
 * there under another name.
 * @returns what could not be read
 */
export async function migrate(files: Files): Promise<StoreLoss[]> {
  if (!(await isOld(files))) return []
  const old = await withFile(files, ACTIVE, async (file) => file.read(0, Math.min(await file.size(), ALL)))
  const { records, read, unknown } = readOldLayout(old)
  const losses: StoreLoss[] = unknown.map((key) => ({ file: KEPT, kind: 'damaged', at: 0, bytes: 0, key }))
  if (read < old.length) {
    losses.push({ file: KEPT, kind: 'damaged', at: read, bytes: old.length - read, key: null })
  }
  if (losses.length > 0) await written(files, KEPT, async (file) => file.write(old, 0))
  await written(files, NEW, async (file) => {
    const head = encodeHead(1, 0, 0)
    await file.write(head.bytes, 0)
    let at = head.end
    const encoder = new LogEncoder(head.tag, at, old.length)
    for (const [key, value] of records) {
      encoder.add(PUT | ENDS_BATCH, key, value)
      for (const bytes of encoder.take()) {
        await file.write(bytes, at)
        at += bytes.length
      }
    }
  })
  await files.rename(NEW, ACTIVE)
  await files.sync()
  return losses
}

async function written(files: Files, name: string, write: (file: StoreFile) => Promise<void>): Promise<void> {
  const file = await files.open(name, 'overwrite')
  try {
    await write(file)
    await file.sync()
  } finally {
    await file.close()
  }
}
