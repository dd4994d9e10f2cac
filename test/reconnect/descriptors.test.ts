// No descriptors left while the client comes back: each way to the broker is tried again, and works when there are some.

import type { Client, ClientOptions } from 'aiomqtt'
import test from 'ava'
import { listening } from '../helpers/client.js'
import { inProcess, type Program } from '../helpers/program.js'
import { caCerts, ways } from '../helpers/ways.js'

interface Parameters {
  host: string
  port: number
  options: ClientOptions
  /** What is not data among the options. */
  kind: string
  ca: string
}

const program: Program<Parameters> = async (library, { host, port, options, kind, ca }) => {
  const { closeSync, openSync } = await import('node:fs')
  const { connect } = await import('node:net')
  const { createSecureContext } = await import('node:tls')
  const taken: number[] = []
  const exhaust = (left: number) => {
    for (;;) {
      try {
        taken.push(openSync('/dev/null', 'r'))
      } catch {
        break
      }
    }
    for (let count = 0; count < left; count++) closeSync(taken.pop() as number)
  }
  const client: Client = new library.Client(host, port, {
    ...options,
    ...(kind === 'node-tls' && { tlsContext: createSecureContext({ ca }) }),
    ...(kind === 'stream' && { transport: () => connect(port, host) }),
    timeout: 2,
    reconnect: { minDelay: 0.01, maxDelay: 0.02 },
  })
  await client.connect()
  const reasons = new Set<string>()
  for (const left of [0, 1]) {
    const changes = client.states
    // The peer cuts the connection at this.
    await client.publish('cut', 'x')
    let failures = 0
    for await (const { state, error } of changes) {
      if (state === 'connected' && failures > 0) break
      if (state === 'disconnected') throw error
      if (state !== 'reconnecting') continue
      if (failures > 0) reasons.add(String((error?.cause as NodeJS.ErrnoException | undefined)?.code))
      if (++failures < 5) exhaust(left)
      else for (const descriptor of taken.splice(0)) closeSync(descriptor)
    }
    await client.publish('again', 'x', { qos: 1 })
  }
  await client.disconnect()
  console.log([...reasons].sort().join())
}

for (const name of Object.keys(ways) as Array<keyof typeof ways>) {
  test(`${name}: without descriptors it is tried again, and works when there are some`, async (t) => {
    const peer = await listening(t)
    peer.serve(async (session) => {
      await session.next('connect')
      session.welcome()
      for (;;) {
        const packet = await session.any()
        if (packet.cmd !== 'publish') continue
        if (packet.topic === 'cut') session.reset()
        else session.send({ cmd: 'puback', messageId: packet.messageId })
      }
    })
    const { options, host, port } = await ways[name](peer)
    const { tlsContext: _context, transport, ...rest } = options as ClientOptions
    const data = typeof transport === 'string' ? { ...rest, transport } : rest
    const parameters = { host, port, options: data, kind: name, ca: caCerts }
    const { output, errors } = await inProcess(program, parameters, { descriptors: 120 }).outcome
    t.is(errors, '')
    t.is(output.trim(), 'EMFILE')
  })
}
