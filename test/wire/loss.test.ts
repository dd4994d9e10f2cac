import {
  type Client,
  type ClientOptions,
  MqttCodeError,
  MqttConnectError,
  MqttError,
  MqttReentrantError,
  ProtocolVersion,
} from 'aiomqtt'
import test, { type ExecutionContext } from 'ava'
import {
  atOnce,
  clientOf,
  isPending,
  listening,
  nextMessage,
  paired,
  patience,
  roundTrip,
} from '../helpers/client.js'
import { rejection, within } from '../helpers/deadline.js'
import { Recorder } from '../helpers/logger.js'
import { freePort } from '../helpers/mosquitto.js'
import type { Session } from '../helpers/peer.js'
import { protocols } from '../helpers/protocols.js'

const { V31, V311, V5 } = ProtocolVersion

/** Everything that can be pending, each begun so far that only an answer of the broker is missing. */
async function pendingCalls(client: Client, session: Session): Promise<Record<string, Promise<unknown>>> {
  const calls = {
    'QoS 1': client.publish('one', '', { qos: 1 }),
    'QoS 2 before PUBREC': client.publish('two', '', { qos: 2 }),
    'QoS 2 after PUBREC': client.publish('three', '', { qos: 2 }),
    'a publish that waits for its turn': client.publish('four', '', { qos: 1 }),
    'subscribe()': client.subscribe('a'),
    'unsubscribe()': client.unsubscribe('a'),
    'next()': client.messages.next(),
    'a second next()': client.messages.next(),
  }
  const seen: string[] = []
  while (seen.length < 5) {
    const packet = await session.any()
    seen.push(packet.cmd)
    if (packet.cmd === 'publish' && packet.topic === 'three')
      session.send({ cmd: 'pubrec', messageId: packet.messageId ?? 0 })
  }
  await session.next('pubrel')
  return Object.fromEntries(
    Object.entries(calls).map(([what, promise]) => [what, rejection(atOnce, what, promise)]),
  )
}

/** Checks that all of them reject with `message`, and that the client is fit for another connection. */
async function allReject(
  t: ExecutionContext,
  client: Client,
  calls: Record<string, Promise<unknown>>,
  message: string,
  check: (reason: MqttError) => void = () => {},
): Promise<void> {
  for (const [what, promise] of Object.entries(calls)) {
    let reason = (await promise) as MqttError
    t.true(reason instanceof MqttError, what)
    if (what.includes('next()')) {
      t.is(reason.message, 'Disconnected during message iteration', what)
      reason = reason.cause as MqttError
    }
    t.is(reason.message, message, what)
    check(reason)
  }
  for (const call of [
    () => client.publish('a'),
    () => client.subscribe('a'),
    () => client.unsubscribe('a'),
  ]) {
    const offline = (await rejection(atOnce, 'a call after the loss', call())) as MqttError
    t.is(offline.message, '[code:4] The client is not currently connected.')
  }
  t.is(
    ((await rejection(atOnce, 'next()', client.messages.next())) as Error).message,
    'Disconnected during message iteration',
  )
}

const persistent: Array<[string, (protocol: ProtocolVersion) => ClientOptions]> = [
  ['a clean session', () => ({})],
  [
    'a persistent session',
    (protocol) =>
      protocol === V5
        ? { cleanStart: false, properties: { sessionExpiryInterval: 600 } }
        : { cleanSession: false },
  ],
]

const losses: Array<[string, (session: Session) => void, string, string, ProtocolVersion[]]> = [
  [
    'the broker closes the connection',
    (session) => session.close(),
    '[code:7] The connection was lost.',
    'EOF',
    [V31, V311, V5],
  ],
  [
    'the broker resets the connection',
    (session) => session.reset(),
    '[code:7] The connection was lost.',
    'ECONNRESET',
    [V31, V311, V5],
  ],
  [
    'DISCONNECT with only a reason',
    (session) => session.send('e0 01 8b'),
    '[code:139] Server shutting down',
    '',
    [V5],
  ],
  [
    'DISCONNECT with a reason and no properties',
    (session) => session.send('e0 02 8e 00'),
    '[code:142] Session taken over',
    '',
    [V5],
  ],
  [
    'DISCONNECT with a reason and properties',
    (session) =>
      session.send({ cmd: 'disconnect', reasonCode: 156, properties: { serverReference: 'other:1883' } }),
    '[code:156] Use another server',
    '',
    [V5],
  ],
  [
    'DISCONNECT and the end of the connection in one segment',
    (session) => session.socket.end(session.encode('e0 01 87')),
    '[code:135] Not authorized',
    '',
    [V5],
  ],
]

