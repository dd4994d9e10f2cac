// A disk in memory with one directory, for SegmentedLog: it keeps everything that is done to it, so that what a power loss
// leaves can be made again for each moment; and it fails when it is told to.

import type { Files, OpenMode, StoreFile } from '../../dist/store/files.js'

type Operation =
  | { kind: 'write'; file: number; at: number; bytes: Uint8Array }
  | { kind: 'truncate'; file: number; length: number }
  | { kind: 'sync'; file: number }
  | { kind: 'make' | 'remove'; name: string; file: number }
  | { kind: 'rename'; name: string; to: string }
  | { kind: 'sync directory' }
  /** Something that the test wants to find again. */
  | { kind: 'mark'; value: number }

/** What a disk is asked to do, for faults. */
export type Request = 'open' | 'read' | 'write' | 'sync' | 'truncate' | 'rename' | 'remove' | 'list' | 'check'

export class SimulatedDisk implements Files {
  /** All that was done, in its order. */
  readonly operations: Operation[] = []
  /** Called before all that is asked for; what it throws is what the disk answers. */
  fault: (request: Request) => void = () => {}
  /** Bytes that there is room for. */
  capacity = Number.POSITIVE_INFINITY
  /** Files that are open. */
  opened = 0
  readonly #names: Map<string, number>
  readonly #contents: Map<number, Buffer>
  #next = 1

  /** @param before what is on it already, by the files' names and numbers */
  constructor(
    private readonly before: { names: Map<string, number>; contents: Map<number, Buffer> } = {
      names: new Map(),
      contents: new Map(),
    },
  ) {
    this.#names = new Map(before.names)
    this.#contents = new Map(before.contents)
    this.#next = Math.max(0, ...before.contents.keys()) + 1
  }

