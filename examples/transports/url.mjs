// A URL in the place of the host name: mqtt:, mqtts:, ws:, wss: or unix:, with a user name and a password if need be.
//
//   node examples/transports/url.mjs [url]

import { Client } from 'aiomqtt'

const [url = 'mqtt://localhost'] = process.argv.slice(2)

const client = await Client.connect(url)
await client.publish('greetings', 'by URL', { qos: 1 })
await client.disconnect()
console.log('Published by URL')
