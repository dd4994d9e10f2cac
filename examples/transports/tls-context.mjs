// TLS with a key that both sides know, and no certificates: tlsContext takes whatever tls.connect() takes.
//
//   node examples/transports/tls-context.mjs [hostname] [port] [identity] [key in hexadecimal digits]

import { Client } from 'aiomqtt'

const [hostname = 'localhost', port = '8884', identity = 'anna', key = '0123456789abcdef'] =
  process.argv.slice(2)

const client = await Client.connect(hostname, Number(port), {
  tlsContext: {
    ciphers: 'PSK',
    maxVersion: 'TLSv1.2',
    pskCallback: () => ({ identity, psk: Buffer.from(key, 'hex') }),
    // There is no certificate to look at.
    checkServerIdentity: () => undefined,
  },
})
await client.publish('greetings', 'with a shared key', { qos: 1 })
await client.disconnect()
console.log('Published with a shared key')
