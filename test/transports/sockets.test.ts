import { once } from 'node:events'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Client, type ClientOptions, type MqttError, SocketConstants } from 'aiomqtt'
import test, { type ExecutionContext } from 'ava'
import { atOnce, clientOf, connected, listening, patience } from '../helpers/client.js'
import { rejection, until, within } from '../helpers/deadline.js'
import { WebSocketGateway } from '../helpers/gateway.js'
import { freePort, Mosquitto } from '../helpers/mosquitto.js'
import { Peer } from '../helpers/peer.js'
import { Relay } from '../helpers/relay.js'

const { SOL_SOCKET, SO_KEEPALIVE, SO_SNDBUF, IPPROTO_TCP, TCP_KEEPIDLE, TCP_KEEPINTVL, TCP_KEEPCNT } =
  SocketConstants
const { TCP_USER_TIMEOUT, TCP_NODELAY, TCP_MAXSEG } = SocketConstants

const onLinux = process.platform === 'linux' ? test : test.skip

onLinux('the constants have the numbers of Python’s module socket', (t) => {
  t.deepEqual(
    [SOL_SOCKET, SO_SNDBUF, SocketConstants.SO_RCVBUF, SO_KEEPALIVE, IPPROTO_TCP, TCP_NODELAY, TCP_MAXSEG],
    [1, 7, 8, 9, 6, 1, 2],
  )
  t.deepEqual(
    [TCP_KEEPIDLE, TCP_KEEPINTVL, TCP_KEEPCNT, TCP_USER_TIMEOUT, SocketConstants.IP_TOS],
    [4, 5, 6, 18, 1],
  )
})

// --- Where a connection comes from ---------------------------------------------------------------------------------

test('bindAddress and bindPort are where the connection comes from', async (t) => {
  const peer = await listening(t)
  const bindPort = await freePort()
  const client = clientOf(t, peer, { bindAddress: '127.0.0.3', bindPort })
  const connecting = client.connect()
  const session = await peer.welcome()
  await within(atOnce, 'connecting', connecting)
  t.is(session.socket.remoteAddress, '127.0.0.3')
  t.is(session.socket.remotePort, bindPort)
})

test('bindAddress may be a name', async (t) => {
  const peer = await listening(t)
  const connecting = clientOf(
    t,
    { host: 'localhost', port: peer.port },
    { bindAddress: 'localhost' },
  ).connect()
  await peer.welcome()
  await within(atOnce, 'connecting', connecting)
  t.pass()
})

test('bindAddress holds for a WebSocket, too', async (t) => {
  const broker = await Mosquitto.start()
  const gateway = await WebSocketGateway.to(broker)
  t.teardown(() => broker.stop())
  t.teardown(() => gateway.close())
  const options = { transport: 'websockets', bindAddress: '127.0.0.3' } as const
  const client = await connected(t, { host: 'localhost', port: gateway.port }, options)
  t.is(gateway.peers[0], '127.0.0.3')
  await client.disconnect()
})

for (const transport of ['tcp', 'websockets'] as const) {
  test(`${transport}: an address that is not this machine’s is refused`, async (t) => {
    const peer = await listening(t)
    const client = clientOf(t, peer, { transport, bindAddress: '192.0.2.1' })
    const error = (await rejection(atOnce, 'connect()', client.connect())) as MqttError
    t.is(error.message, `[Errno 99] Cannot assign requested address (127.0.0.1:${peer.port})`)
    t.is((error.cause as NodeJS.ErrnoException).code, 'EADDRNOTAVAIL')
  })

  test(`${transport}: an option that there is not is refused`, async (t) => {
    const peer = await listening(t)
    const client = clientOf(t, peer, { transport, socketOptions: [[IPPROTO_TCP, 9999, 1]] })
    for (let round = 0; round < 2; round++) {
      const error = (await rejection(atOnce, 'connect()', client.connect())) as MqttError
      t.is(error.message, `[Errno 92] Protocol not available (127.0.0.1:${peer.port})`)
      t.is((error.cause as NodeJS.ErrnoException).code, 'ENOPROTOOPT')
    }
  })
}

const options: ClientOptions['socketOptions'] = [
  [SOL_SOCKET, SO_KEEPALIVE, 1],
  [IPPROTO_TCP, TCP_KEEPIDLE, 300],
  [IPPROTO_TCP, TCP_KEEPINTVL, 10],
  [IPPROTO_TCP, TCP_KEEPCNT, Uint8Array.of(3, 0, 0, 0)],
  [IPPROTO_TCP, TCP_USER_TIMEOUT, 30_000],
]

