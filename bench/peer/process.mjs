// The peer: the other side of every scenario, in a process of its own. It accepts everybody, pumps pre-encoded
// messages at whoever subscribes, acknowledges and counts what is published, and can echo it.
//
// Its parent sends { type: 'listen', identity } first, identity being a certificate and its key for TLS, or null. It sends
// { type: 'configure', pump, echo, cycle } before each measurement, where pump is null or what
// `encodeRing()` needs with `count`, `window` and `connections`, { type: 'report' } after it and { type: 'usage' } at any time.
// While connections share a flood it sends { type: 'consumed', count } now and then.

import { once } from 'node:events'
import { createServer as createWebServer } from 'node:http'
import { createServer } from 'node:net'
import { createServer as createTlsServer } from 'node:tls'
import { Endpoint } from './endpoint.mjs'
import { encodeHandshake, FramedSocket } from './frames.mjs'
import * as packets from './packets.mjs'
import { FloodPump, HIGH_WATER_MARK, SharedFlood, WindowPump } from './pumps.mjs'

/** How long a report waits for the client's connections to end. */
const PATIENCE = 5_000

let settings = { pump: null, echo: false, cycle: 256 }
/** All connections since the last `configure`. */
let endpoints = []
let subscribed = []
/** What connections share, if they share one. */
let flood = null
let open = 0
let onAllClosed = () => {}
const rings = new Map()

/** The usual cipher, and the one that costs the peer least. */
const TLS = { minVersion: 'TLSv1.3', ciphers: 'TLS_AES_128_GCM_SHA256' }

const sockets = { highWaterMark: HIGH_WATER_MARK }

/** By the clients' transports. */
const servers = {
  tcp: () => createServer(sockets, serve),
  tls: ({ certificate, key }) => createTlsServer({ ...sockets, ...TLS, cert: certificate, key }, serve),
  websockets: () =>
    createWebServer(sockets).on('upgrade', (request, socket) => {
      socket.write(encodeHandshake(request))
      serve(new FramedSocket(socket))
    }),
}

/** @returns {Promise<Record<string, number>>} the ports */
async function listen(identity) {
  const ports = {}
  for (const [transport, create] of Object.entries(servers)) {
    if (transport === 'tls' && identity === null) continue
    const server = create(identity).listen(0, '127.0.0.1', 4096)
    await once(server, 'listening')
    ports[transport] = server.address().port
  }
  return ports
}

function serve(socket) {
  const { echo, cycle } = settings
  endpoints.push(new Endpoint(socket, { echo, cycle, onControl }))
  open++
  socket.on('close', () => {
    if (--open === 0) onAllClosed()
  })
}

function onControl(endpoint, type, bytes, body, end) {
  const { socket } = endpoint
  if (type === packets.CONNECT) {
    const { protocol, receiveMaximum } = packets.decodeConnect(bytes, body)
    endpoint.protocol = protocol
    endpoint.receiveMaximum = receiveMaximum
    socket.write(packets.encodeConnack(protocol))
  } else if (type === packets.SUBSCRIBE) {
    socket.write(packets.encodeFiltersAck(packets.SUBACK, endpoint.protocol, bytes, body, end))
    subscribe(endpoint)
  } else if (type === packets.UNSUBSCRIBE) {
    socket.write(packets.encodeFiltersAck(packets.UNSUBACK, endpoint.protocol, bytes, body, end))
  } else if (type === packets.PINGREQ) {
    socket.write(Buffer.of(packets.PINGRESP << 4, 0))
  } else if (type === packets.DISCONNECT) {
    socket.end()
  }
}

/** The pumps start together, when as many have subscribed as the scenario has connections. */
function subscribe(endpoint) {
  const { pump } = settings
  if (pump === null) return
  endpoint.pump = pumpFor(endpoint, pump)
  subscribed.push(endpoint)
  if (subscribed.length < pump.connections) return
  if (flood !== null) flood.run(0)
  else for (const one of subscribed) one.pump.run(0)
}

function pumpFor({ socket, protocol, receiveMaximum }, pump) {
  const ring = ringFor(protocol, pump)
  const count = pump.count ?? Number.POSITIVE_INFINITY
  const window = Math.min(pump.window, receiveMaximum)
  const way = pump.framed ? socket.under : socket
  if (pump.qos > 0) return new WindowPump(way, ring, { count, window })
  if (pump.connections === 1) return new FloodPump(way, ring, { count })
  flood ??= new SharedFlood(ring, count)
  return flood.add(way)
}

function ringFor(protocol, pump) {
  const key = JSON.stringify([protocol, pump])
  let ring = rings.get(key)
  if (ring === undefined) {
    ring = packets.encodeRing({ protocol, ...pump })
    rings.clear()
    rings.set(key, ring)
  }
  return ring
}

async function report() {
  if (open > 0) {
    await new Promise((resolve) => {
      const timer = setTimeout(resolve, PATIENCE)
      onAllClosed = () => {
        clearTimeout(timer)
        resolve()
      }
    })
  }
  const sum = (read) => endpoints.reduce((total, endpoint) => total + read(endpoint), 0)
  return {
    connections: endpoints.length,
    open,
    received: sum((endpoint) => endpoint.received),
    disordered: sum((endpoint) => endpoint.disordered),
    sent: sum((endpoint) => endpoint.pump?.sent ?? 0),
    acknowledged: sum((endpoint) => endpoint.acknowledged),
  }
}

process.on('message', async (message) => {
  if (message.type === 'listen') {
    process.send({ type: 'listening', ports: await listen(message.identity) })
  } else if (message.type === 'configure') {
    for (const { socket } of endpoints) socket.destroy()
    endpoints = []
    subscribed = []
    flood = null
    settings = message
    process.send({ type: 'configured' })
  } else if (message.type === 'usage') {
    const { user, system } = process.cpuUsage()
    process.send({ type: 'usage', processor: user + system })
  } else if (message.type === 'consumed') {
    flood?.run(message.count)
  } else {
    process.send({ type: 'report', ...(await report()) })
  }
})
// Without its parent it has no purpose.
process.on('disconnect', () => process.exit())
