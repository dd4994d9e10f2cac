// TCP, and options of its socket, so that a dead peer is noticed sooner.
//
//   node examples/transports/tcp.mjs [hostname] [port]

import { Client, SocketConstants as socket } from 'aiomqtt'

const [hostname = 'localhost', port = '1883'] = process.argv.slice(2)

const client = await Client.connect(hostname, Number(port), {
  socketOptions: [
    [socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1],
    [socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 30],
    [socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, 20_000],
  ],
})
await client.publish('greetings', 'over TCP', { qos: 1 })
await client.disconnect()
console.log('Published over TCP')
