// WebSocket, with headers of one's own. It needs the package ws. For wss, give tlsParams or a wss: URL.
//
//   node examples/transports/websocket.mjs [hostname] [port] [path]

import { Client } from 'aiomqtt'

const [hostname = 'localhost', port = '9001', websocketPath = '/mqtt'] = process.argv.slice(2)

const client = await Client.connect(hostname, Number(port), {
  transport: 'websockets',
  websocketPath,
  websocketHeaders: (headers) => ({ ...headers, 'User-Agent': 'greetings/1.0' }),
})
await client.publish('greetings', 'over WebSocket', { qos: 1 })
await client.disconnect()
console.log('Published over WebSocket')
