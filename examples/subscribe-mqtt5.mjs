// MQTT 5: prints messages with their properties, and answers those that ask for it, until Ctrl-C.
//
//   node examples/subscribe-mqtt5.mjs [hostname] [port]

import { Client, ProtocolVersion } from 'aiomqtt'

const [hostname = 'localhost', port = '1883'] = process.argv.slice(2)

const client = await Client.connect(hostname, Number(port), {
  protocol: ProtocolVersion.V5,
  identifier: 'thermostat',
  // The broker keeps the session for an hour: after a restart of this program nothing is missing.
  cleanStart: false,
  properties: { sessionExpiryInterval: 3600 },
})

const [granted] = await client.subscribe('thermostat/#', {
  options: { qos: 1, noLocal: true },
  properties: { subscriptionIdentifier: 7 },
})
console.log(`Subscribed: ${granted}`)

for await (const message of client.messages) {
  const { contentType, responseTopic, correlationData, userProperty } = message.properties
  console.log(`${message.topic}`, message.text(), { contentType, userProperty })
  if (responseTopic !== undefined) {
    await client.publish(responseTopic, 'done', { qos: 1, properties: { correlationData } })
  }
}