for (const transport of ['tcp', 'websockets'] as const) {
  onLinux(`${transport}: TCP keepalive begins when TCP_KEEPIDLE says`, async (t) => {
    const { port } = await connectedPair(t, transport, { socketOptions: options })
    const seconds = await keepaliveTimer(port)
    t.true(seconds > 290 && seconds <= 300, `in ${seconds} s`)
  })

  onLinux(`${transport}: TCP_USER_TIMEOUT ends a connection whose peer takes nothing`, async (t) => {
    const { client, pause } = await connectedPair(t, transport, {
      socketOptions: [[IPPROTO_TCP, TCP_USER_TIMEOUT, 500]],
    })
    pause()
    const publishing = client.publish('a', Buffer.alloc(30_000_000), { qos: 1 })
    const lost = (await rejection(atOnce, 'publish()', publishing)) as MqttError
    t.is(lost.message, '[code:7] The connection was lost.')
    t.is((lost.cause as NodeJS.ErrnoException).code, 'ETIMEDOUT')
  })
}

/** A client and the port that its connection comes from; its peer can stop reading. */
async function connectedPair(
  t: ExecutionContext,
  transport: 'tcp' | 'websockets',
  options: ClientOptions,
): Promise<{ client: Client; port: number; pause: () => void }> {
  const broker = await Mosquitto.start()
  t.teardown(() => broker.stop())
  const server = await (transport === 'tcp' ? Relay : WebSocketGateway).to(broker)
  t.teardown(() => server.close())
  const client = await connected(t, server, { ...options, transport })
  const [socket] = server.sockets
  if (socket === undefined) throw new Error('nobody has connected')
  return { client, port: socket.remotePort ?? 0, pause: () => socket.pause() }
}

/** In how many seconds the kernel's keepalive timer for a connection from this local port runs out (proc(5)). */
async function keepaliveTimer(port: number): Promise<number> {
  const local = new RegExp(
    `: [\\dA-F]{8}:${port.toString(16).toUpperCase().padStart(4, '0')} .* (\\d\\d):([\\dA-F]{8}) `,
  )
  let kind: string | undefined
  let ticks = ''
  // 1 is the timer of what has not been acknowledged yet.
  await until(patience, 'the acknowledgement', async () => {
    ;[, kind, ticks = ''] = local.exec(await readFile('/proc/net/tcp', 'utf8')) ?? []
    return kind !== '01'
  })
  return kind === '02' ? Number.parseInt(ticks, 16) / 100 : Number.NaN
}

test('socketOptions may be any iterable', async (t) => {
  const peer = await listening(t)
  const connecting = clientOf(t, peer, {
    socketOptions: new Set([[IPPROTO_TCP, TCP_MAXSEG, 600] as const]),
  }).connect()
  await peer.welcome()
  await within(atOnce, 'connecting', connecting)
  t.pass()
})

// --- Unix sockets --------------------------------------------------------------------------------------------------

test('a unix socket that is not there, that nobody listens on, and that has too long a path', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'sockets-'))
  t.teardown(() => rm(folder, { recursive: true }))
  await writeFile(join(folder, 'file'), '')
  for (const [path, text, code] of [
    [join(folder, 'nothing'), '[Errno 2] No such file or directory', 'ENOENT'],
    [join(folder, 'file'), '[Errno 111] Connection refused', 'ECONNREFUSED'],
    [join(folder, 'x'.repeat(200)), '[Errno 36] name too long', 'ENAMETOOLONG'],
  ] as const) {
    const client = clientOf(t, { host: path, port: 1883 }, { transport: 'unix' })
    const error = (await rejection(atOnce, 'connect()', client.connect())) as MqttError
    t.is(error.message, `${text} (${path})`)
    t.is((error.cause as NodeJS.ErrnoException).code, code)
  }
})

// --- IPv6 ----------------------------------------------------------------------------------------------------------

test('IPv6: an address, one with a scope id, a URL', async (t) => {
  const peer = await Peer.listen('::1')
  t.teardown(() => peer.close())
  for (const host of ['::1', '::1%1', `mqtt://[::1]:${peer.port}`]) {
    const client = clientOf(t, { host, port: peer.port })
    const connecting = client.connect()
    const session = await peer.welcome()
    await within(atOnce, 'connecting', connecting)
    t.is(session.socket.remoteAddress, '::1')
    await client.disconnect()
  }
})

test('a host with an address that nobody listens on is reached at its other one', async (t) => {
  const peer = await listening(t)
  const isDual = await once(connect(peer.port, '::1'), 'connect').then(
    () => true,
    () => false,
  )
  t.false(isDual)
  const connecting = clientOf(t, { host: 'localhost', port: peer.port }).connect()
  const session = await peer.welcome()
  await within(atOnce, 'connecting', connecting)
  t.is(session.socket.remoteAddress, '127.0.0.1')
})
