import { statSync } from 'node:fs'
import {
  type FileHandle,
  mkdir,
  open,
  readdir,
  readFile,
  rename,
  stat,
  statfs,
  unlink,
} from 'node:fs/promises'
import { hostname } from 'node:os'
import { dirname, join } from 'node:path'
import { getSystemErrorName } from 'node:util'
import { loadAddon } from '../engine/load-addon.js'
import { MqttError } from '../mqtt/errors.js'

/** A file of a store. */
export interface StoreFile {
  size(): Promise<number>
  /** @returns the bytes from a place on, as many as there are */
  read(at: number, length: number): Promise<Buffer>
  /** Writes all of it. */
  write(bytes: Uint8Array, at: number): Promise<void>
  /** Its bytes and its length are on the disk then. */
  sync(): Promise<void>
  truncate(length: number): Promise<void>
  close(): Promise<void>
}

/** How a file is opened: to be read, to be read and written, made where there is none, or made anew. */
export type OpenMode = 'read' | 'update' | 'make' | 'overwrite'

/** What a store needs of the operating system, in one directory; tests put faults in between. */
export interface Files {
  /** Makes the directory. @param isSynced true to have it on the disk then */
  make(isSynced: boolean): Promise<void>
  /**
   * Keeps the directory for one store.
   * @returns what ends it
   * @throws {MqttError} `ERR_MQTT_STORE`: another store has the directory
   */
  lock(): Promise<() => void>
  list(): Promise<string[]>
  open(name: string, mode: OpenMode): Promise<StoreFile>
  rename(from: string, to: string): Promise<void>
  remove(name: string): Promise<void>
  /** The names in the directory are on the disk then. */
  sync(): Promise<void>
  /** Whether the name still stands for this file, and the directory is still the one that is locked. */
  isCurrent(name: string, file: StoreFile): Promise<boolean>
  /** Bytes that the disk has room for. */
  free(): Promise<number>
}

const LOCK = 'lock'
const EAGAIN = 11
const EAGAIN_MACOS = 35
const FLAGS: Readonly<Record<OpenMode, string>> = { read: 'r', update: 'r+', make: 'wx+', overwrite: 'w+' }
const OWNER_ONLY = 0o600

/**
 * What Linux calls file systems that it has to itself: ext, XFS, Btrfs, tmpfs, overlay, F2FS, ZFS, bcachefs. There a name
 * is looked up in the kernel's memory, in microseconds, where a round through the thread pool takes many times as long;
 * on others a server may have to be asked, which may not answer.
 */
const LOCAL_FILE_SYSTEMS: ReadonlySet<number> = new Set([
  0xef53, 0x5846_5342, 0x9123_683e, 0x0102_1994, 0x794c_7630, 0xf2f5_2010, 0x2fc1_2fc1, 0xca45_1a4e,
])

/** By which the system tells files apart. */
interface Identity {
  readonly dev: bigint
  readonly ino: bigint
}

class NodeFile implements StoreFile {
  #identity: Promise<Identity> | null = null

  constructor(private readonly handle: FileHandle) {}

  /** Which file it is: the same as long as it is open. */
  identity(): Promise<Identity> {
    this.#identity ??= this.handle.stat({ bigint: true })
    return this.#identity
  }

  async size(): Promise<number> {
    return (await this.handle.stat()).size
  }

  async read(at: number, length: number): Promise<Buffer> {
    const bytes = Buffer.allocUnsafe(length)
    let done = 0
    while (done < length) {
      const { bytesRead } = await this.handle.read(bytes, done, length - done, at + done)
      if (bytesRead === 0) break
      done += bytesRead
    }
    return bytes.subarray(0, done)
  }

  /** A disk that fills up may take a part. */
  async write(bytes: Uint8Array, at: number): Promise<void> {
    for (let done = 0; done < bytes.length; ) {
      const { bytesWritten } = await this.handle.write(bytes, done, bytes.length - done, at + done)
      done += bytesWritten
    }
  }

  sync(): Promise<void> {
    return this.handle.datasync()
  }

  truncate(length: number): Promise<void> {
    return this.handle.truncate(length)
  }

  close(): Promise<void> {
    return this.handle.close()
  }
}

