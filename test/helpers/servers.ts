import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readFileSync, rmSync } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { endChild } from './child.js'
import { until } from './deadline.js'
import { freePort, guard } from './mosquitto.js'

/** How long a server may take to start or to stop. */
const patience = 10_000

const running = new Set<Server>()
process.on('exit', () => {
  for (const server of running) server.leaveNothing()
})

interface Target {
  host: string
  port: number
}

/** How a program is started. */
export interface Launch {
  args: string[]
  /** A program beside the one that build/tools.json names. */
  helper?: string
  /** The files of its folder. */
  files?: Record<string, string>
  /** Added to this process's environment. */
  environment?: Record<string, string>
  /** How long it may take to start, in milliseconds; 10 seconds. */
  patience?: number
}

/** A server beside the client, on free loopback ports, in a temporary folder, stopped by its identifier. */
export class Server {
  readonly host = '127.0.0.1'
  #process: ChildProcess | undefined
  #guard: ChildProcess | undefined
  #output = ''

  private constructor(
    /** The first of `ports`. */
    readonly port: number,
    readonly ports: readonly number[],
    readonly folder: string,
  ) {
    running.add(this)
  }

  /**
   * Starts a program and waits until it listens.
   * @param name as build/tools.json knows it
   * @param count how many ports it needs
   * @param configure how it is started
   */
  static async start(
    name: string,
    count: number,
    configure: (ports: number[], folder: string) => Launch,
  ): Promise<Server> {
    const folder = await mkdtemp(join(tmpdir(), `${name}-`))
    const ports: number[] = []
    while (ports.length < count) ports.push(await freePort())
    const server = new Server(ports[0] ?? 0, ports, folder)
    const launch = configure(ports, folder)
    for (const [file, text] of Object.entries(launch.files ?? {})) await writeFile(join(folder, file), text)
    const program = programOf(name)
    await server.#launch(
      launch.helper === undefined ? program : join(dirname(program), launch.helper),
      launch,
    )
    return server
  }

  /** What it has printed. */
  get output(): string {
    return this.#output
  }

  async stop(): Promise<void> {
    running.delete(this)
    this.#guard?.kill('SIGKILL')
    await endChild(this.#process, 'SIGTERM', 'the server')
    await rm(this.folder, { recursive: true, force: true })
  }

  /** What can still be done when the test's own process ends before `stop()`. */
  leaveNothing(): void {
    this.#process?.kill('SIGKILL')
    rmSync(this.folder, { recursive: true, force: true })
  }

  async #launch(
    program: string,
    { args, environment = {}, patience: limit = patience }: Launch,
  ): Promise<void> {
    const env = { ...process.env, ...environment }
    const child = spawn(program, args, { cwd: this.folder, env, stdio: ['ignore', 'pipe', 'pipe'] })
    this.#process = child
    this.#guard = guard(child, this.folder)
    for (const stream of [child.stdout, child.stderr]) {
      stream.on('data', (chunk: Buffer) => {
        this.#output += chunk
      })
    }
    const exited = once(child, 'exit').then(() => {
      throw new Error(`${program} ended at once:\n${this.#output}`)
    })
    exited.catch(() => {})
    for (const port of this.ports) await Promise.race([until(limit, program, () => accepts(port)), exited])
  }
}

async function accepts(port: number): Promise<boolean> {
  const socket = connect(port, '127.0.0.1')
  const isUp = await once(socket, 'connect').then(
    () => true,
    () => false,
  )
  socket.destroy()
  return isUp
}

/** Where a program is, as the set-up found it. */
export function programOf(name: string): string {
  const tools = JSON.parse(readFileSync(new URL('../../tools.json', import.meta.url), 'utf8')) as Record<
    string,
    string
  >
  const program = tools[name]
  if (program === undefined) throw new Error(`${name} is missing: node scripts/setup.mjs --with-servers`)
  return program
}

// --- nginx ---------------------------------------------------------------------------------------------------------

/** What nginx is to do, as blocks of its configuration; `$PORT`, `$PORT2` and so on stand for its ports. */
export interface NginxOptions {
  /** Lines of a block `stream`. */
  stream?: string
  /** Lines of a block `http`. */
  http?: string
  /** How many ports it needs; 1. */
  ports?: number
  files?: Record<string, string>
}

/** Starts nginx; its module for streams comes as a file of its own from Debian. */
export function nginx({
  stream = '',
  http = '',
  ports: count = 1,
  files = {},
}: NginxOptions): Promise<Server> {
  return Server.start('nginx', count, (ports, folder) => {
    const known = [join(programOf('nginx'), '../usr/lib/nginx/modules'), '/usr/lib/nginx/modules']
    const module = known.map((path) => join(path, 'ngx_stream_module.so')).find((path) => existsSync(path))
    const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(
      (name) => `${name}_temp_path ${folder};`,
    )
    const text = [
      module === undefined ? '' : `load_module ${module};`,
      'daemon off; master_process off; worker_processes 1;',
      `pid ${folder}/pid; error_log stderr warn;`,
      'events { worker_connections 64; }',
      `stream { ${stream} }`,
      `http { access_log off; ${temporary.join(' ')} ${http} }`,
    ].join('\n')
    const filled = text
      .replaceAll(/\$PORT(\d?)/g, (_match, number) => String(ports[Number(number || 1) - 1]))
      .replaceAll('$FOLDER', folder)
    return {
      args: ['-p', folder, '-e', 'stderr', '-c', join(folder, 'conf')],
      files: { ...files, conf: filled },
    }
  })
}

// --- Proxies -------------------------------------------------------------------------------------------------------

/** Who may use a proxy; everybody if nobody is named. */
export interface ProxyUser {
  user: string
  password: string
}

/** Starts an HTTP proxy that connects to any port. */
export function tinyproxy(login?: ProxyUser): Promise<Server> {
  return Server.start('tinyproxy', 1, ([port], folder) => {
    const lines = [`Port ${port}`, 'Listen 127.0.0.1', 'Timeout 60', 'MaxClients 20', 'LogLevel Connect']
    if (login !== undefined) lines.push(`BasicAuth ${login.user} ${login.password}`)
    return { args: ['-d', '-c', join(folder, 'conf')], files: { conf: `${lines.join('\n')}\n` } }
  })
}

/** Starts a SOCKS5 proxy. */
export function microsocks(login?: ProxyUser): Promise<Server> {
  return Server.start('microsocks', 1, ([port]) => {
    const user = login === undefined ? [] : ['-u', login.user, '-P', login.password]
    return { args: ['-i', '127.0.0.1', '-p', String(port), ...user] }
  })
}

/** Starts a proxy for SOCKS4 and SOCKS5. */
export function dante(): Promise<Server> {
  return Server.start('dante-server', 1, ([port], folder) => {
    const lines = [
      'logoutput: stderr',
      `internal: 127.0.0.1 port = ${port}`,
      'external: 127.0.0.1',
      'clientmethod: none',
      'socksmethod: none',
      'client pass { from: 127.0.0.0/8 to: 0.0.0.0/0 }',
      'socks pass { from: 127.0.0.0/8 to: 0.0.0.0/0 }',
    ]
    return {
      args: ['-f', join(folder, 'conf'), '-p', join(folder, 'pid')],
      files: { conf: `${lines.join('\n')}\n` },
    }
  })
}

/** A port of the same kind as `Server.ports`, in the form in which clients and relays take it. */
export function portOf(server: Server, index = 0): Target {
  return { host: server.host, port: server.ports[index] ?? 0 }
}
