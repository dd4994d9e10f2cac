// Opening the connections of a scenario.

/** Connections that are opened at once where nothing is measured. */
const LOT = 50

let made = 0

export function open(client, parameters) {
  const {
    transport,
    port,
    ca,
    protocol,
    keepalive = 60,
    maxPending = 1,
    noDelay = false,
    reconnect = false,
    store = null,
  } = parameters
  made += 1
  const identifier = `bench-${process.pid}-${made}`
  return client.connect({
    transport,
    port,
    ca,
    protocol,
    identifier,
    keepalive,
    maxPending,
    noDelay,
    reconnect,
    store,
  })
}

export async function openMany(client, count, parameters) {
  const connections = []
  while (connections.length < count) {
    const lot = Math.min(LOT, count - connections.length)
    connections.push(...(await Promise.all(Array.from({ length: lot }, () => open(client, parameters)))))
  }
  return connections
}

/** Ends them in order, so that the peer knows that nothing more will come. */
export async function closeAll(connections) {
  await Promise.all(connections.map((connection) => connection.disconnect()))
}
