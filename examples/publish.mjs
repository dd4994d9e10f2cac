// Publishes a few readings, waits until the broker has them, and ends.
//
//   node examples/publish.mjs [hostname] [port]

import { Client } from 'aiomqtt'

const [hostname = 'localhost', port = '1883'] = process.argv.slice(2)

const client = await Client.connect(hostname, Number(port))
try {
  // QoS 0: sent, no answer.
  await client.publish('temperature/outside', 28.4)

  // QoS 1: resolves when the broker has acknowledged it. Retained: whoever subscribes later gets it too.
  await client.publish('temperature/inside', '21.5', { qos: 1, retain: true })

  // Many at once go out together; each promise is settled on its own.
  const rooms = ['kitchen', 'attic', 'cellar']
  const reading = (room) => JSON.stringify({ room, celsius: 20 })
  await Promise.all(rooms.map((room) => client.publish(`temperature/${room}`, reading(room), { qos: 1 })))
  console.log(`Published ${2 + rooms.length} messages`)
} finally {
  await client.disconnect()
}