for (const { name, protocol } of protocols) {
  for (const [kind, options] of persistent) {
    for (const [how, lose, message, code, versions] of losses) {
      if (!versions.includes(protocol)) continue
      test(`${name}, ${kind}: every pending call rejects at once when ${how}`, async (t) => {
        const settings = { protocol, identifier: 'id', maxInflightMessages: 3, ...options(protocol) }
        const { client, session, peer } = await paired(t, settings)
        const calls = await pendingCalls(client, session)
        lose(session)
        await allReject(t, client, calls, message, (reason) => {
          t.true(reason instanceof MqttCodeError)
          if (code) t.is((reason.cause as NodeJS.ErrnoException).code, code)
        })

        const connecting = client.connect()
        const second = await peer.welcome({
          sessionPresent: kind === 'a persistent session' && protocol !== V31,
        })
        await within(patience, 'connecting', connecting)
        await roundTrip(client, second)
        const publishing = client.publish('again', '', { qos: 1 })
        second.send({ cmd: 'puback', messageId: (await second.next('publish')).messageId ?? 0 })
        await within(patience, 'publishing', publishing)
      })
    }

    test(`${name}, ${kind}: every pending call rejects at disconnect(), which waits for nothing but its DISCONNECT`, async (t) => {
      const settings = { protocol, identifier: 'id', maxInflightMessages: 3, ...options(protocol) }
      const { client, session } = await paired(t, settings)
      const calls = await pendingCalls(client, session)
      await within(atOnce, 'disconnecting', client.disconnect())
      t.is((await session.next('disconnect')).hex, 'e000')
      for (const [what, promise] of Object.entries(calls)) {
        const reason = (await promise) as MqttError
        t.true(reason instanceof MqttError, what)
        if (what.includes('next()')) {
          t.is(reason.message, 'Disconnected during message iteration')
          t.is(reason.cause, undefined)
        } else {
          t.is(reason.message, '[code:7] The connection was lost.', what)
        }
      }
    })

    test(`${name}, ${kind}: what rejected at the loss is not sent again, and its late acknowledgement is absorbed`, async (t) => {
      const settings = { protocol, identifier: 'id', maxInflightMessages: 3, ...options(protocol) }
      const { client, session, peer } = await paired(t, settings)
      const calls = await pendingCalls(client, session)
      session.reset()
      await Promise.all(Object.values(calls))
      const connecting = client.connect()
      const second = await peer.welcome({
        sessionPresent: kind === 'a persistent session' && protocol !== V31,
      })
      await within(patience, 'connecting', connecting)
      await roundTrip(client, second)
      second.send('40 02 0001', '70 02 0003')
      await roundTrip(client, second)
      t.pass()
    })
  }

  test(`${name}: what a client publishes offline rejects and is not sent later`, async (t) => {
    const { client, session, peer } = await paired(t, { protocol })
    await client.disconnect()
    await session.next('disconnect')
    for (const qos of [0, 1, 2] as const) {
      await t.throwsAsync(client.publish('offline', '', { qos }), {
        instanceOf: MqttCodeError,
        message: '[code:4] The client is not currently connected.',
      })
    }
    await t.throwsAsync(client.subscribe('a'), { message: '[code:4] The client is not currently connected.' })
    await t.throwsAsync(client.unsubscribe('a'), {
      message: '[code:4] The client is not currently connected.',
    })
    const connecting = client.connect()
    const second = await peer.welcome()
    await within(patience, 'connecting', connecting)
    await roundTrip(client, second)
    t.pass()
  })

  test(`${name}: a connection closed before CONNACK makes connect() reject at once, and the next one works`, async (t) => {
    const peer = await listening(t)
    const client = clientOf(t, peer, { protocol, identifier: 'id' })
    for (const [end, code] of [
      ['close', 'EOF'],
      ['reset', 'ECONNRESET'],
    ] as const) {
      const connecting = rejection(atOnce, 'connect()', client.connect())
      const session = await peer.accept()
      await session.next('connect')
      session[end]()
      const reason = (await connecting) as MqttError
      t.true(reason instanceof MqttError)
      t.is((reason.cause as NodeJS.ErrnoException).code, code)
      t.true(`${reason.message} ${(reason.cause as Error).message}`.includes(`127.0.0.1:${peer.port}`))
    }
    const connecting = client.connect()
    await peer.welcome()
    await within(patience, 'connecting', connecting)
  })

  test(`${name}: a connection closed before anything was said makes connect() reject at once`, async (t) => {
    const peer = await listening(t)
    const client = clientOf(t, peer, { protocol })
    const connecting = rejection(atOnce, 'connect()', client.connect())
    const session = await peer.accept()
    session.reset()
    t.true((await connecting) instanceof MqttError)
  })

  test(`${name}: a silent broker makes connect() reject after its timeout and lets go of the connection`, async (t) => {
    const peer = await listening(t)
    const client = clientOf(t, peer, { protocol, timeout: 0.1 })
    const reason = (await rejection(atOnce, 'connect()', client.connect())) as MqttError
    t.is(reason.message, 'Operation timed out')
    const session = await peer.accept()
    await within(atOnce, 'the end of the connection', session.ended)
  })

  test(`${name}: connect() can be given up by its signal while the broker is silent`, async (t) => {
    const peer = await listening(t)
    const client = clientOf(t, peer, { protocol })
    const controller = new AbortController()
    const connecting = rejection(atOnce, 'connect()', client.connect({ signal: controller.signal }))
    const session = await peer.accept()
    await session.next('connect')
    const reason = new Error('enough')
    controller.abort(reason)
    t.is(await connecting, reason)
    await within(atOnce, 'the end of the connection', session.ended)

    const again = client.connect({ signal: new AbortController().signal })
    await peer.welcome()
    t.is(await within(patience, 'connecting', again), client)
  })

  test(`${name}: a signal that aborts after connect() has resolved does nothing`, async (t) => {
    const peer = await listening(t)
    const client = clientOf(t, peer, { protocol })
    const controller = new AbortController()
    const connecting = client.connect({ signal: controller.signal })
    const session = await peer.welcome()
    await within(patience, 'connecting', connecting)
    controller.abort()
    await roundTrip(client, session)
    t.pass()
  })

  test(`${name}: disconnect() during connect() makes that reject, and the client can be used again`, async (t) => {
    const peer = await listening(t)
    const client = clientOf(t, peer, { protocol })
    const connecting = rejection(atOnce, 'connect()', client.connect())
    const session = await peer.accept()
    await session.next('connect')
    await within(atOnce, 'disconnecting', client.disconnect())
    t.true((await connecting) instanceof MqttError)
    await within(atOnce, 'the end of the connection', session.ended)

    const again = client.connect()
    const second = await peer.welcome()
    await within(patience, 'connecting', again)
    await roundTrip(client, second)
  })

  test(`${name}: disconnect() in the same turn as connect() makes that reject`, async (t) => {
    const peer = await listening(t)
    const client = clientOf(t, peer, { protocol })
    const connecting = rejection(atOnce, 'connect()', client.connect())
    await within(atOnce, 'disconnecting', client.disconnect())
    t.true((await connecting) instanceof MqttError)
    peer.serve(async (session) => {
      await session.next('connect')
      session.welcome()
    })
    t.is(await within(patience, 'connecting', client.connect()), client)
  })

  test(`${name}: connect() of a client in use rejects and disturbs nothing`, async (t) => {
    const peer = await listening(t)
    const client = clientOf(t, peer, { protocol })
    const expected = {
      instanceOf: MqttReentrantError,
      message: 'The client context manager is reusable, but not reentrant',
    }
    const connecting = client.connect()
    await t.throwsAsync(client.connect(), expected)
    const session = await peer.welcome()
    await within(patience, 'connecting', connecting)
    await t.throwsAsync(client.connect(), expected)
    await roundTrip(client, session)
    t.is(peer.connections, 1)
  })

  test(`${name}: disconnect() may be called twice, also at once, and without a connection`, async (t) => {
    const { client, session } = await paired(t, { protocol })
    await within(atOnce, 'disconnecting', Promise.all([client.disconnect(), client.disconnect()]))
    await within(atOnce, 'disconnecting', client.disconnect())
    await session.next('disconnect')
    await within(atOnce, 'the end of the connection', session.ended)
    t.is(session.bytes.toString('hex').match(/e000/g)?.length, 1)
    await within(
      atOnce,
      'disconnecting',
      clientOf(t, { host: '127.0.0.1', port: 1 }, { protocol }).disconnect(),
    )
  })

  test(`${name}: disconnect() after a loss resolves`, async (t) => {
    const { client, session } = await paired(t, { protocol })
    const next = rejection(atOnce, 'next()', client.messages.next())
    session.reset()
    await next
    t.is(await within(atOnce, 'disconnecting', client.disconnect()), undefined)
  })

  test.serial(
    `${name}: disconnect() sends what was published before it, then DISCONNECT, then closes`,
    async (t) => {
      const { client, session } = await paired(t, { protocol })
      const payload = Buffer.alloc(3_000_000, 'x')
      const publishing = client.publish('before', payload)
      const disconnecting = client.disconnect()
      t.is((await session.next('publish')).payload.length, payload.length)
      t.is((await session.next('disconnect')).hex, 'e000')
      t.is(await within(atOnce, 'the end of the connection', session.ended), 'end')
      await within(atOnce, 'disconnecting', disconnecting)
      await within(atOnce, 'publishing', publishing)
    },
  )

  test.serial(
    `${name}: disconnect() resolves by force after the timeout when the peer does not read, with a warning`,
    async (t) => {
      const log = new Recorder()
      const { client, session } = await paired(t, { protocol, timeout: 0.3, logger: log })
      session.socket.pause()
      const payload = Buffer.alloc(30_000_000)
      const large = rejection(atOnce, 'publishing', client.publish('a', payload, { timeout: 60 }))
      const waiting = rejection(atOnce, 'publishing', client.publish('b', 'x', { timeout: 60 }))
      t.is(await within(atOnce, 'disconnecting', client.disconnect()), undefined)
      for (const error of [await large, await waiting]) t.true(error instanceof MqttError)
      t.regex(log.lines.warn.join('\n'), /Forcing disconnection/)
    },
  )

  test(`${name}: disconnect() without a connection warns like Python`, async (t) => {
    const log = new Recorder()
    const client = clientOf(t, { host: '127.0.0.1', port: 1 }, { protocol, logger: log })
    await within(atOnce, 'disconnecting', client.disconnect())
    t.deepEqual(log.lines.warn, ['Could not gracefully disconnect: 4. Forcing disconnection.'])
  })

  test.serial(
    `${name}: disconnect() resolves at once when the connection is lost before DISCONNECT has left`,
    async (t) => {
      const { client, session } = await paired(t, { protocol })
      session.socket.pause()
      const large = rejection(atOnce, 'publishing', client.publish('a', Buffer.alloc(30_000_000)))
      const waiting = rejection(atOnce, 'publishing', client.publish('b', 'x'))
      const disconnecting = client.disconnect()
      t.true(await isPending(disconnecting))
      session.reset()
      t.is(await within(atOnce, 'disconnecting', disconnecting), undefined)
      for (const error of [await large, await waiting]) t.true(error instanceof MqttError)
    },
  )

  for (const [kind, options] of persistent) {
    test.serial(
      `${name}, ${kind}: QoS 0 that the peer does not read rejects on its timeout, and at the loss`,
      async (t) => {
        const { client, session } = await paired(t, { protocol, identifier: 'id', ...options(protocol) })
        session.socket.pause()
        const large = rejection(atOnce, 'publishing', client.publish('a', Buffer.alloc(30_000_000)))
        const timed = rejection(atOnce, 'publishing', client.publish('b', 'x', { timeout: 0.1 }))
        const lost = rejection(atOnce, 'publishing', client.publish('c', 'x'))
        t.is(((await timed) as MqttError).message, 'Operation timed out')
        session.reset()
        for (const error of [await large, await lost])
          t.is((error as MqttError).message, '[code:7] The connection was lost.')
      },
    )
  }

  test(`${name}: a refused port rejects with Python’s text and says where`, async (t) => {
    const port = await freePort()
    const client = clientOf(t, { host: '127.0.0.1', port }, { protocol })
    const reason = (await rejection(atOnce, 'connect()', client.connect())) as MqttError
    t.true(reason instanceof MqttError)
    t.is(reason.message, `[Errno 111] Connection refused (127.0.0.1:${port})`)
    t.is((reason.cause as NodeJS.ErrnoException).code, 'ECONNREFUSED')
    t.is(((await rejection(atOnce, 'connect()', client.connect())) as MqttError).message, reason.message)
  })

  test(`${name}: a name that does not exist rejects with the resolver’s error`, async (t) => {
    const client = clientOf(t, { host: 'no-such-host.invalid', port: 1883 }, { protocol, timeout: 30 })
    const reason = (await rejection(30_000, 'connect()', client.connect())) as MqttError
    t.true(reason instanceof MqttError)
    t.regex(reason.message, /^\[Errno -[23]\] .+no-such-host\.invalid/)
    t.regex(String((reason.cause as NodeJS.ErrnoException).code), /^(ENOTFOUND|EAI_AGAIN)$/)
  })

  test(`${name}: next() before the first connect() waits, and gets the first message`, async (t) => {
    const peer = await listening(t)
    const client = clientOf(t, peer, { protocol })
    const next = client.messages.next()
    const connecting = client.connect()
    const session = await peer.welcome()
    await within(patience, 'connecting', connecting)
    t.true(await isPending(next))
    session.send({ cmd: 'publish', topic: 'a', payload: 'x', qos: 0, dup: false, retain: false })
    t.is((await nextMessage(client, next)).text(), 'x')
  })

  test(`${name}: next() before a connect() that fails goes on waiting for the one that succeeds`, async (t) => {
    const peer = await listening(t)
    const client = clientOf(t, peer, { protocol })
    const next = client.messages.next()
    const failing = rejection(atOnce, 'connect()', client.connect())
    const first = await peer.accept()
    first.reset()
    await failing
    t.true(await isPending(next))
    const connecting = client.connect()
    const session = await peer.welcome()
    await within(patience, 'connecting', connecting)
    session.send({ cmd: 'publish', topic: 'a', payload: 'x', qos: 0, dup: false, retain: false })
    t.is((await nextMessage(client, next)).text(), 'x')
  })

  test(`${name}: what is queued is delivered after the loss, then iteration rejects`, async (t) => {
    const { client, session } = await paired(t, { protocol })
    for (const payload of ['1', '2'])
      session.send({ cmd: 'publish', topic: 'a', payload, qos: 0, dup: false, retain: false })
    await within(patience, 'the first message', client.messages.next())
    const waiting = rejection(atOnce, 'publishing', client.publish('a', '', { qos: 1 }))
    session.close()
    await waiting
    t.is(client.messages.length, 1)
    t.is((await nextMessage(client)).text(), '2')
    await t.throwsAsync(client.messages.next(), { message: 'Disconnected during message iteration' })
  })
}

