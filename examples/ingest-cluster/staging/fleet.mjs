// A process: the simulated devices, each with a connection of its own. Publishes at QoS 1 until it is told to stop.
//
// Gets { brokers, protocol, devices, burst, rate, room }, then { written }, the number of messages that are in the database, and
// { stop }. Posts { ready }, { published, acknowledged } again and again, and { ledger } at the end.

import { setTimeout as sleep } from 'node:timers/promises'
import { Client } from 'aiomqtt'

/** Messages that are published at once, at least. */
const least = 50
/** The most messages that are on their way to the broker. */
const mostUnacknowledged = 4000
/** Milliseconds between two looks at what there is room for. */
const pause = 5

class Device {
  published = 0
  /** Numbers of readings of which nobody can say whether the broker has them. */
  uncertain = []
  #topic
  #client
  #temperature = 15 + 15 * Math.random()

  constructor({ name, topic }, client) {
    this.name = name
    this.#topic = topic
    this.#client = client
  }

  /** Publishes the next reading; resolves to whether it was acknowledged. */
  async publish() {
    const sequence = ++this.published
    this.#temperature += Math.random() - 0.5
    const temperature = Math.round(this.#temperature * 100) / 100
    try {
      const payload = JSON.stringify({ sequence, sent: Date.now(), temperature })
      await this.#client.publish(this.#topic, payload, { qos: 1 })
      return true
    } catch {
      this.uncertain.push(sequence)
      return false
    }
  }

  disconnect() {
    return this.#client.disconnect()
  }
}

const [settings] = await new Promise((resolve) => process.once('message', (...args) => resolve(args)))
const { brokers, protocol, burst, rate, room } = settings
const most = Math.max(burst, least)
let written = 0
let published = 0
let acknowledged = 0
let pending = 0
let isOver = false
process.on('message', (message) => {
  if (message.stop) isOver = true
  else written = message.written
})
process.on('disconnect', () => process.exit(1))

const devices = await Promise.all(
  settings.devices.map(async (device, index) => {
    const own = index % brokers.length
    const [[host, port], ...hosts] = [...brokers.slice(own), ...brokers.slice(0, own)]
    const reconnect = { hosts, initial: true, minDelay: 0.1, maxDelay: 2 }
    return new Device(device, await Client.connect(host, port, { protocol, reconnect, timeout: 60 }))
  }),
)
process.send({ ready: true })

/** How many messages may be published now. */
function allowance() {
  const byRate = rate === 0 ? most : (rate * (performance.now() - readyAt)) / 1000 - published
  return Math.min(most, byRate, mostUnacknowledged - pending, room - (published - written))
}

async function publish(device) {
  published++
  pending++
  if (await device.publish()) acknowledged++
  pending--
}

const readyAt = performance.now()
const reporting = setInterval(() => process.send({ published, acknowledged }), 100)
let next = 0
while (!isOver) {
  const turns = Math.floor(allowance() / burst)
  if (turns <= 0) await sleep(pause)
  for (let turn = 0; turn < turns; turn++) {
    const device = devices[next++ % devices.length]
    for (let count = 0; count < burst; count++) publish(device)
  }
  // Lets in what has come meanwhile.
  await new Promise((resolve) => setImmediate(resolve))
}
while (pending > 0) await sleep(pause)
clearInterval(reporting)
await Promise.all(devices.map((device) => device.disconnect()))
const ledger = devices.map(({ name, published: last, uncertain }) => ({ name, last, uncertain }))
process.send({ published, acknowledged })
process.send({ ledger }, () => process.disconnect())
