import { once } from 'node:events'
import { readdirSync } from 'node:fs'
import { type AddressInfo, createServer, type Server as NetServer } from 'node:net'
import { dirname, join } from 'node:path'
import { createServer as createTlsServer } from 'node:tls'
import { Aedes } from 'aedes'
import { createWebSocketStream, WebSocketServer } from 'ws'
import { Authority } from '../helpers/certificates.js'
import { freePort } from '../helpers/mosquitto.js'
import { programOf, Server } from '../helpers/servers.js'
import type { Running, Version } from './running.js'
import type { ScenarioName } from './scenarios.js'

/** How long a broker written in Erlang may take to start, in milliseconds. */
const ERLANG_PATIENCE = 120_000

const authority = Authority.root('Brokers', ['127.0.0.1', 'localhost'])

/** What all of them have in common. */
const place = { host: '127.0.0.1', caCerts: authority.certificate }

/** A broker that the scenarios are tried with. */
export interface Broker {
  readonly name: string
  /** The version that was tried, as its documentation page names it. */
  readonly release: string
  /** What it does not do, and the error or the difference that a user sees; for one version of MQTT or for each. */
  readonly lacks: Partial<Record<ScenarioName, string | Partial<Record<Version, string>>>>
  /** Versions of MQTT that it refuses, with the start of the error that `connect()` rejects with. */
  readonly refuses?: Partial<Record<Version, string>>
  start(): Promise<Running>
}

// --- Mosquitto -----------------------------------------------------------------------------------------------------

const mosquitto: Broker = {
  name: 'Mosquitto',
  release: '2.0.11',
  lacks: {},
  async start() {
    const server = await Server.start('mosquitto', 3, ([tcp, tls, websocket], folder) => ({
      args: ['-c', join(folder, 'conf')],
      files: {
        ...identityFiles(),
        conf: [
          ...(process.getuid?.() === 0 ? ['user root'] : []),
          'allow_anonymous true',
          `listener ${tcp} 127.0.0.1`,
          `listener ${tls} 127.0.0.1`,
          `certfile ${join(folder, 'certificate.pem')}`,
          `keyfile ${join(folder, 'key.pem')}`,
          `listener ${websocket} 127.0.0.1`,
          'protocol websockets',
          '',
        ].join('\n'),
      },
    }))
    return runningOn(server, '/mqtt')
  },
}

// --- aedes ---------------------------------------------------------------------------------------------------------

const aedes: Broker = {
  name: 'aedes',
  release: '1.2',
  refuses: { 'MQTT 5': '[code:132] Unsupported protocol version' },
  lacks: {
    'shared subscription': 'the filter is taken for a topic of that name: no message comes',
  },
  async start() {
    const broker = await Aedes.createBroker()
    const identity = { cert: authority.certificate, key: authority.key }
    const plain = createServer({ noDelay: true }, broker.handle)
    const secure = createTlsServer({ ...identity, noDelay: true }, broker.handle)
    const web = new WebSocketServer({ host: '127.0.0.1', port: 0, handleProtocols: () => 'mqtt' })
    web.on('connection', (socket, request) => void broker.handle(createWebSocketStream(socket), request))
    await once(web, 'listening')
    return {
      ...place,
      tcp: await portOf(plain),
      tls: await portOf(secure),
      websocket: { port: (web.address() as AddressInfo).port, path: '/mqtt' },
      async stop() {
        await new Promise<void>((resolve) => broker.close(resolve))
        for (const server of [plain, secure, web]) server.close()
      },
    }
  },
}

async function portOf(server: NetServer): Promise<number> {
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return (server.address() as AddressInfo).port
}

// --- NATS ----------------------------------------------------------------------------------------------------------

