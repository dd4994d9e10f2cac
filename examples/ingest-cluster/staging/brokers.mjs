// The broker of a run: Mosquitto, a cluster of NATS servers, or one that somebody else runs.

import { setTimeout as sleep } from 'node:timers/promises'
import { ProtocolVersion } from 'aiomqtt'
import { NatsCluster } from '../../../build/test/faults/nats-cluster.js'
import { Mosquitto } from '../../../build/test/helpers/mosquitto.js'

/** Seconds between the end of a broker, or of a node, and its next start. */
const absence = 1

/**
 * @typedef {object} Broker
 * @property {string} name
 * @property {[host: string, port: number][]} addresses
 * @property {3 | 4 | 5} protocol
 * @property {number[]} processes their identifiers
 * @property {() => Promise<void>} fail ends it, or one of its nodes, and starts it again
 * @property {() => Promise<void>} stop
 */

/**
 * @param {import('./options.mjs').Options['broker']} which
 * @returns {Promise<Broker>}
 */
export async function startBroker(which) {
  if (which === 'mosquitto') return startMosquitto()
  if (which === 'nats') return startNats()
  const { host, port } = which
  return {
    name: `${host}:${port}`,
    addresses: [[host, port]],
    protocol: ProtocolVersion.V5,
    processes: [],
    fail: async () => {},
    stop: async () => {},
  }
}

async function startMosquitto() {
  const broker = await Mosquitto.start({
    settings: [
      'persistence true',
      'persistence_location $FOLDER',
      // What a member of the group has not taken yet waits for it, however much it is.
      'max_queued_messages 0',
      'set_tcp_nodelay true',
    ],
  })
  return {
    name: 'Mosquitto',
    addresses: [[broker.host, broker.port]],
    protocol: ProtocolVersion.V5,
    get processes() {
      return broker.processes
    },
    fail: async () => {
      await broker.shutDown()
      await sleep(absence * 1000)
      await broker.restart()
    },
    stop: () => broker.stop(),
  }
}

async function startNats() {
  const cluster = await NatsCluster.start()
  const { hosts } = cluster
  let last = hosts.length
  return {
    name: `a cluster of ${hosts.length} NATS servers`,
    addresses: hosts,
    protocol: ProtocolVersion.V311,
    get processes() {
      return cluster.processes
    },
    fail: async () => {
      last = (last + 1) % hosts.length
      await cluster.kill(last)
      await sleep(absence * 1000)
      await cluster.restart(last)
    },
    stop: () => cluster.stop(),
  }
}
