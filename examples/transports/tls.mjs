// TLS. Without files the certificates count that Node trusts; a broker that wants one gets the client's own.
//
//   node examples/transports/tls.mjs [hostname] [port] [ca.pem] [client.pem client.key]

import { Client } from 'aiomqtt'

const [hostname = 'localhost', port = '8883', caCerts, certfile, keyfile] = process.argv.slice(2)

const client = await Client.connect(hostname, Number(port), { tlsParams: { caCerts, certfile, keyfile } })
await client.publish('greetings', 'over TLS', { qos: 1 })
await client.disconnect()
console.log('Published over TLS')
