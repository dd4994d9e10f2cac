import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { chmod, chown, cp, mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, dirname, join } from 'node:path'
import pg from 'pg'
import { endChild } from './child.js'
import { until, within } from './deadline.js'
import { guard } from './mosquitto.js'
import { programOf } from './servers.js'

/** How long PostgreSQL may take to be made, to start (which may take a recovery) or to stop. */
const patience = 30_000

const superuser = 'postgres'

/** Who runs it when this process is root's, whom PostgreSQL refuses: the first of them that there is. */
const unprivileged = ['postgres', 'nobody']

interface Owner {
  readonly uid: number
  readonly gid: number
}

/**
 * A PostgreSQL of one's own: in a temporary folder, on a unix socket there and nowhere else, with its usual durability
 * (`fsync`, `synchronous_commit`). `kill()` and `restart()` do to it what happens to databases in the field.
 */
export class Postgres {
  /** What libpq and its relatives (pg, psql) read to find it. */
  readonly environment: Readonly<Record<string, string>>
  readonly #folder: string
  readonly #programs: string
  readonly #owner: Owner | undefined
  #process: ChildProcess | undefined
  #guard: ChildProcess | undefined
  #output = ''

  private constructor(folder: string, programs: string, owner: Owner | undefined) {
    this.#folder = folder
    this.#programs = programs
    this.#owner = owner
    this.environment = { PGHOST: folder, PGPORT: '5432', PGUSER: superuser, PGDATABASE: 'postgres' }
  }

  /** Makes a database cluster, starts it and waits until it answers. */
  static async start(): Promise<Postgres> {
    const folder = await mkdtemp(join(tmpdir(), 'postgresql-'))
    try {
      const owner = unprivilegedOwner()
      if (owner !== undefined) await chown(folder, owner.uid, owner.gid)
      const programs = await programsFor(owner, folder)
      const postgres = new Postgres(folder, programs, owner)
      await postgres.#initialize()
      await postgres.#launch()
      return postgres
    } catch (error) {
      await rm(folder, { recursive: true, force: true })
      throw error
    }
  }

  /** The processes of the server, the first one first. */
  get processes(): number[] {
    const pid = this.#process?.pid
    return pid === undefined ? [] : [pid, ...childrenOf(pid)]
  }

  /** A connection to it. */
  async connect(): Promise<pg.Client> {
    const { PGHOST: host, PGPORT: port, PGUSER: user, PGDATABASE: database } = this.environment
    const client = new pg.Client({ host, port: Number(port), user, database })
    client.on('error', () => {})
    await client.connect()
    return client
  }

  /** Ends all its processes at once, as a machine that goes off does. */
  async kill(): Promise<void> {
    const children = this.processes.slice(1)
    const ended = this.#end('SIGKILL')
    for (const child of children) killIfAlive(child)
    await ended
    await until(patience, "the end of PostgreSQL's processes", () => children.every(isGone))
  }

  /** Starts a server that was killed again; it recovers what was committed. */
  async restart(): Promise<void> {
    await this.#launch()
  }

  /** Ends it and removes its folder. */
  async stop(): Promise<void> {
    await this.#end('SIGINT')
    await this.#releaseSharedMemory()
    await rm(this.#folder, { recursive: true, force: true })
  }

  get #data(): string {
    return join(this.#folder, 'data')
  }

  async #initialize(): Promise<void> {
    const how = ['--encoding=UTF8', '--locale=C', '--auth=trust', '--no-sync', '--username', superuser]
    const child = this.#spawn('initdb', ['-D', this.#data, ...how])
    const [code] = (await within(patience, 'initdb', once(child, 'close'))) as [number | null]
    if (code !== 0) throw new Error(`initdb ended with ${code}:\n${this.#output}`)
  }