test('MQTT 5: DISCONNECT without a reason is a clean end', async (t) => {
  for (const bytes of ['e0 00', 'e0 01 00', 'e0 02 00 00']) {
    const { client, session } = await paired(t, { protocol: V5 })
    const next = rejection(atOnce, 'next()', client.messages.next())
    const publishing = rejection(atOnce, 'publishing', client.publish('a', '', { qos: 1 }))
    session.send(bytes)
    const error = (await next) as Error
    t.is(error.message, 'Disconnected during message iteration')
    t.is(error.cause, undefined)
    t.is(((await publishing) as Error).message, '[code:7] The connection was lost.')
  }
})

test('MQTT 5: the client closes its side after the broker’s DISCONNECT', async (t) => {
  const { client, session } = await paired(t, { protocol: V5 })
  const next = rejection(atOnce, 'next()', client.messages.next())
  session.send('e0 01 8b')
  await next
  await within(atOnce, 'the end of the connection', session.ended)
  t.is(session.bytes.toString('hex').match(/e000/g), null)
})

const refusals: Array<[ProtocolVersion[], string, string]> = [
  [[V31, V311], '20 02 0001', '[code:132] Unsupported protocol version'],
  [[V31, V311], '20 02 0002', '[code:133] Client identifier not valid'],
  [[V31, V311], '20 02 0003', '[code:136] Server unavailable'],
  [[V31, V311], '20 02 0004', '[code:134] Bad user name or password'],
  [[V31, V311], '20 02 0005', '[code:135] Not authorized'],
  [[V31, V311], '20 02 0006', '[code:128] Unspecified error'],
  [[V31, V311], '20 02 00ff', '[code:128] Unspecified error'],
  [[V5], '20 03 0080 00', '[code:128] Unspecified error'],
  [[V5], '20 03 0084 00', '[code:132] Unsupported protocol version'],
  [[V5], '20 03 0086 00', '[code:134] Bad user name or password'],
  [[V5], '20 03 0087 00', '[code:135] Not authorized'],
  [[V5], '20 03 008a 00', '[code:138] Banned'],
  [[V5], '20 03 009f 00', '[code:159] Connection rate exceeded'],
  [[V5], '20 03 0001 00', '[code:132] Unsupported protocol version'],
  [[V5], '20 02 0001', '[code:132] Unsupported protocol version'],
]
for (const { name, protocol } of protocols) {
  for (const [versions, bytes, message] of refusals) {
    if (!versions.includes(protocol)) continue
    for (const identifier of ['id', '']) {
      test(`${name}: CONNACK ${bytes} for the identifier '${identifier}' rejects with ${message}, each time`, async (t) => {
        const peer = await listening(t)
        const client = clientOf(t, peer, { protocol, identifier })
        for (let round = 0; round < 2; round++) {
          const connecting = rejection(atOnce, 'connect()', client.connect())
          const session = await peer.accept()
          await session.next('connect')
          session.send(bytes)
          const reason = await connecting
          t.true(reason instanceof MqttConnectError)
          t.is((reason as MqttConnectError).message, message)
          await within(atOnce, 'the end of the connection', session.ended)
        }
        const again = client.connect()
        await peer.welcome()
        await within(patience, 'connecting', again)
      })
    }
  }
}