/** A directory, by Node's file system. */
export class NodeFiles implements Files {
  /** The lock's file, as it was when it was locked. */
  #locked: Identity | null = null
  #isLocal = false

  constructor(private readonly directory: string) {}

  async make(isSynced: boolean): Promise<void> {
    const first = await mkdir(this.directory, { recursive: true })
    if (!isSynced) return
    // A name lives in the directory above it.
    const last = dirname(first ?? this.directory)
    for (let path = dirname(this.directory); ; path = dirname(path)) {
      await syncDirectory(path)
      if (path === last || path === dirname(path)) return
    }
  }

  async lock(): Promise<() => void> {
    const path = join(this.directory, LOCK)
    const release = loadAddon().lockFile(path)
    if (release === EAGAIN || release === EAGAIN_MACOS) throw await inUse(this.directory, path)
    if (typeof release === 'number') throw lockError(release, path)
    try {
      const handle = await open(path, 'r+')
      try {
        await handle.truncate(0)
        // For the error of whoever finds it locked. A full disk is no reason to do without the store.
        await handle.write(`${process.pid} ${hostname()}\n`, 0).catch(() => {})
        this.#locked = await handle.stat({ bigint: true })
        this.#isLocal = process.platform === 'linux' && (await isLocal(this.directory))
      } finally {
        await handle.close()
      }
    } catch (error) {
      release()
      throw error
    }
    return release
  }

  list(): Promise<string[]> {
    return readdir(this.directory)
  }

  async open(name: string, mode: OpenMode): Promise<StoreFile> {
    return new NodeFile(await open(join(this.directory, name), FLAGS[mode], OWNER_ONLY))
  }

  rename(from: string, to: string): Promise<void> {
    return rename(join(this.directory, from), join(this.directory, to))
  }

  remove(name: string): Promise<void> {
    return unlink(join(this.directory, name))
  }

  sync(): Promise<void> {
    return syncDirectory(this.directory)
  }

  async isCurrent(name: string, file: StoreFile): Promise<boolean> {
    const ours = await (file as NodeFile).identity()
    const identityOf = this.#isLocal ? identityAtOnce : identity
    const [there, lock] = await Promise.all([
      identityOf(join(this.directory, name)),
      identityOf(join(this.directory, LOCK)),
    ])
    return isSame(there, ours) && (this.#locked === null || isSame(lock, this.#locked))
  }

  async free(): Promise<number> {
    const { bavail, bsize } = await statfs(this.directory)
    return bavail * bsize
  }
}

function isSame(a: Identity | null, b: Identity): boolean {
  return a !== null && a.dev === b.dev && a.ino === b.ino
}

async function identity(path: string): Promise<Identity | null> {
  return await stat(path, { bigint: true }).catch(missing)
}

function identityAtOnce(path: string): Identity | null {
  try {
    return statSync(path, { bigint: true, throwIfNoEntry: false }) ?? null
  } catch (error) {
    return missing(error)
  }
}

function missing(error: unknown): null {
  const { code } = error as NodeJS.ErrnoException
  if (code === 'ENOENT' || code === 'ENOTDIR') return null
  throw error
}

async function isLocal(directory: string): Promise<boolean> {
  return LOCAL_FILE_SYSTEMS.has((await statfs(directory)).type)
}

function lockError(errno: number, path: string): NodeJS.ErrnoException {
  const code = getSystemErrorName(-errno)
  return Object.assign(new Error(`${code}: cannot lock '${path}'`), {
    code,
    errno: -errno,
    syscall: 'flock',
    path,
  })
}

async function inUse(directory: string, path: string): Promise<MqttError> {
  const [pid = '', host = ''] = (await readFile(path, 'utf8').catch(() => '')).trim().split(' ')
  const isKnown = /^\d+$/.test(pid)
  const who = isKnown ? ` (process ${pid}${host === hostname() || host === '' ? '' : ` on ${host}`})` : ''
  return new MqttError(`The directory is in use by another store${who}: ${directory}`, {
    code: 'ERR_MQTT_STORE',
  })
}

/** Windows has no such thing: its file systems keep names in a journal of their own. */
async function syncDirectory(path: string): Promise<void> {
  if (process.platform === 'win32') return
  const directory = await open(path, 'r')
  try {
    await directory.sync()
  } finally {
    await directory.close()
  }
}
