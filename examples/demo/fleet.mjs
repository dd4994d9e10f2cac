// A thread: the simulated fleet. Publishes as fast as the ingest service keeps up, for some seconds.
//
// Posts one message when it is connected, and { sent } at the end. Gets { arrived }, the number of messages that are no
// longer on their way, and { stop }, to end early.

import { parentPort, workerData } from 'node:worker_threads'
import { Client } from 'aiomqtt'
import { FlowWindow, windowSize } from './flow-window.mjs'
import { Device, now } from './telemetry.mjs'

const { broker, topics, connections, qos, seconds } = workerData
const burst = Math.max(1, Math.floor(windowSize / 2 / connections))
const flow = new FlowWindow()
let sent = 0

/** Devices 1, 5, 9 … share connection 1, and so on: each device keeps its connection, so its readings keep their order. */
function devicesOf(connection) {
  return topics.filter((_, index) => index % connections === connection).map((topic) => new Device(topic))
}

async function connect() {
  const { hostname, port, ...credentials } = broker
  return Client.connect(hostname, port, credentials)
}

/** Publishes a burst of readings, one device after the other, whenever there is room for one. */
async function publishAll(client, devices) {
  for (let next = 0; await flow.reserve(burst); next += burst) {
    const stamp = now()
    const publishing = []
    for (let index = next; index < next + burst; index++) {
      const device = devices[index % devices.length]
      publishing.push(client.publish(device.topic, device.read(stamp), { qos }))
    }
    await Promise.all(publishing)
    sent += burst
  }
}

const clients = await Promise.all(Array.from({ length: connections }, connect))
parentPort.on('message', ({ arrived, stop }) => (stop ? flow.close() : flow.arrived(arrived)))
parentPort.postMessage({ sent })
setTimeout(() => flow.close(), seconds * 1000)
await Promise.all(clients.map((client, index) => publishAll(client, devicesOf(index))))
await Promise.all(clients.map((client) => client.disconnect()))
parentPort.postMessage({ sent })
