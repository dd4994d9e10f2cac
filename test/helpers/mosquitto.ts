import { type ChildProcess, spawn } from 'node:child_process'
import { pbkdf2Sync, randomBytes, randomInt } from 'node:crypto'
import { once } from 'node:events'
import { existsSync, readFileSync } from 'node:fs'
import { mkdtemp, rm, stat, writeFile } from 'node:fs/promises'
import { connect, createServer, type Server } from 'node:net'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { createInterface } from 'node:readline'
import { endChild } from './child.js'
import { until, within } from './deadline.js'

/** How long a broker may take to start, to stop or to log what a test waits for. */
const patience = 10_000

/** How many of the last lines of a broker are kept, at least. */
const mostLines = 2_000

/** What a test may choose about its broker. */
export interface MosquittoOptions {
  /** Lines of mosquitto.conf after the listener's; `$FOLDER` stands for the broker's own temporary folder. */
  settings?: string[]
  /** Names and passwords; without them everybody may connect. */
  users?: Record<string, string>
  /** Lines of the access control list. */
  acl?: string[]
  /** Logs every packet, for tests that wait for one by `logged()`. */
  packets?: boolean
}

/**
 * A Mosquitto of the test's own: on a free loopback port, configured in a temporary folder, stopped by its process
 * identifier. `kill()`, `pause()` and `restart()` do to it what happens to brokers in the field; the port stays.
 */
export class Mosquitto {
  readonly host = '127.0.0.1'
  /** The port on which the broker listens, the same after each `restart()`. */
  readonly port: number
  readonly #folder: string
  #process: ChildProcess | undefined
  #guard: ChildProcess | undefined
  #lines: string[] = []
  #watchers = new Set<() => void>()

  private constructor(port: number, folder: string) {
    this.port = port
    this.#folder = folder
  }

  /** Starts a broker and waits until it accepts connections. */
  static async start(options: MosquittoOptions = {}): Promise<Mosquitto> {
    const folder = await mkdtemp(join(tmpdir(), 'mosquitto-'))
    const broker = new Mosquitto(await freePort(), folder)
    await broker.#configure(options)
    await broker.#launch()
    return broker
  }

  /** The identifier of its process, while it runs. */
  get processes(): number[] {
    return this.#process?.pid === undefined ? [] : [this.#process.pid]
  }

  /** Everything the broker has logged, a line each. */
  get log(): readonly string[] {
    return this.#lines
  }

  /** Resolves with the first log line that matches, whether it is there already or still to come. */
  async logged(pattern: RegExp): Promise<string> {
    let watcher: () => void = () => {}
    const line = new Promise<string>((resolve) => {
      watcher = () => {
        const found = this.#lines.find((candidate) => pattern.test(candidate))
        if (found !== undefined) resolve(found)
      }
      this.#watchers.add(watcher)
      watcher()
    })
    try {
      return await within(patience, `the broker's log line ${pattern}`, line)
    } finally {
      this.#watchers.delete(watcher)
    }
  }

  /** Freezes the broker: connections stay open, nothing is answered. */
  pause(): void {
    this.#process?.kill('SIGSTOP')
  }

  /** Lets a paused broker go on. */
  resume(): void {
    this.#process?.kill('SIGCONT')
  }

