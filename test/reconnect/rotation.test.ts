// Certificates that are renewed on the disk while an attempt is made: what was read in the middle is tried again.

import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer as createWebServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createServer as createTlsServer, type Server, type TLSSocket } from 'node:tls'
import test, { type ExecutionContext } from 'ava'
import { WebSocketServer } from 'ws'
import { Authority, type Identity } from '../helpers/certificates.js'
import { clientOf, patience } from '../helpers/client.js'
import { within } from '../helpers/deadline.js'
import { quickly, reached } from '../helpers/reconnect.js'

const CONNACK = Buffer.from('20020000', 'hex')
const root = Authority.root('Rotation Root')
const server = root.issue({ hosts: ['localhost'] })
const [old, renewed] = [root.issue({ name: 'old' }), root.issue({ name: 'renewed' })]

/** A broker that wants a certificate of each client, and takes down its name. */
async function broker(t: ExecutionContext, transport: 'tcp' | 'websockets') {
  const names: string[] = []
  const sockets: TLSSocket[] = []
  const options = { cert: server.certificate, key: server.key, ca: root.certificate, requestCert: true }
  const listener: Server = transport === 'tcp' ? createTlsServer(options) : createWebServer(options)
  listener.on('secureConnection', (socket: TLSSocket) => {
    names.push(String(socket.getPeerCertificate().subject?.CN))
    sockets.push(socket)
    socket.on('error', () => {})
    if (transport === 'tcp') socket.once('data', () => socket.write(CONNACK))
  })
  listener.on('tlsClientError', () => {})
  if (transport === 'websockets') {
    new WebSocketServer({ server: listener as never, handleProtocols: () => 'mqtt' }).on(
      'connection',
      (web) => web.once('message', () => web.send(CONNACK)),
    )
  }
  listener.listen(0, '127.0.0.1')
  await once(listener, 'listening')
  t.teardown(() => {
    for (const socket of sockets) socket.destroy()
    listener.close()
  })
  return { names, port: (listener.address() as AddressInfo).port, cut: () => sockets.at(-1)?.destroy() }
}

const halves: Array<[what: string, certificate: string, key: string]> = [
  ['the certificate is new and the key is old', renewed.certificate, old.key],
  ['the key is new and the certificate is old', old.certificate, renewed.key],
  ['the certificate is half written', renewed.certificate.slice(0, 200), renewed.key],
  ['the key is half written', renewed.certificate, renewed.key.slice(0, 100)],
  ['the certificate is empty', '', renewed.key],
  ['the key is empty', renewed.certificate, ''],
]

for (const transport of ['tcp', 'websockets'] as const) {
  test(`${transport}: files that are half renewed are read again, whatever is in them`, async (t) => {
    const folder = await mkdtemp(join(tmpdir(), 'rotation-'))
    t.teardown(() => rm(folder, { recursive: true }))
    const [caCerts, certfile, keyfile] = ['ca', 'crt', 'key'].map((name) => join(folder, name)) as [
      string,
      string,
      string,
    ]
    const put = async ({ certificate, key }: Pick<Identity, 'certificate' | 'key'>) => {
      await writeFile(certfile, certificate)
      await writeFile(keyfile, key)
    }
    await writeFile(caCerts, root.certificate)
    await put(old)
    const { names, port, cut } = await broker(t, transport)
    const client = clientOf(
      t,
      { host: 'localhost', port },
      { transport, reconnect: quickly, tlsParams: { caCerts, certfile, keyfile } },
    )
    await within(patience, 'connecting', client.connect())
    /** The connection is lost, and some attempts fail. */
    const failing = async (what: string) => {
      const changes = client.states
      cut()
      let losses = 0
      const trying = (async () => {
        for await (const { state } of changes) if (state === 'reconnecting' && ++losses === 3) return
      })()
      await within(patience, what, trying)
    }
    for (const [what, certificate, key] of halves) {
      await put({ certificate, key })
      await failing(what)
      await put(renewed)
      await reached(client, 'connected')
    }
    await writeFile(caCerts, root.certificate.slice(0, 100))
    await failing('the authority is half written')
    await writeFile(caCerts, root.certificate)
    await reached(client, 'connected')
    t.deepEqual(names, ['old', ...Array(halves.length + 1).fill('renewed')])
  })
}