const nats: Broker = {
  name: 'NATS',
  release: '2.9.10',
  refuses: { 'MQTT 5': '[code:132] Unsupported protocol version' },
  lacks: {
    'QoS 2': 'subscriptions are granted QoS 1; a publish of QoS 2 ends the connection',
    'shared subscription': 'the filter is taken for a topic of that name: no message comes',
  },
  // A NATS server has one listener for MQTT: the one with TLS is a server of its own.
  async start() {
    const plain = await natsServer(false)
    const secure = await natsServer(true)
    return {
      ...place,
      tcp: plain.ports[0],
      tls: secure.ports[0],
      websocket: { port: plain.ports[1], path: '/mqtt' },
      async stop() {
        await Promise.all([plain.stop(), secure.stop()])
      },
    }
  },
}

function natsServer(isSecure: boolean): Promise<Server> {
  return Server.start('nats-server', 3, ([mqtt, websocket, client], folder) => {
    const files = `cert_file: "${folder}/certificate.pem", key_file: "${folder}/key.pem"`
    const conf = [
      'server_name: one',
      `listen: 127.0.0.1:${client}`,
      'max_payload: 8MB',
      `jetstream { store_dir: "${folder}/store", max_mem: 64MB, max_file: 256MB }`,
      `mqtt { listen: 127.0.0.1:${mqtt}${isSecure ? `, tls: { ${files} }` : ''} }`,
      `websocket { listen: 127.0.0.1:${websocket}, no_tls: true }`,
      '',
    ]
    return { args: ['-c', join(folder, 'conf')], files: { ...identityFiles(), conf: conf.join('\n') } }
  })
}

// --- RabbitMQ and ejabberd, which are written in Erlang --------------------------------------------------------------

const rabbitmq: Broker = {
  name: 'RabbitMQ',
  release: '3.10.8',
  refuses: { 'MQTT 5': '[code:7] The connection was lost.' },
  lacks: {
    'QoS 2': 'subscriptions are granted QoS 1; a publish of QoS 2 is answered with PUBACK',
    'shared subscription': 'the filter is taken for a topic of that name: no message comes',
  },
  async start() {
    // Erlang's nodes find each other by a daemon, which would outlive RabbitMQ if that had to start it.
    const names = await Server.start('rabbitmq-server', 1, ([port]) => ({
      helper: 'epmd',
      args: ['-address', '127.0.0.1', '-port', String(port)],
    }))
    const distribution = await freePort()
    const amqp = await freePort()
    const server = await Server.start('rabbitmq-server', 3, ([tcp, tls, websocket], folder) => {
      const tool = join(dirname(programOf('rabbitmq-server')), 'usr/lib')
      const home = join(tool, 'rabbitmq/lib', onlyFolder(join(tool, 'rabbitmq/lib'), 'rabbitmq_server-'))
      return {
        args: [
          ...['-noinput', '-boot', 'start_sasl', '-s', 'rabbit', 'boot', '+W', 'w'],
          ...['-syslog', 'logger', '[]', '-syslog', 'syslog_error_logger', 'false'],
          ...['-kernel', 'prevent_overlapping_partitions', 'false'],
        ],
        environment: {
          ...erlang('rabbitmq-server', folder),
          ERL_LIBS: join(home, 'plugins'),
          ERL_EPMD_PORT: String(names.port),
          ERL_EPMD_ADDRESS: '127.0.0.1',
          SYS_PREFIX: '',
          RABBITMQ_HOME: home,
          RABBITMQ_NODENAME: `aiomqtt-${tcp}@localhost`,
          RABBITMQ_MNESIA_BASE: join(folder, 'mnesia'),
          RABBITMQ_LOG_BASE: join(folder, 'log'),
          RABBITMQ_LOGS: '-',
          RABBITMQ_ENABLED_PLUGINS_FILE: join(folder, 'plugins'),
          RABBITMQ_CONFIG_FILE: join(folder, 'rabbitmq.conf'),
          RABBITMQ_CONF_ENV_FILE: '/dev/null',
          RABBITMQ_DIST_PORT: String(distribution),
        },
        files: {
          ...identityFiles(),
          plugins: '[rabbitmq_mqtt,rabbitmq_web_mqtt].',
          'rabbitmq.conf': [
            `listeners.tcp.1 = 127.0.0.1:${amqp}`,
            `mqtt.listeners.tcp.1 = 127.0.0.1:${tcp}`,
            `mqtt.listeners.ssl.1 = 127.0.0.1:${tls}`,
            `web_mqtt.tcp.listener = 127.0.0.1:${websocket}`,
            `ssl_options.certfile = ${folder}/certificate.pem`,
            `ssl_options.keyfile = ${folder}/key.pem`,
            `ssl_options.cacertfile = ${folder}/certificate.pem`,
            'ssl_options.verify = verify_none',
            'log.console.level = warning',
            '',
          ].join('\n'),
        },
        patience: ERLANG_PATIENCE,
      }
    })
    return {
      ...runningOn(server, '/ws'),
      async stop() {
        await server.stop()
        await names.stop()
      },
    }
  },
}

