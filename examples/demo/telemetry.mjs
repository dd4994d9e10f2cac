// What the devices and the ingest service agree on: topics, and the JSON of a reading.

/** The topic of each device, below a prefix that keeps runs on one broker apart. */
export function deviceTopics(prefix, devices) {
  const digits = String(devices).length
  return Array.from({ length: devices }, (_, index) => {
    const number = String(index + 1).padStart(digits, '0')
    return `${prefix}/device-${number}/telemetry`
  })
}

/** The filter that matches the topics of all devices of a run. */
export function fleetFilter(prefix) {
  return `${prefix}/+/telemetry`
}

/** The device's name in its topic. */
export function deviceName(topic) {
  return topic.split('/')[1]
}

/** The clock that all threads of this process share, in microseconds. */
export function now() {
  return Number(process.hrtime.bigint() / 1000n)
}

/** A device's sensors: temperature and battery, wandering a little from one reading to the next. */
export class Device {
  #sequence = 0
  #climate = 15 + 15 * Math.random()
  #temperature = this.#climate
  #voltage = 3.3 + 0.8 * Math.random()

  /** @param {string} topic */
  constructor(topic) {
    this.topic = topic
  }

  /**
   * The next reading as JSON.
   *
   * @param {number} sent when, in microseconds of now()
   */
  read(sent) {
    this.#temperature += (this.#climate - this.#temperature) / 100 + Math.random() - 0.5
    this.#voltage -= 1e-6
    return JSON.stringify({
      sequence: ++this.#sequence,
      sent,
      temperature: Math.round(this.#temperature * 100) / 100,
      voltage: Math.round(this.#voltage * 1000) / 1000,
    })
  }
}