test('MQTT 5: a refusal tells what else the broker said', async (t) => {
  const peer = await listening(t)
  const client = clientOf(t, peer, { protocol: V5 })
  const connecting = rejection(atOnce, 'connect()', client.connect())
  const session = await peer.accept()
  await session.next('connect')
  session.send({
    cmd: 'connack',
    sessionPresent: false,
    reasonCode: 138,
    properties: { reasonString: 'go away' },
  })
  const reason = (await connecting) as MqttConnectError
  t.is(reason.message, '[code:138] Banned')
  t.regex(String((reason.cause as Error).message), /go away/)
})

test('a refusal after a loss is reported by connect()', async (t) => {
  const { client, session, peer } = await paired(t)
  const next = rejection(atOnce, 'next()', client.messages.next())
  session.reset()
  await next
  const connecting = rejection(atOnce, 'connect()', client.connect())
  const second = await peer.accept()
  await second.next('connect')
  second.send('20 02 0005')
  t.is(((await connecting) as Error).message, '[code:135] Not authorized')
  t.is(
    ((await rejection(atOnce, 'next()', client.messages.next())) as Error).message,
    'Disconnected during message iteration',
  )
})

test('an aborted signal makes connect() reject before anything happens', async (t) => {
  const peer = await listening(t)
  const client = clientOf(t, peer)
  const reason = new Error('never')
  t.is(await rejection(atOnce, 'connect()', client.connect({ signal: AbortSignal.abort(reason) })), reason)
  const connecting = client.connect()
  await peer.welcome()
  await within(patience, 'connecting', connecting)
  t.is(peer.connections, 1)
})

