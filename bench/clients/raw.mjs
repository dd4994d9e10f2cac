// No client at all: the peer's own code on the other side, which counts and acknowledges but hands nothing to anybody.
// What it reaches with the peer is the most that the peer can do.

import { connect } from 'node:net'
import { performance } from 'node:perf_hooks'
import { setTimeout as sleep } from 'node:timers/promises'
import { connect as connectTls } from 'node:tls'
import { Endpoint } from '../peer/endpoint.mjs'
import * as packets from '../peer/packets.mjs'
import { FloodPump, HIGH_WATER_MARK, WindowPump } from '../peer/pumps.mjs'

const programs = { receive, publish }

/** As a scenario's `run()`, with the program's name in place of an adapter. */
export function run(program, parameters, size, ready) {
  return programs[program](parameters, size, ready)
}

async function receive(parameters, size, ready) {
  const { qos, pump } = parameters
  const endpoint = await open(parameters)
  endpoint.socket.write(packets.encodeSubscribe(parameters.protocol, '#', qos))
  ready()
  return measure(() => endpoint.received, pump.payload, size)
}

async function publish(parameters, size, ready) {
  const { qos, maxPending } = parameters
  const endpoint = await open(parameters)
  const ring = packets.encodeRing({ ...parameters, userProperties: [] })
  const count = Number.POSITIVE_INFINITY
  const pump =
    qos === 0
      ? new FloodPump(endpoint.socket, ring, { count })
      : new WindowPump(endpoint.socket, ring, { count, window: maxPending })
  endpoint.pump = pump
  ready()
  pump.run(0)
  return measure(() => (qos === 0 ? pump.sent : endpoint.acknowledged), parameters.payload, size)
}

function open({ transport, port, ca, protocol, cycle = 256 }) {
  return new Promise((resolve, reject) => {
    const connectSocket = transport === 'tls' ? connectTls : connect
    const socket = connectSocket({ port, ca, host: '127.0.0.1', highWaterMark: HIGH_WATER_MARK })
    const onControl = (endpoint, type) => {
      if (type === packets.CONNACK) resolve(endpoint)
    }
    const endpoint = new Endpoint(socket, { cycle, echo: false, onControl })
    endpoint.protocol = protocol
    socket.once('error', reject)
    socket.write(packets.encodeConnect(protocol, 'bench-raw', 60))
  })
}

async function measure(read, payload, { warmUp, seconds }) {
  await sleep(warmUp * 1e3)
  const start = { time: performance.now(), count: read(), ...process.cpuUsage() }
  await sleep(seconds * 1e3)
  const { user, system } = process.cpuUsage(start)
  const messages = read() - start.count
  const messagesPerSecond = (messages * 1e3) / (performance.now() - start.time)
  return {
    figures: {
      messagesPerSecond,
      processorMicroseconds: (user + system) / messages,
      megabytesPerSecond: (messagesPerSecond * payload) / 1e6,
    },
  }
}