  get used(): number {
    let sum = 0
    for (const file of this.#names.values()) sum += this.content(file).length
    return sum
  }

  get names(): string[] {
    return [...this.#names.keys()]
  }

  /** The bytes of a file, by its name. */
  bytes(name: string): Buffer {
    return this.content(this.#names.get(name) as number)
  }

  mark(value: number): void {
    this.operations.push({ kind: 'mark', value })
  }

  /** A disk with the same files, and no past. */
  copy(): SimulatedDisk {
    return new SimulatedDisk({ names: this.#names, contents: this.#contents })
  }

  async make(): Promise<void> {}

  async lock(): Promise<() => void> {
    return () => {}
  }

  async list(): Promise<string[]> {
    this.fault('list')
    return this.names
  }

  async open(name: string, mode: OpenMode): Promise<StoreFile> {
    this.fault('open')
    let file = this.#names.get(name)
    if (file === undefined && (mode === 'read' || mode === 'update')) throw systemError('ENOENT')
    if (file === undefined) {
      file = this.#next++
      this.#names.set(name, file)
      this.operations.push({ kind: 'make', name, file })
    } else if (mode === 'overwrite') {
      this.truncate(file, 0)
    }
    this.opened++
    return new SimulatedFile(this, file)
  }

  async rename(name: string, to: string): Promise<void> {
    this.fault('rename')
    this.#names.set(to, this.#names.get(name) as number)
    this.#names.delete(name)
    this.operations.push({ kind: 'rename', name, to })
  }

  async remove(name: string): Promise<void> {
    this.fault('remove')
    const file = this.#names.get(name)
    if (file === undefined) throw systemError('ENOENT')
    this.#names.delete(name)
    this.operations.push({ kind: 'remove', name, file })
  }

  async sync(): Promise<void> {
    this.fault('sync')
    this.operations.push({ kind: 'sync directory' })
  }

  async isCurrent(name: string, file: StoreFile): Promise<boolean> {
    this.fault('check')
    return this.#names.get(name) === (file as SimulatedFile).number
  }

  async free(): Promise<number> {
    return this.capacity - this.used
  }

  /** The bytes of a file, by its number. */
  content(file: number): Buffer {
    return this.#contents.get(file) ?? Buffer.alloc(0)
  }

  write(file: number, at: number, bytes: Uint8Array): void {
    const grows = at + bytes.length - this.content(file).length
    const room = this.capacity - this.used
    const taken = grows > room ? Math.max(0, bytes.length - (grows - room)) : bytes.length
    this.#put(file, at, bytes.subarray(0, taken))
    this.operations.push({ kind: 'write', file, at, bytes: Buffer.from(bytes.subarray(0, taken)) })
    if (taken < bytes.length) throw systemError('ENOSPC')
  }

  truncate(file: number, length: number): void {
    this.#contents.set(file, resized(this.content(file), length))
    this.operations.push({ kind: 'truncate', file, length })
  }

  #put(file: number, at: number, bytes: Uint8Array): void {
    this.#contents.set(file, written(this.content(file), at, bytes))
  }

  /**
   * The disk as a power loss leaves it.
   * @param end how many of the operations had been asked for
   * @param keeps says of each write that no sync confirmed how much of it is on the disk, from 0 to 1; and of changes of
   *   names, of which the later ones are on the disk only if the earlier ones are, whether it is (1)
   */
  afterPowerLoss(end: number, keeps: (operation: number) => number): SimulatedDisk {
    const done = this.operations.slice(0, end)
    const names = new Map(this.before.names)
    const contents = new Map(this.before.contents)
    const lastSync = new Map<number, number>()
    let lastDirectorySync = -1
    for (const [index, operation] of done.entries()) {
      if (operation.kind === 'sync') lastSync.set(operation.file, index)
      if (operation.kind === 'sync directory') lastDirectorySync = index
    }
    let areNamesKept = true
    for (const [index, operation] of done.entries()) {
      switch (operation.kind) {
        case 'write': {
          const isSure = index < (lastSync.get(operation.file) ?? -1)
          const share = isSure ? 1 : keeps(index)
          if (share === 0) break
          const bytes = operation.bytes.subarray(0, Math.ceil(operation.bytes.length * share))
          contents.set(
            operation.file,
            written(contents.get(operation.file) ?? Buffer.alloc(0), operation.at, bytes),
          )
          break
        }
        case 'truncate': {
          const isSure = index < (lastSync.get(operation.file) ?? -1)
          if (!isSure && keeps(index) < 1) break
          const before = contents.get(operation.file) ?? Buffer.alloc(0)
          contents.set(operation.file, resized(before, operation.length))
          break
        }
        case 'make':
        case 'remove':
        case 'rename': {
          areNamesKept &&= index < lastDirectorySync || keeps(index) === 1
          if (!areNamesKept) break
          if (operation.kind === 'make') names.set(operation.name, operation.file)
          else if (operation.kind === 'rename') names.set(operation.to, names.get(operation.name) as number)
          if (operation.kind !== 'make') names.delete(operation.name)
          break
        }
      }
    }
    return new SimulatedDisk({ names, contents })
  }

  /** The operations before `end` that no sync has confirmed. */
  unconfirmed(end: number): number[] {
    const found: number[] = []
    const synced = new Set<number>()
    let areNamesSynced = false
    for (let index = end - 1; index >= 0; index--) {
      const operation = this.operations[index] as Operation
      if (operation.kind === 'sync') synced.add(operation.file)
      else if (operation.kind === 'sync directory') areNamesSynced = true
      else if (operation.kind === 'write' || operation.kind === 'truncate') {
        if (!synced.has(operation.file)) found.push(index)
      } else if (operation.kind !== 'mark' && !areNamesSynced) found.push(index)
    }
    return found
  }
}

class SimulatedFile implements StoreFile {
  constructor(
    private readonly disk: SimulatedDisk,
    readonly number: number,
  ) {}

  async size(): Promise<number> {
    return this.disk.content(this.number).length
  }

  async read(at: number, length: number): Promise<Buffer> {
    this.disk.fault('read')
    return Buffer.from(this.disk.content(this.number).subarray(at, at + length))
  }

  async write(bytes: Uint8Array, at: number): Promise<void> {
    this.disk.fault('write')
    this.disk.write(this.number, at, bytes)
  }

  async sync(): Promise<void> {
    this.disk.fault('sync')
    this.disk.operations.push({ kind: 'sync', file: this.number })
  }

  async truncate(length: number): Promise<void> {
    this.disk.fault('truncate')
    this.disk.truncate(this.number, length)
  }

  async close(): Promise<void> {
    this.disk.opened--
  }
}

/** An error as the operating system gives it. */
export function systemError(code: string): NodeJS.ErrnoException {
  return Object.assign(new Error(code), { code })
}

function written(before: Buffer, at: number, bytes: Uint8Array): Buffer {
  const after = resized(before, Math.max(before.length, at + bytes.length))
  after.set(bytes, at)
  return after
}

function resized(before: Buffer, length: number): Buffer {
  const after = Buffer.alloc(length)
  before.copy(after)
  return after
}