test('next() can be given up by its signal without losing a message', async (t) => {
  const { client, session } = await paired(t)
  const controller = new AbortController()
  const reason = new Error('no time')
  const given = rejection(atOnce, 'next()', client.messages.next({ signal: controller.signal }))
  controller.abort(reason)
  t.is(await given, reason)
  const next = client.messages.next()
  session.send({ cmd: 'publish', topic: 'a', payload: 'x', qos: 0, dup: false, retain: false })
  t.is((await nextMessage(client, next)).text(), 'x')
  t.is(await rejection(atOnce, 'next()', client.messages.next({ signal: AbortSignal.abort(reason) })), reason)
})

test.serial('a flood that arrives while next() is given up again and again loses nothing', async (t) => {
  const { client, session } = await paired(t)
  const count = 2_000
  let sent = 0
  const sending = setInterval(() => {
    for (let index = 0; index < 20 && sent < count; index++, sent++) {
      session.send({ cmd: 'publish', topic: 'a', payload: String(sent), qos: 0, dup: false, retain: false })
    }
  }, 1)
  t.teardown(() => clearInterval(sending))
  const received: string[] = []
  const deadline = performance.now() + 20_000
  while (received.length < count && performance.now() < deadline) {
    const controller = new AbortController()
    const timer = setImmediate(() => controller.abort())
    await client.messages.next({ signal: controller.signal }).then(
      ({ value }) => received.push(value?.text() ?? 'the end'),
      () => {},
    )
    clearImmediate(timer)
  }
  t.deepEqual(
    received,
    Array.from({ length: count }, (_, index) => String(index)),
  )
})