  async #launch(): Promise<void> {
    // Its dynamic shared memory lies in its folder, too.
    const settings = [
      'listen_addresses=',
      `unix_socket_directories=${this.#folder}`,
      'dynamic_shared_memory_type=mmap',
      'max_wal_size=4GB',
    ]
    const args = ['-D', this.#data, ...settings.flatMap((setting) => ['-c', setting])]
    const child = this.#spawn(basename(postgresProgram()), args)
    this.#process = child
    this.#guard = guard(child, this.#folder, 'QUIT')
    const ended = once(child, 'exit').then(() => {
      throw new Error(`PostgreSQL ended at once:\n${this.#output}`)
    })
    ended.catch(() => {})
    await Promise.race([until(patience, 'starting PostgreSQL', () => this.#answers()), ended])
  }

  async #answers(): Promise<boolean> {
    try {
      await (await this.connect()).end()
      return true
    } catch {
      return false
    }
  }

  #spawn(program: string, args: string[]): ChildProcess {
    this.#output = ''
    const child = spawn(join(this.#programs, program), args, {
      cwd: this.#folder,
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, LC_ALL: 'C', TZ: 'UTC' },
      ...this.#owner,
    })
    for (const stream of [child.stdout, child.stderr]) {
      stream.on('data', (chunk: Buffer) => {
        this.#output = (this.#output + chunk).slice(-10_000)
      })
    }
    return child
  }

  async #end(signal: NodeJS.Signals): Promise<void> {
    const child = this.#process
    this.#process = undefined
    this.#guard?.kill('SIGKILL')
    await endChild(child, signal, 'PostgreSQL')
  }

  /** A server that was killed leaves its few bytes of System V shared memory, by which the next one would know it. */
  async #releaseSharedMemory(): Promise<void> {
    const lines = await readFile(join(this.#data, 'postmaster.pid'), 'utf8').catch(() => '')
    const [, identifier] = lines.split('\n')[6]?.trim().split(/\s+/) ?? []
    if (identifier === undefined) return
    const child = spawn('ipcrm', ['-m', identifier], { stdio: 'ignore' })
    await once(child, 'close').catch(() => {})
  }
}

/** Whether there is a PostgreSQL: on Debian there always is. */
export function hasPostgres(): boolean {
  try {
    return existsSync(postgresProgram())
  } catch {
    return false
  }
}

/** Where PostgreSQL is; `initdb` lies beside it. */
function postgresProgram(): string {
  return programOf('postgresql')
}

/** Whom PostgreSQL runs as, for a process of root's. */
function unprivilegedOwner(): Owner | undefined {
  if (process.getuid?.() !== 0) return undefined
  const users = new Map(
    readFileSync('/etc/passwd', 'utf8')
      .split('\n')
      .map((line) => line.split(':'))
      .map(([name, , uid, gid]) => [name, { uid: Number(uid), gid: Number(gid) }]),
  )
  const name = unprivileged.find((candidate) => users.has(candidate))
  if (name === undefined) throw new Error(`PostgreSQL does not run as root, and there is no ${unprivileged}`)
  return users.get(name)
}

/** The folder of the programs: a copy if their owner may not read where they are. */
async function programsFor(owner: Owner | undefined, folder: string): Promise<string> {
  const programs = dirname(postgresProgram())
  if (owner === undefined) return programs
  const probe = spawn(postgresProgram(), ['--version'], { cwd: folder, stdio: 'ignore', ...owner })
  const [code] = (await once(probe, 'close').catch(() => [1])) as [number | null]
  if (code === 0) return programs
  const copy = join(folder, 'programs')
  await cp(programs, copy, { recursive: true, verbatimSymlinks: true })
  await chmod(copy, 0o755)
  return copy
}

/** The children of a process. Linux alone says so in its file system; elsewhere there seem to be none. */
function childrenOf(parent: number): number[] {
  if (!existsSync('/proc/self/stat')) return []
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((pid) => parentOf(pid) === parent)
}

/** Undefined for a process that has ended. */
function parentOf(pid: number): number | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'utf8')
    // What stands in parentheses before is the program's name, which may hold anything.
    const [state, parent] = text.slice(text.lastIndexOf(')') + 2).split(' ')
    return state === 'Z' ? undefined : Number(parent)
  } catch {
    return undefined
  }
}

function killIfAlive(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL')
  } catch {
    // It has ended by itself.
  }
}

function isGone(pid: number): boolean {
  return parentOf(pid) === undefined
}
