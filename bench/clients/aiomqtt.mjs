// aiomqtt for Node.js, as built in this repository.

import { Client } from '../../dist/index.js'
import { DurableStore } from '../../dist/store/index.js'
import { storeFolder } from './store-folder.mjs'

const TRANSPORTS = {
  tcp: () => ({}),
  tls: (ca) => ({ tlsParams: { caCerts: ca } }),
  websockets: () => ({ transport: 'websockets' }),
}

/**
 * Default options, but for what the scenario asks for: `maxInflightMessages`, which is 20 by default, is what the
 * scenario lets wait, as the others have no such limit.
 */
export async function connect(parameters) {
  const { transport, port, ca, protocol, identifier, keepalive, maxPending, reconnect, store } = parameters
  const client = new Client('127.0.0.1', port, {
    ...TRANSPORTS[transport](ca),
    protocol,
    keepalive,
    identifier,
    maxInflightMessages: Math.max(20, maxPending),
    reconnect,
    ...(store && { store: new DurableStore(storeFolder(), { sync: store.sync }), cleanSession: false }),
  })
  await client.connect()
  return new Connection(client)
}

class Connection {
  #client

  constructor(client) {
    this.#client = client
  }

  async subscribe(filter, qos) {
    await this.#client.subscribe(filter, { qos })
  }

  /** Hands every message to `consume` until that returns true. */
  async receive(consume) {
    for await (const message of this.#client.messages) {
      if (consume(message.topic.value, message.payload, message)) return
    }
  }

  /** As `receive()`, by `batches()`. */
  async receiveBatches(consume) {
    for await (const batch of this.#client.messages.batches()) {
      for (const message of batch) {
        if (consume(message.topic.value, message.payload, message)) return
      }
    }
  }

  /** @returns {number} the length of all texts in a message's user properties */
  readUserProperties(message) {
    let length = 0
    for (const [name, value] of message.properties.userProperty) length += name.length + value.length
    return length
  }

  /** @returns {(topic: string, payload: Buffer, done: (error?: unknown) => void) => void} */
  publisher(qos) {
    const client = this.#client
    const options = { qos }
    return (topic, payload, done) => {
      client.publish(topic, payload, options).then(done, done)
    }
  }

  disconnect() {
    return this.#client.disconnect()
  }
}