test('several calls of several clients reject at the loss of their own connection only', async (t) => {
  const pairs = [await paired(t), await paired(t), await paired(t)] as const
  const calls = pairs.map(({ client }) => client.publish('a', '', { qos: 1 }))
  const lost = rejection(atOnce, 'publishing', calls[1] as Promise<void>)
  for (const { session } of pairs) await session.next('publish')
  pairs[1].session.reset()
  t.is(((await lost) as Error).message, '[code:7] The connection was lost.')
  t.true(await isPending(calls[0] as Promise<void>))
  for (const index of [0, 2] as const) {
    pairs[index].session.send('40 02 0001')
    await within(patience, 'publishing', calls[index] as Promise<void>)
  }
})

test('twenty clients connect at the same time, each with an answer of its own', async (t) => {
  const peer = await listening(t)
  const clients = Array.from({ length: 20 }, (_, index) =>
    clientOf(t, peer, { identifier: `client-${index}` }),
  )
  const connecting = Promise.allSettled(clients.map((client) => client.connect()))
  for (let count = 0; count < 20; count++) {
    const session = await peer.accept()
    const { clientId } = await session.next('connect')
    if (Number(clientId.split('-')[1]) % 2 === 0) session.welcome()
    else session.send('20 02 0005')
  }
  const outcomes = await within(patience, 'connecting', connecting)
  t.deepEqual(
    outcomes.map(({ status }, index) => status === (index % 2 === 0 ? 'fulfilled' : 'rejected')),
    Array(20).fill(true),
  )
})

test.serial('a client that connects while another one floods does not wait for it', async (t) => {
  const flooded = await paired(t)
  const burst = Buffer.concat(Array(20_000).fill(flooded.session.encode('30 05 0001 61 7878')))
  let flooding = true
  const write = () => flooding && flooded.session.socket.write(burst, write)
  write()
  const drained = (async () => {
    for await (const _ of flooded.client.messages) if (!flooding) break
  })().catch(() => {})
  const peer = await listening(t)
  const client = clientOf(t, peer)
  const started = performance.now()
  const connecting = client.connect()
  await peer.welcome()
  await within(patience, 'connecting', connecting)
  t.true(performance.now() - started < atOnce)
  flooding = false
  flooded.session.reset()
  await within(patience, 'the end of the flood', drained)
})
