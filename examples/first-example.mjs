// Prints what comes on temperature/#, until Ctrl-C.
//
//   node examples/first-example.mjs [hostname] [port]

import { Client } from 'aiomqtt'

const [hostname = 'localhost', port = '1883'] = process.argv.slice(2)

const client = await Client.connect(hostname, Number(port))
await client.subscribe('temperature/#')
for await (const message of client.messages) console.log(`${message.topic}`, message.payload)
