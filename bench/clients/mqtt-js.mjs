// MQTT.js, by its events and callbacks, which are its fastest interface.

import { connect as connectStream } from 'mqtt'
import { storeFolder } from './store-folder.mjs'

const TRANSPORTS = {
  tcp: () => ({}),
  tls: (ca) => ({ protocol: 'mqtts', ca }),
  websockets: () => ({ protocol: 'ws', path: '/mqtt' }),
}

/** The stores that others have made for it; each is opened and gives its two halves. */
const STORES = {
  'mqtt-jsonl-store': async ({ Manager }) => {
    const manager = new Manager(storeFolder())
    await manager.open()
    return manager
  },
  'mqtt-level-store': async ({ default: levelStore }) => levelStore(storeFolder()),
}

/** MQTT.js's default, in milliseconds. */
const RECONNECT_PERIOD = 1000

/**
 * Default options, but for `reconnectPeriod: 0` unless the scenario asks for a client that reconnects: a lost connection
 * is to fail the measurement, not to be covered up. It has no limit of its own for publishes under way.
 *
 * @param {{ noDelay: boolean }} parameters noDelay: turns TCP_NODELAY on, where that is to its advantage
 */
export async function connect({
  transport,
  port,
  ca,
  protocol,
  identifier,
  keepalive,
  noDelay,
  reconnect,
  store,
}) {
  const halves = store && (await STORES[store.mqttJs](await import(store.mqttJs)))
  const client = connectStream({
    ...TRANSPORTS[transport](ca),
    host: '127.0.0.1',
    port,
    protocolVersion: protocol,
    keepalive,
    clientId: identifier,
    reconnectPeriod: reconnect ? RECONNECT_PERIOD : 0,
    ...(halves && { incomingStore: halves.incoming, outgoingStore: halves.outgoing, clean: false }),
  })
  await new Promise((resolve, reject) => {
    client.once('connect', resolve)
    client.once('error', reject)
    client.once('close', () => reject(new Error('closed before CONNACK')))
  })
  if (noDelay) client.stream.setNoDelay(true)
  return new Connection(client)
}

class Connection {
  #client

  constructor(client) {
    this.#client = client
  }

  async subscribe(filter, qos) {
    await this.#client.subscribeAsync(filter, { qos })
  }

  /** Hands every message to `consume`; resolves when that returns true. */
  receive(consume) {
    return new Promise((resolve) => {
      this.#client.on('message', (topic, payload, packet) => {
        if (consume(topic, payload, packet)) resolve()
      })
    })
  }

  /** It knows no batches. */
  receiveBatches(consume) {
    return this.receive(consume)
  }

  /** @returns {number} the length of all texts in a message's user properties */
  readUserProperties(packet) {
    let length = 0
    const { userProperties } = packet.properties
    for (const name in userProperties) length += name.length + userProperties[name].length
    return length
  }

  /** @returns {(topic: string, payload: Buffer, done: (error?: unknown) => void) => void} */
  publisher(qos) {
    const client = this.#client
    const options = { qos }
    return (topic, payload, done) => {
      client.publish(topic, payload, options, (error) => done(error ?? undefined))
    }
  }

  disconnect() {
    return this.#client.endAsync()
  }
}