  /** Makes a broker with `persistence` and `persistence_location $FOLDER` save what it has; resolves when that is done. */
  async save(): Promise<void> {
    const before = await this.#saved()
    this.#process?.kill('SIGUSR1')
    await until(patience, "mosquitto's saving", async () => (await this.#saved()) !== before)
  }

  /** Ends the broker without a chance to say goodbye, and waits until it is gone. */
  async kill(): Promise<void> {
    await this.#end('SIGKILL')
  }

  /** Ends the broker in an orderly way, so that a persistent one saves its sessions; the port and the data stay. */
  async shutDown(): Promise<void> {
    await this.#end('SIGTERM')
  }

  /** Starts a broker that was killed or shut down again, on the same port and with the same data. */
  async restart(): Promise<void> {
    await this.#launch()
  }

  /** Ends the broker and removes its folder. */
  async stop(): Promise<void> {
    this.resume()
    await this.#end('SIGTERM')
    await rm(this.#folder, { recursive: true, force: true })
  }

  async #configure({ settings = [], users, acl, packets = false }: MosquittoOptions): Promise<void> {
    const lines = ['log_dest stderr', 'log_timestamp false', 'connection_messages true']
    for (const type of ['error', 'warning', 'notice', 'information']) lines.push(`log_type ${type}`)
    if (packets) lines.push('log_type debug')
    if (process.getuid?.() === 0) lines.push('user root')
    lines.push(`listener ${this.port} ${this.host}`)
    lines.push(`allow_anonymous ${users === undefined}`)
    if (users !== undefined) {
      const file = join(this.#folder, 'passwords')
      const entries = Object.entries(users).map(([name, password]) => `${name}:${passwordHash(password)}\n`)
      await writeFile(file, entries.join(''), { mode: 0o600 })
      lines.push(`password_file ${file}`)
    }
    if (acl !== undefined) {
      const file = join(this.#folder, 'acl')
      await writeFile(file, `${acl.join('\n')}\n`, { mode: 0o600 })
      lines.push(`acl_file ${file}`)
    }
    lines.push(...settings.map((line) => line.replaceAll('$FOLDER', `${this.#folder}/`)))
    await writeFile(join(this.#folder, 'mosquitto.conf'), `${lines.join('\n')}\n`)
  }

  /** Tells one file of what the broker saved from the next: it takes the place of the last when it is whole. */
  async #saved(): Promise<string | undefined> {
    const file = await stat(join(this.#folder, 'mosquitto.db'), { bigint: true }).catch(() => undefined)
    return file && `${file.ino} ${file.mtimeNs}`
  }

  async #launch(): Promise<void> {
    const { program, environment } = mosquittoProgram()
    this.#lines = []
    const child = spawn(program, ['-c', join(this.#folder, 'mosquitto.conf')], {
      stdio: ['ignore', 'ignore', 'pipe'],
      env: { ...process.env, ...environment },
    })
    this.#process = child
    this.#guard = guard(child, this.#folder)
    const exited = once(child, 'exit').then(() => {
      throw new Error(`mosquitto ended at once:\n${this.#lines.join('\n')}`)
    })
    exited.catch(() => {})
    createInterface({ input: child.stderr }).on('line', (line) => {
      this.#lines.push(line)
      // A test looks for what has just happened; a long run must not grow by what its broker says.
      if (this.#lines.length > 2 * mostLines) this.#lines.splice(0, mostLines)
      for (const watcher of [...this.#watchers]) watcher()
    })
    await Promise.race([this.logged(/mosquitto version \S+ running/), exited])
    await this.#accepts()
  }

  async #accepts(): Promise<void> {
    const socket = connect(this.port, this.host)
    await within(patience, 'connecting to mosquitto', once(socket, 'connect'))
    socket.destroy()
  }

  async #end(signal: NodeJS.Signals): Promise<void> {
    const child = this.#process
    this.#process = undefined
    this.#guard?.kill('SIGKILL')
    await endChild(child, signal, 'mosquitto')
  }
}

/**
 * A shell that waits for the end of this process, however it comes, and then ends the server and removes its folder:
 * a test run that is killed leaves nothing behind. It knows by the end of its standard input.
 * @param signal `'QUIT'` for a server that has to clean up by itself, and gets five seconds for it
 */
export function guard(server: ChildProcess, folder: string, signal: 'KILL' | 'QUIT' = 'KILL'): ChildProcess {
  const alive = 'for _ in $(seq 50); do kill -0 "$1" 2>/dev/null || break; sleep 0.1; done'
  const script = `read -r _; kill -${signal} "$1"; ${alive}; kill -9 "$1" 2>/dev/null; rm -rf "$2"`
  const shell = spawn('sh', ['-c', script, 'sh', String(server.pid), folder], {
    stdio: ['pipe', 'ignore', 'ignore'],
    detached: true,
  })
  shell.on('error', () => {})
  shell.stdin?.on('error', () => {})
  shell.unref()
  return shell
}

/**
 * A port nobody listens on, and that nobody else who asks here gets, in no test process, until this one ends: its
 * reservation is a socket in Linux' abstract name space, which goes with the process. It lies below the range from
 * which the kernel takes the ports of outgoing connections, so that none of them takes it away between two starts of a
 * broker.
 */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = randomInt(10_000, 32_000)
    if (!(await listens(createServer().unref(), `\0aiomqtt-test-port-${port}`))) continue
    const server = createServer()
    const free = await listens(server, port)
    server.close()
    if (free) return port
  }
}

/** Whether a server could listen there. */
async function listens(server: Server, where: string | number): Promise<boolean> {
  if (typeof where === 'string') server.listen(where)
  else server.listen(where, '127.0.0.1')
  return once(server, 'listening').then(
    () => true,
    () => false,
  )
}

/** A line of Mosquitto's password file without its tool: PBKDF2 with SHA-512, format 7. */
function passwordHash(password: string): string {
  const iterations = 101
  const salt = randomBytes(12)
  const hash = pbkdf2Sync(password, salt, iterations, 64, 'sha512')
  return `$7$${iterations}$${salt.toString('base64')}$${hash.toString('base64')}`
}

/** Where mosquitto is: as the set-up found it, else on the path, else where Debian puts it. */
function mosquittoProgram(): { program: string; environment: Record<string, string> } {
  const tools = new URL('../../tools.json', import.meta.url)
  if (existsSync(tools)) {
    const { mosquitto } = JSON.parse(readFileSync(tools, 'utf8')) as { mosquitto?: string }
    if (mosquitto !== undefined && existsSync(mosquitto)) return { program: mosquitto, environment: {} }
  }
  const folders = [...(process.env.PATH ?? '').split(delimiter), '/usr/sbin', '/usr/local/sbin']
  const program = folders.map((folder) => join(folder, 'mosquitto')).find((file) => existsSync(file))
  if (program === undefined) throw new Error('mosquitto is not installed: apt-get install mosquitto')
  return { program, environment: {} }
}
