import type { ClientOptions, MqttError } from 'aiomqtt'
import anyTest, { type TestFn } from 'ava'
import { Authority } from '../helpers/certificates.js'
import { atOnce, clientOf, connected, freshTopic, nextMessage } from '../helpers/client.js'
import { rejection } from '../helpers/deadline.js'
import { type Listeners, listenEverywhere } from '../helpers/listeners.js'
import { runtime } from '../unit/internals.js'

const test = anyTest as TestFn<Listeners>

// A runtime that does not export its OpenSSL: what the addon says of it is all that there is to see.
test.before(async (t) => {
  Object.assign(runtime().binding, { hasTls: false })
  t.context = await listenEverywhere()
})
test.after.always((t) => t.context.stop?.())

for (const [what, options] of [
  [
    'tlsParams',
    ({ root, client }) => ({ caCerts: root.certificate, certfile: client.certificate, keyfile: client.key }),
  ],
  [
    'tlsParams with versions and ciphers',
    ({ root, client }) => ({
      caCerts: root.certificate,
      certfile: client.certificate + client.key,
      tlsVersion: ['TLSv1.2', 'TLSv1.3'],
      ciphers: 'ECDHE-ECDSA-AES128-GCM-SHA256',
    }),
  ],
] as Array<[string, (listeners: Listeners) => NonNullable<ClientOptions['tlsParams']>]>) {
  test(`${what} work by node:tls`, async (t) => {
    const place = { host: 'localhost', port: t.context.mutual }
    const client = await connected(t, place, { tlsParams: options(t.context) })
    const topic = freshTopic()
    await client.subscribe(topic)
    await client.publish(topic, Buffer.alloc(1_000_000, 'x'), { qos: 1 })
    t.is((await nextMessage(client)).payload.length, 1_000_000)
  })
}

for (const [what, options, code] of [
  ['who is not trusted', { tlsParams: {} }, 'UNABLE_TO_GET_ISSUER_CERT_LOCALLY'],
  [
    'who is not trusted, in spite of tlsInsecure',
    { tlsParams: { caCerts: Authority.root('Stranger').certificate }, tlsInsecure: true },
    'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  ],
] as Array<[string, ClientOptions, string]>) {
  test(`${what} is refused by node:tls`, async (t) => {
    const connecting = clientOf(t, { host: 'localhost', port: t.context.tls }, options).connect()
    const error = (await rejection(atOnce, 'connect()', connecting)) as MqttError
    t.is(error.code, 'ERR_MQTT_TLS')
    t.is((error.cause as NodeJS.ErrnoException).code, code)
    t.regex(error.message, /caCerts/)
  })
}
