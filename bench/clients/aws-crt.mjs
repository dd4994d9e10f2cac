// aws-crt's MQTT 5 client; in scenarios of MQTT 3.1.1 it speaks MQTT 5 all the same.

import { io, mqtt5 } from 'aws-crt'

const { ClientExtendedValidationAndFlowControl, ClientSessionBehavior, Mqtt5Client } = mqtt5

const TRANSPORTS = {
  tcp: () => ({}),
  tls: (ca) => {
    const options = new io.TlsContextOptions()
    options.certificate_authority = ca
    return { tlsCtx: new io.ClientTlsContext(options) }
  },
  websockets: () => ({ websocketHandshakeTransform: (_request, done) => done() }),
}

/**
 * Default options, but for `extendedValidationAndFlowControlOptions` (by default it keeps to the limits of AWS IoT
 * Core: 100 publishes a second), a clean session, and no metrics in the user name.
 */
export async function connect({ transport, port, ca, identifier, keepalive }) {
  const client = new Mqtt5Client({
    ...TRANSPORTS[transport](ca),
    hostName: '127.0.0.1',
    port,
    connectProperties: { clientId: identifier, keepAliveIntervalSeconds: keepalive },
    sessionBehavior: ClientSessionBehavior.Clean,
    extendedValidationAndFlowControlOptions: ClientExtendedValidationAndFlowControl.None,
    disableMetrics: true,
  })
  await new Promise((resolve, reject) => {
    client.once('connectionSuccess', resolve)
    client.once('connectionFailure', (event) => reject(event.error))
    client.once('error', reject)
    client.start()
  })
  return new Connection(client)
}

class Connection {
  #client

  constructor(client) {
    this.#client = client
  }

  async subscribe(topicFilter, qos) {
    await this.#client.subscribe({ subscriptions: [{ topicFilter, qos }] })
  }

  /** Hands every message to `consume`; resolves when that returns true. */
  receive(consume) {
    return new Promise((resolve) => {
      this.#client.on('messageReceived', ({ message }) => {
        if (consume(message.topicName, new Uint8Array(message.payload), message)) resolve()
      })
    })
  }

  /** It knows no batches. */
  receiveBatches(consume) {
    return this.receive(consume)
  }

  /** @returns {number} the length of all texts in a message's user properties */
  readUserProperties(message) {
    let length = 0
    for (const { name, value } of message.userProperties) length += name.length + value.length
    return length
  }

  /** @returns {(topic: string, payload: Buffer, done: (error?: unknown) => void) => void} */
  publisher(qos) {
    const client = this.#client
    return (topicName, payload, done) => {
      client.publish({ topicName, payload, qos }).then(() => done(), done)
    }
  }

  /** Resolves when DISCONNECT has been sent and the socket is closed. */
  async disconnect() {
    await new Promise((resolve) => {
      this.#client.once('stopped', resolve)
      this.#client.stop()
    })
    this.#client.close()
  }
}