const ejabberd: Broker = {
  name: 'ejabberd',
  release: '23.01',
  lacks: {
    'shared subscription': {
      'MQTT 3.1.1': 'the broker ends the connection',
      'MQTT 5': '`subscribe()` rejects with `[code:158]`: CONNACK says that there are none',
    },
  },
  async start() {
    const server = await Server.start('ejabberd', 3, ([tcp, tls, websocket], folder) => {
      const tool = join(dirname(programOf('ejabberd')), 'usr/lib')
      const modules = join(tool, onlyFolder(tool, 'x86_64-', 'aarch64-'))
      return {
        args: ['-noinput', '-mnesia', 'dir', `"${folder}/mnesia"`, '-s', 'ejabberd'],
        environment: {
          ...erlang('ejabberd', folder),
          ERL_LIBS: modules,
          EJABBERD_CONFIG_PATH: join(folder, 'ejabberd.yml'),
          EJABBERD_LOG_PATH: join(folder, 'ejabberd.log'),
          CONTRIB_MODULES_PATH: folder,
        },
        files: {
          ...identityFiles(),
          'ejabberd.yml': [
            'hosts: [localhost]',
            'loglevel: warning',
            'auth_method: [anonymous]',
            'anonymous_protocol: both',
            'allow_multiple_connections: true',
            `certfiles: ["${folder}/identity.pem"]`,
            'listen:',
            `  - { port: ${tcp}, ip: "127.0.0.1", module: mod_mqtt, backlog: 1024 }`,
            `  - { port: ${tls}, ip: "127.0.0.1", module: mod_mqtt, tls: true }`,
            `  - { port: ${websocket}, ip: "127.0.0.1", module: ejabberd_http, request_handlers: { /mqtt: mod_mqtt } }`,
            'modules: { mod_mqtt: { max_queue: 5000 } }',
            '',
          ].join('\n'),
        },
        patience: ERLANG_PATIENCE,
      }
    })
    return { ...runningOn(server, '/mqtt'), login: { username: 'aiomqtt@localhost', password: 'anything' } }
  },
}

/** What Erlang wants to know when its own script, which is made for one folder, does not start it. */
function erlang(tool: string, folder: string): Record<string, string> {
  const root = join(dirname(programOf(tool)), 'usr/lib/erlang')
  const bin = join(root, onlyFolder(root, 'erts-'), 'bin')
  return { HOME: folder, ROOTDIR: root, BINDIR: bin, EMU: 'beam', PROGNAME: 'erl' }
}

function onlyFolder(parent: string, ...starts: string[]): string {
  const found = readdirSync(parent).filter((name) => starts.some((start) => name.startsWith(start)))
  if (found.length !== 1) throw new Error(`${parent} has ${found.length} folders ${starts.join(', ')}`)
  return found[0]
}

// --- All -----------------------------------------------------------------------------------------------------------

export const brokers: readonly Broker[] = [mosquitto, aedes, nats, rabbitmq, ejabberd]

function identityFiles(): Record<string, string> {
  const { certificate, key } = authority
  return { 'certificate.pem': certificate, 'key.pem': key, 'identity.pem': certificate + key }
}

/** A broker whose three ports are TCP's, TLS's and WebSocket's. */
function runningOn(server: Server, path: string): Running {
  const [tcp, tls, port] = server.ports
  return { ...place, tcp, tls, websocket: { port, path }, stop: () => server.stop() }
}
