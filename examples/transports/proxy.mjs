// Through a proxy: http, socks5, socks4a or socks4. For SOCKS it needs the package socks. The user and the password of
// the proxy come from the environment, where a whole proxy can come from, too: mqtt_proxy=http://user:password@host:port
//
//   PROXY_USER=… PROXY_PASSWORD=… node examples/transports/proxy.mjs hostname port http|socks5 proxy-host proxy-port

import { Client } from 'aiomqtt'

const [hostname, port, proxyType, proxyAddr, proxyPort] = process.argv.slice(2)
const { PROXY_USER: proxyUsername, PROXY_PASSWORD: proxyPassword } = process.env

const client = await Client.connect(hostname, Number(port), {
  proxy: { proxyType, proxyAddr, proxyPort: Number(proxyPort), proxyUsername, proxyPassword },
})
await client.publish('greetings', 'through a proxy', { qos: 1 })
await client.disconnect()
console.log('Published through a proxy')
