// A unix socket, for a broker on the same machine: its path is the host name.
//
//   node examples/transports/unix-socket.mjs [path]

import { Client } from 'aiomqtt'

const [path = '/run/mosquitto/mosquitto.sock'] = process.argv.slice(2)

const client = await Client.connect(path, { transport: 'unix' })
await client.publish('greetings', 'over a unix socket', { qos: 1 })
await client.disconnect()
console.log('Published over a unix socket')
