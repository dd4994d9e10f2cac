// Stays with a broker that comes and goes: aiomqtt's recipe. A client can be connected again and again.
//
//   node examples/reconnect.mjs [hostname] [port]

import { setTimeout as sleep } from 'node:timers/promises'
import { Client, MqttError } from 'aiomqtt'

const [hostname = 'localhost', port = '1883'] = process.argv.slice(2)

/** Seconds between two attempts. */
const interval = 5

const client = new Client(hostname, Number(port))
for (;;) {
  try {
    await client.connect()
    await client.subscribe('humidity/#')
    for await (const message of client.messages) console.log(`${message.topic}`, message.payload)
  } catch (error) {
    if (!(error instanceof MqttError)) throw error
    console.log(`${error.message}; trying again in ${interval} seconds`)
    await client.disconnect()
    await sleep(interval * 1000)
  }
}
