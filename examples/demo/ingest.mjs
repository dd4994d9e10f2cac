// The ingest service: consumes the fleet's telemetry with `for await`, and keeps statistics per device.

import { createHistogram } from 'node:perf_hooks'
import { Client, MqttError } from 'aiomqtt'
import { deviceName, now } from './telemetry.mjs'

/** How many messages go by between two reports to the fleet. */
const reportEvery = 100

/** Nobody subscribes to it. */
const checkpointTopic = 'demo/checkpoint'

/** What is known about one device. */
class DeviceStatistics {
  count = 0
  missing = 0
  duplicates = 0
  min = Number.POSITIVE_INFINITY
  max = Number.NEGATIVE_INFINITY
  #sum = 0
  #sequence = 0

  add({ sequence, temperature }) {
    this.count++
    this.min = Math.min(this.min, temperature)
    this.max = Math.max(this.max, temperature)
    this.#sum += temperature
    // A device's readings arrive in order: whatever was jumped over was lost on the way.
    if (sequence > this.#sequence) {
      this.missing += sequence - this.#sequence - 1
      this.#sequence = sequence
    } else {
      this.duplicates++
    }
  }

  get mean() {
    return this.#sum / this.count
  }
}

export class Ingest {
  /** @type {Map<string, DeviceStatistics>} by name */
  devices = new Map()
  received = 0
  duplicates = 0
  /** When the last message came, in microseconds of now(). */
  lastAt = 0
  /** Latencies in microseconds, from before publish() to the body of the loop. */
  latency = createHistogram()
  #recent = createHistogram()
  #missing = 0
  #longestQueue = 0
  #client
  #messages
  #qos

  /**
   * @param {Client} client connected and subscribed
   * @param {0 | 1 | 2} qos of the subscription
   */
  constructor(client, qos) {
    this.#client = client
    this.#messages = client.messages
    this.#qos = qos
  }

  /** Connects and subscribes. */
  static async start({ hostname, port, ...credentials }, filter, qos) {
    const client = await Client.connect(hostname, port, credentials)
    const [granted] = await client.subscribe(filter, { qos })
    if (granted >= 128) throw new Error(`The broker refused the subscription to ${filter}: ${granted}`)
    return new Ingest(client, qos)
  }

  /**
   * Consumes until stop(); what was queued by then is still consumed.
   *
   * @param {(arrived: number) => void} report called every now and then with the messages no longer on their way:
   *   those received, and those that a later message of the same device shows to be lost
   */
  async run(report) {
    try {
      for await (const message of this.#messages) {
        this.#consume(message)
        if (this.received % reportEvery === 0) {
          this.#longestQueue = Math.max(this.#longestQueue, this.#messages.length)
          this.#reportArrival(report)
        }
      }
    } catch (error) {
      // A clean disconnect() ends the iteration too, and only then nothing caused it.
      if (!(error instanceof MqttError) || error.cause !== undefined) throw error
    }
  }

  async stop() {
    await this.#client.disconnect()
  }

  /** Messages received, duplicates not counted. */
  get distinct() {
    return this.received - this.duplicates
  }

  /** Since the last call: the most messages that waited for the loop; median and 99 % of the latency, in microseconds. */
  takeRecent() {
    const recent = {
      queued: this.#longestQueue,
      p50: this.#recent.percentile(50),
      p99: this.#recent.percentile(99),
    }
    this.latency.add(this.#recent)
    this.#recent.reset()
    this.#longestQueue = 0
    return recent
  }

  /**
   * With QoS 1 and 2 a message stays in the broker's queue until the broker has read its acknowledgement, and
   * Mosquitto is in no hurry to read while others publish. What was sent after the acknowledgements is read after
   * them, so its answer says that the messages have left the queue.
   */
  async #reportArrival(report) {
    const arrived = this.received + this.#missing
    try {
      if (this.#qos > 0) await this.#client.publish(checkpointTopic, '', { qos: 1 })
      report(arrived)
    } catch {
      // The connection is gone, of which the iteration tells.
    }
  }

  #consume(message) {
    const reading = message.json()
    const device = this.#deviceOf(message.topic.value)
    const { missing, duplicates } = device
    device.add(reading)
    this.#missing += device.missing - missing
    this.duplicates += device.duplicates - duplicates
    this.received++
    this.lastAt = now()
    this.#recent.record(Math.max(1, this.lastAt - reading.sent))
  }

  #deviceOf(topic) {
    const name = deviceName(topic)
    let device = this.devices.get(name)
    if (device === undefined) {
      device = new DeviceStatistics()
      this.devices.set(name, device)
    }
    return device
  }
}
