import { PassThrough } from 'node:stream'
import { inspect } from 'node:util'
import {
  type ClientOptions,
  FifoQueue,
  LifoQueue,
  MQTT_CLEAN_START_FIRST_ONLY,
  PacketTypes,
  Properties,
  ProtocolVersion,
  ProxySettings,
  TLSParameters,
  Will,
} from 'aiomqtt'
import test from 'ava'
import { ClientSettings } from './internals.js'

const { V31, V311, V5 } = ProtocolVersion

function settings(options: ClientOptions = {}): InstanceType<typeof ClientSettings> {
  return new ClientSettings('host', options)
}

test('the defaults are those of aiomqtt', (t) => {
  const { logger, ...rest } = new ClientSettings('host')
  t.deepEqual(rest, {
    hostname: 'host',
    port: 1883,
    protocol: V311,
    identifier: '',
    queueType: FifoQueue,
    cleanStart: true,
    cleanStartFirstOnly: true,
    transport: 'tcp',
    timeout: 10,
    keepalive: 60,
    bindAddress: '',
    bindPort: 0,
    maxQueuedIncomingMessages: Number.POSITIVE_INFINITY,
    maxQueuedIncomingBytes: Number.POSITIVE_INFINITY,
    maxQueuedOutgoingMessages: Number.POSITIVE_INFINITY,
    maxInflightMessages: 20,
    maxConcurrentOutgoingCalls: Number.POSITIVE_INFINITY,
    properties: null,
    tlsParams: null,
    tlsInsecure: null,
    proxy: null,
    socketOptions: [],
    overflow: 'drop-newest',
    reconnect: null,
    offlineQueue: null,
    store: null,
    manualAcks: false,
    topicAliases: 0,
    latency: 0.001,
  })
  for (const method of ['debug', 'info', 'warn', 'error'] as const)
    t.is(logger[method]('not printed'), undefined)
})

test('what authenticates is null unless given', (t) => {
  const { username, password, tlsContext, websocketHeaders, authentication } = settings()
  t.deepEqual(
    [username, password, tlsContext, websocketHeaders, authentication],
    [null, null, null, null, null],
  )
  const { will, websocketPath } = settings()
  t.deepEqual([will, websocketPath], [null, null])
})

test('settings are frozen', (t) => {
  t.true(Object.isFrozen(settings()))
})

test('null means the same as leaving an option out', (t) => {
  const names = Object.keys({ ...settings() }).filter((name) => name !== 'hostname' && name !== 'port')
  const options = Object.fromEntries(
    names.filter((name) => name !== 'cleanStartFirstOnly').map((name) => [name, null]),
  )
  t.deepEqual({ ...new ClientSettings('host', null, options as ClientOptions) }, { ...settings() })
})

test('the port is an argument or among the options', (t) => {
  t.is(new ClientSettings('host', 1884).port, 1884)
  t.is(new ClientSettings('host', 1884, { keepalive: 1 }).port, 1884)
  t.is(new ClientSettings('host', { port: 1884, keepalive: 1 }).port, 1884)
  t.is(new ClientSettings('host', undefined, { keepalive: 1 }).port, 1883)
  t.is(new ClientSettings('host', { port: 1884, keepalive: 1 }).keepalive, 1)
  t.is(new ClientSettings('host', 65535).port, 65535)
})

test('everything that was given is there', (t) => {
  const warnings: string[] = []
  const logger = { ...console, warn: (text: string) => warnings.push(text) }
  const store = { load: () => [], batch: () => {} }
  const secure = {}
  const headers = () => ({})
  const given = settings({
    username: '',
    password: 'pässword',
    logger,
    identifier: 'id',
    queueType: LifoQueue,
    protocol: V5,
    transport: 'websockets',
    timeout: 0.5,
    keepalive: 0,
    bindAddress: '127.0.0.1',
    bindPort: 4000,
    cleanStart: false,
    maxQueuedIncomingMessages: 5,
    maxQueuedOutgoingMessages: 6,
    maxInflightMessages: 7,
    maxConcurrentOutgoingCalls: 8,
    properties: { sessionExpiryInterval: 9 },
    tlsContext: secure,
    tlsInsecure: false,
    proxy: { proxyType: 3, proxyAddr: 'proxy' },
    socketOptions: new Set([
      [6, 1, 1],
      [1, 2, new Uint8Array([3])],
    ] as const),
    websocketPath: '/path',
    websocketHeaders: headers,
    overflow: 'backpressure',
    maxQueuedIncomingBytes: 10,
    reconnect: true,
    offlineQueue: true,
    store,
    manualAcks: true,
    topicAliases: 11,
    latency: 0.25,
    authentication: { method: 'm', respond: () => null },
  })
  t.is(given.username, '')
  t.deepEqual(given.password, Buffer.from('pässword'))
  given.logger.warn('a warning')
  t.deepEqual(warnings, ['a warning'])
  t.is(given.identifier, 'id')
  t.is(given.queueType, LifoQueue)
  t.is(given.protocol, V5)
  t.is(given.transport, 'websockets')
  t.is(given.timeout, 0.5)
  t.is(given.keepalive, 0)
  t.is(given.bindAddress, '127.0.0.1')
  t.is(given.bindPort, 4000)
  t.false(given.cleanStart)
  t.false(given.cleanStartFirstOnly)
  t.is(given.maxQueuedIncomingMessages, 5)
  t.is(given.maxQueuedOutgoingMessages, 6)
  t.is(given.maxInflightMessages, 7)
  t.is(given.maxConcurrentOutgoingCalls, 8)
  t.is(given.properties?.sessionExpiryInterval, 9)
  t.is(given.tlsContext, secure)
  t.false(given.tlsInsecure)
  t.is(given.proxy?.proxyAddr, 'proxy')
  t.deepEqual(given.socketOptions, [
    [6, 1, 1],
    [1, 2, new Uint8Array([3])],
  ])
  t.is(given.websocketPath, '/path')
  t.is(given.websocketHeaders, headers)
  t.is(given.overflow, 'backpressure')
  t.is(given.maxQueuedIncomingBytes, 10)
  t.is(given.store, store)
  t.true(given.manualAcks)
  t.is(given.topicAliases, 11)
  t.is(given.latency, 0.25)
  t.is(given.authentication?.method, 'm')
  t.is(given.authentication?.data, null)
  t.is(given.authentication?.respond(null), null)
})

test('a password is only sent with a user name', (t) => {
  t.is(settings({ password: 'x' }).password, null)
  t.deepEqual(settings({ username: 'u', password: new Uint8Array([0, 255]) }).password, Buffer.from([0, 255]))
})

test('MQTT 3.1 gets a random identifier, later versions leave it to the broker', (t) => {
  const { identifier } = settings({ protocol: V31 })
  t.regex(identifier, /^[0-9A-Za-z]{22}$/)
  t.not(settings({ protocol: V31 }).identifier, identifier)
  t.is(settings({ protocol: V31, identifier: 'id' }).identifier, 'id')
  t.is(settings({ protocol: V311 }).identifier, '')
  t.is(settings({ protocol: V5 }).identifier, '')
})

test('clean session and clean start are one, each on its version', (t) => {
  t.true(settings({ cleanSession: true }).cleanStart)
  t.false(settings({ cleanSession: false, identifier: 'id' }).cleanStart)
  t.true(settings({ cleanStart: MQTT_CLEAN_START_FIRST_ONLY }).cleanStart)
  t.true(settings({ protocol: V5 }).cleanStart)
  t.true(settings({ protocol: V5, cleanStart: true }).cleanStart)
  t.false(settings({ protocol: V5, cleanStart: false }).cleanStart)
  t.true(settings({ protocol: V5 }).cleanStartFirstOnly)
  t.false(settings({ protocol: V5, cleanStart: true }).cleanStartFirstOnly)
})

test('bounds of zero and less are none where Python has it so', (t) => {
  for (const bound of [0, -1, Number.POSITIVE_INFINITY]) {
    t.is(settings({ maxQueuedIncomingMessages: bound }).maxQueuedIncomingMessages, Number.POSITIVE_INFINITY)
    t.is(settings({ maxQueuedIncomingBytes: bound }).maxQueuedIncomingBytes, Number.POSITIVE_INFINITY)
  }
  t.is(settings({ maxQueuedOutgoingMessages: 0 }).maxQueuedOutgoingMessages, Number.POSITIVE_INFINITY)
  t.is(settings({ maxInflightMessages: 0 }).maxInflightMessages, 65535)
  t.is(settings({ maxInflightMessages: 100_000 }).maxInflightMessages, 65535)
})

test('the will is encoded once, from an instance or a literal', (t) => {
  const payload = Buffer.from('x')
  const { will } = settings({ will: new Will('a/b', payload, { qos: 1, retain: true }) })
  payload[0] = 0
  t.deepEqual(will, {
    topic: 'a/b',
    payload: Buffer.from('x'),
    qos: 1,
    retain: true,
    properties: new Uint8Array(0),
  })
  t.deepEqual(settings({ protocol: V5, will: { topic: 'a' } }).will, {
    topic: 'a',
    payload: Buffer.alloc(0),
    qos: 0,
    retain: false,
    properties: Buffer.from([0]),
  })
  const delayed = settings({
    protocol: V5,
    will: { topic: 'a', payload: 1, properties: { willDelayInterval: 2 } },
  })
  t.deepEqual(delayed.will?.payload, Buffer.from('1'))
  t.deepEqual(delayed.will?.properties, Buffer.from([5, 24, 0, 0, 0, 2]))
})

test('the properties of CONNECT are a copy', (t) => {
  const properties = Properties.from(PacketTypes.CONNECT, { receiveMaximum: 5 })
  const copy = settings({ protocol: V5, properties }).properties
  properties.receiveMaximum = 6
  t.is(copy?.receiveMaximum, 5)
  t.true(settings({ protocol: V5 }).properties?.isEmpty())
})

test('TLS parameters and proxies may be instances or literals', (t) => {
  const tlsParams = new TLSParameters({ caCerts: 'ca.pem' })
  t.is(settings({ tlsParams }).tlsParams, tlsParams)
  t.is(settings({ tlsParams: { caCerts: 'ca.pem' } }).tlsParams?.caCerts, 'ca.pem')
  const proxy = new ProxySettings({ proxyType: 'socks5', proxyAddr: 'proxy' })
  t.is(settings({ proxy }).proxy, proxy)
})

test('reconnecting has defaults for all that is left out', (t) => {
  const defaults = {
    minDelay: 1,
    maxDelay: 60,
    maxAttempts: Number.POSITIVE_INFINITY,
    hosts: [],
    order: 'given',
    resubscribe: true,
    initial: false,
    retry: null,
    maxDeliveryLosses: 3,
  }
  t.deepEqual(settings({ reconnect: true }).reconnect as object, defaults)
  t.deepEqual(settings({ reconnect: {} }).reconnect as object, defaults)
  t.is(settings({ reconnect: false }).reconnect, null)
  const hosts = ['b', ['c', 1885]] as const
  const given = {
    minDelay: 0,
    maxDelay: 5,
    maxAttempts: 3,
    maxDeliveryLosses: 5,
    hosts,
    order: 'random',
    resubscribe: false,
    initial: true,
    retry: () => true,
  }
  t.deepEqual(new ClientSettings('a', 1884, { reconnect: given as object }).reconnect as object, {
    ...given,
    hosts: [
      ['b', 1884],
      ['c', 1885],
    ],
  })
})

test('the offline queue has defaults for all that is left out', (t) => {
  const defaults = {
    maxMessages: Number.POSITIVE_INFINITY,
    maxBytes: Number.POSITIVE_INFINITY,
    overflow: 'reject',
    qos0: false,
  }
  t.deepEqual(settings({ offlineQueue: true }).offlineQueue as object, defaults)
  t.is(settings({ offlineQueue: false }).offlineQueue, null)
  const given = { maxMessages: 1, maxBytes: 2, overflow: 'drop-oldest', qos0: true } as const
  t.deepEqual(settings({ offlineQueue: given }).offlineQueue as object, given)
})

test('what authenticates never shows in a log', (t) => {
  const shown = settings({
    protocol: V5,
    username: 'secret user',
    password: 'secret',
    properties: { userProperty: ['a', 'b'] },
    tlsContext: { passphrase: 'secret' },
    proxy: { proxyType: 1, proxyAddr: 'proxy', proxyPassword: 'secret' },
    websocketHeaders: { authorization: 'secret' },
    authentication: { method: 'secret method', data: Buffer.from('secret'), respond: () => null },
  })
  for (const options of [{}, { showHidden: true, getters: true, depth: null }]) {
    const output = inspect({ shown }, options)
    t.false(/secret|736563726574|73 65 63/.test(output), output)
    t.true(output.includes("hostname: 'host'"))
  }
  t.false(/secret/.test(JSON.stringify(shown)))
})

test('a host that is no host is refused', (t) => {
  t.throws(() => new ClientSettings(''), { instanceOf: RangeError, message: 'Invalid host.' })
  t.throws(() => new ClientSettings('a\0b'), {
    instanceOf: RangeError,
    message: 'hostname must not contain NUL characters',
  })
  for (const hostname of [undefined, null, 5]) {
    t.throws(() => new ClientSettings(hostname as never), {
      instanceOf: TypeError,
      message: /^hostname must be a string, not /,
    })
  }
})

const ports: Array<[port: unknown, error: typeof TypeError | typeof RangeError, message: string]> = [
  [0, RangeError, 'Invalid port number.'],
  [-1, RangeError, 'Invalid port number.'],
  [65536, RangeError, 'port must be an integer from 1 to 65535, not 65536'],
  [70000, RangeError, 'port must be an integer from 1 to 65535, not 70000'],
  [1.5, RangeError, 'port must be an integer from 1 to 65535, not 1.5'],
  [Number.NaN, RangeError, 'port must be an integer from 1 to 65535, not NaN'],
  ['1883', TypeError, 'port must be a number, not string'],
]

for (const [port, instanceOf, message] of ports) {
  test(`the port ${inspect(port)} is refused`, (t) => {
    t.throws(() => new ClientSettings('host', port as number), { instanceOf, message })
    t.throws(() => new ClientSettings('host', { port: port as number }), { instanceOf, message })
  })
}

test('a port given twice, or among the options after a port, is refused', (t) => {
  t.throws(() => new ClientSettings('host', {}, {}), {
    instanceOf: TypeError,
    message: 'port must be a number, not object',
  })
  t.throws(() => new ClientSettings('host', 1883, { port: 1 } as object), { instanceOf: TypeError })
})

const wrong: Array<[options: object, error: typeof TypeError | typeof RangeError, message: string]> = [
  [
    { usrname: 'u' },
    TypeError,
    "Client() got an unexpected keyword argument 'usrname'. Did you mean 'username'?",
  ],
  [
    { clean_session: true },
    TypeError,
    "Client() got an unexpected keyword argument 'clean_session'. Did you mean 'cleanSession'?",
  ],
  [
    { keepAlive: 5 },
    TypeError,
    "Client() got an unexpected keyword argument 'keepAlive'. Did you mean 'keepalive'?",
  ],
  [{ protocol: '5' }, TypeError, 'protocol must be one of ProtocolVersion, not string'],
  [{ protocol: 9 }, RangeError, 'protocol must be ProtocolVersion.V31, V311 or V5, not 9'],
  [{ transport: 'UDP' }, RangeError, 'transport must be "websockets", "tcp" or "unix", not udp'],
  [{ transport: 5 }, TypeError, 'transport must be a string or a function, not number'],
  [{ protocol: V5, cleanSession: true }, RangeError, 'Clean session is not used for MQTT 5.0'],
  [{ protocol: V5, cleanSession: false }, RangeError, 'Clean session is not used for MQTT 5.0'],
  [{ cleanSession: false }, RangeError, 'A client id must be provided if clean session is False.'],
  [
    { cleanSession: false, identifier: '' },
    RangeError,
    'A client id must be provided if clean session is False.',
  ],
  [
    { protocol: V31, cleanSession: false },
    RangeError,
    'A client id must be provided if clean session is False.',
  ],
  [{ cleanSession: 1 }, TypeError, 'cleanSession must be a boolean, not number'],
  [{ cleanStart: true }, RangeError, 'Clean start only applies to MQTT V5'],
  [{ cleanStart: false }, RangeError, 'Clean start only applies to MQTT V5'],
  [{ protocol: V5, cleanStart: 5 }, TypeError, 'cleanStart must be a boolean, not number'],
  [{ maxQueuedOutgoingMessages: -1 }, RangeError, 'Invalid queue size.'],
  [{ maxQueuedOutgoingMessages: 1.5 }, RangeError, 'Invalid queue size.'],
  [{ maxQueuedOutgoingMessages: '1' }, TypeError, 'Invalid type of queue size.'],
  [{ maxInflightMessages: -1 }, RangeError, 'Invalid inflight.'],
  [{ maxInflightMessages: '1' }, TypeError, 'maxInflightMessages must be a number, not string'],
  [{ maxConcurrentOutgoingCalls: -1 }, RangeError, 'Semaphore initial value must be >= 0'],
  [
    { maxConcurrentOutgoingCalls: 0 },
    RangeError,
    'maxConcurrentOutgoingCalls must be an integer from 1 to 9007199254740991, not 0',
  ],
  [{ maxConcurrentOutgoingCalls: '1' }, TypeError, 'maxConcurrentOutgoingCalls must be a number, not string'],
  [{ maxQueuedIncomingMessages: '1' }, TypeError, 'maxQueuedIncomingMessages must be a number, not string'],
  [{ will: 5 }, TypeError, 'will must be a Will, not number'],
  [{ will: { topic: '' } }, RangeError, 'Invalid topic.'],
  [{ will: { topic: 'a', qos: 3 } }, RangeError, 'Invalid QoS level.'],
  [
    { will: { topic: 'a', payload: [] } },
    TypeError,
    'payload must be a string, bytearray, int, float or None.',
  ],
  [{ will: { topic: 'a', properties: {} } }, RangeError, 'Properties only apply to MQTT V5'],
  [
    { will: { topic: 'a', retained: true } },
    TypeError,
    "Will() got an unexpected keyword argument 'retained'. Did you mean 'retain'?",
  ],
  [{ keepalive: -1 }, RangeError, 'Keepalive must be >=0.'],
  [{ keepalive: 65536 }, RangeError, 'keepalive must be an integer from 0 to 65535, not 65536'],
  [{ keepalive: '60' }, TypeError, 'keepalive must be a number, not string'],
  [{ bindPort: -1 }, RangeError, 'Invalid bind port number.'],
  [{ bindPort: 65536 }, RangeError, 'bindPort must be an integer from 0 to 65535, not 65536'],
  [{ bindAddress: 5 }, TypeError, 'bindAddress must be a string, not number'],
  [{ properties: {} }, RangeError, 'Properties only apply to MQTT V5'],
  [
    { protocol: V5, properties: 5 },
    TypeError,
    'The properties argument must be an instance of the Properties class.',
  ],
  [
    { protocol: V5, properties: { topicAlias: 1 } },
    RangeError,
    'Property topicAlias does not apply to packet type Connect',
  ],
  [{ identifier: 5 }, TypeError, 'identifier must be a string, not number'],
  [{ identifier: 'a'.repeat(65536) }, RangeError, 'identifier must be at most 65535 bytes of UTF-8'],
  [{ identifier: '\ud800' }, RangeError, 'identifier must not contain lone surrogates'],
  [{ username: 5 }, TypeError, 'username must be a string, not number'],
  [{ username: 'a\0' }, RangeError, 'username must not contain NUL characters'],
  [{ username: 'a', password: 5 }, TypeError, 'password must be a string or a Uint8Array, not number'],
  [{ username: 'a', password: 'a'.repeat(65536) }, RangeError, 'password must be at most 65535 bytes'],
  [{ timeout: '10' }, TypeError, 'timeout must be a number of seconds, not string'],
  [{ timeout: Number.NaN }, RangeError, 'timeout must be a number of seconds, not NaN'],
  [
    { logger: { warn() {} } },
    TypeError,
    'logger must have the methods debug, info, warn and error, not object',
  ],
  [{ logger: 5 }, TypeError, 'logger must have the methods debug, info, warn and error, not number'],
  [{ tlsContext: {}, tlsParams: {} }, RangeError, 'SSL/TLS has already been configured.'],
  [{ tlsContext: 5 }, TypeError, 'tlsContext must be a SecureContext or an object of options, not number'],
  [{ tlsParams: 5 }, TypeError, 'TLSParameters() takes an object of options, not number'],
  [{ tlsInsecure: true }, RangeError, 'Must configure SSL context before using tls_insecure_set.'],
  [{ tlsInsecure: false }, RangeError, 'Must configure SSL context before using tls_insecure_set.'],
  [{ proxy: 5 }, TypeError, 'ProxySettings() takes an object of options, not number'],
  [{ proxy: { proxyType: 1, proxyAddr: '' } }, RangeError, 'proxy_type and/or proxy_addr are invalid.'],
  [{ websocketPath: 5 }, TypeError, 'websocketPath must be a string, not number'],
  [
    { websocketHeaders: 5 },
    TypeError,
    "'headers' option to ws_set_options has to be either a dictionary or callable",
  ],
  [{ websocketHeaders: { a: 5 } }, TypeError, 'websocketHeaders: a must be a string, not number'],
  [{ socketOptions: 5 }, TypeError, 'socketOptions must be a list of [level, name, value], not number'],
  [{ socketOptions: [[1, 2]] }, TypeError, 'socketOptions must be a list of [level, name, value]'],
  [{ socketOptions: [[1, 2, 'x']] }, TypeError, 'socketOptions: value must be a number, not string'],
  [
    { overflow: 'drop' },
    RangeError,
    "overflow must be one of 'drop-newest', 'drop-oldest', 'backpressure', not 'drop'",
  ],
  [{ manualAcks: 1 }, TypeError, 'manualAcks must be a boolean, not number'],
  [{ store: 'directory' }, TypeError, 'store must be a Store, not string'],
  [
    { store: { load: () => [] } },
    TypeError,
    'store must be a Store, not an object without the methods load and batch',
  ],
  [{ reconnect: 5 }, TypeError, 'reconnect takes an object of options, not number'],
  [
    { reconnect: { delay: 5 } },
    TypeError,
    "reconnect got an unexpected keyword argument 'delay'. Did you mean 'minDelay'?",
  ],
  [
    { reconnect: { minDelay: 5, maxDelay: 1 } },
    RangeError,
    'reconnect.minDelay must not exceed reconnect.maxDelay, as 5 does 1',
  ],
  [
    { reconnect: { minDelay: -1 } },
    RangeError,
    'reconnect.minDelay must be a number of seconds that is finite and not negative, not -1',
  ],
  [
    { reconnect: { maxDeliveryLosses: 0 } },
    RangeError,
    'reconnect.maxDeliveryLosses must be an integer from 1 to 9007199254740991, not 0',
  ],
  [{ reconnect: { maxAttempts: '3' } }, TypeError, 'reconnect.maxAttempts must be a number, not string'],
  [{ reconnect: { hosts: 'b' } }, TypeError, 'reconnect.hosts must be a list, not string'],
  [{ reconnect: { hosts: [''] } }, RangeError, 'Invalid host.'],
  [
    { reconnect: { hosts: [['b', 0]] } },
    RangeError,
    'reconnect.hosts: port must be an integer from 1 to 65535, not 0',
  ],
  [
    { reconnect: { hosts: [['b']] } },
    TypeError,
    'reconnect.hosts must be a list of hosts and of pairs of a host and a port',
  ],
  [
    { reconnect: { order: 'any' } },
    RangeError,
    "reconnect.order must be one of 'given', 'random', not 'any'",
  ],
  [
    { offlineQueue: { maxMessages: 0 } },
    RangeError,
    'offlineQueue.maxMessages must be an integer from 1 to 9007199254740991, not 0',
  ],
  [
    { offlineQueue: { max: 1 } },
    TypeError,
    "offlineQueue got an unexpected keyword argument 'max'. Did you mean 'maxBytes'?",
  ],
  [{ topicAliases: 1 }, RangeError, 'topicAliases only apply to MQTT V5'],
  [{ latency: -0.001 }, RangeError, 'latency must be a number of seconds from 0 to 1, not -0.001'],
  [{ latency: 1.5 }, RangeError, 'latency must be a number of seconds from 0 to 1, not 1.5'],
  [
    { protocol: V5, topicAliases: 65536 },
    RangeError,
    'topicAliases must be an integer from 0 to 65535, not 65536',
  ],
  [{ authentication: { method: 'm', respond() {} } }, RangeError, 'authentication only applies to MQTT V5'],
  [
    { protocol: V5, authentication: { method: 'm' } },
    TypeError,
    'authentication.respond must be a function, not undefined',
  ],
  [
    { protocol: V5, authentication: { method: 5, respond() {} } },
    TypeError,
    'authentication.method must be a string, not number',
  ],
  [
    { protocol: V5, authentication: { method: 'm', data: 'x', respond() {} } },
    TypeError,
    'authentication.data must be a Uint8Array, not string',
  ],
  [
    { protocol: V5, properties: { authenticationData: new Uint8Array(1) } },
    RangeError,
    'Property authenticationData needs authenticationMethod beside it',
  ],
  [
    {
      protocol: V5,
      properties: { authenticationMethod: 'm' },
      authentication: { method: 'm', respond() {} },
    },
    RangeError,
    'authentication and the property authenticationMethod cannot be combined',
  ],
  [
    { transport: 'unix', bindPort: 1 },
    RangeError,
    'bindAddress and bindPort do not apply to the transport "unix"',
  ],
  [
    { transport: 'unix', proxy: { proxyType: 1, proxyAddr: 'p' } },
    RangeError,
    'proxy does not apply to the transport "unix"',
  ],
  [
    { transport: () => new PassThrough(), proxy: { proxyType: 1, proxyAddr: 'p' } },
    RangeError,
    'proxy does not apply to a transport of your own',
  ],
  ...[{ bindAddress: '::1' }, { bindPort: 1 }, { socketOptions: [[6, 1, 1]] }].map(
    (options) =>
      [
        { transport: () => new PassThrough(), ...options },
        RangeError,
        'bindAddress, bindPort and socketOptions do not apply to a transport of your own',
      ] as [object, typeof RangeError, string],
  ),
  // Several things wrong: what Python finds first is reported.
  [{ maxConcurrentOutgoingCalls: -1, transport: 'udp' }, RangeError, 'Semaphore initial value must be >= 0'],
  [
    { protocol: V5, cleanSession: true, transport: 'udp' },
    RangeError,
    'transport must be "websockets", "tcp" or "unix", not udp',
  ],
  [
    { protocol: V5, cleanSession: true, maxInflightMessages: -1 },
    RangeError,
    'Clean session is not used for MQTT 5.0',
  ],
  [{ maxInflightMessages: -1, maxQueuedOutgoingMessages: -1 }, RangeError, 'Invalid inflight.'],
  [{ username: 5, maxInflightMessages: -1 }, RangeError, 'Invalid inflight.'],
  [{ will: { topic: '' }, maxQueuedOutgoingMessages: -1 }, RangeError, 'Invalid queue size.'],
  [{ will: { topic: '' }, keepalive: -1 }, RangeError, 'Invalid topic.'],
  [
    { keepalive: -1, tlsInsecure: true },
    RangeError,
    'Must configure SSL context before using tls_insecure_set.',
  ],
  [{ keepalive: -1, bindPort: -1, cleanStart: true }, RangeError, 'Clean start only applies to MQTT V5'],
  [{ cleanStart: true, properties: {} }, RangeError, 'Clean start only applies to MQTT V5'],
  [{ port: 0, keepalive: -1 }, RangeError, 'Invalid port number.'],
  [{ bindPort: -1, keepalive: -1 }, RangeError, 'Keepalive must be >=0.'],
]

for (const [options, instanceOf, message] of wrong) {
  test(`the options ${inspect(options, { breakLength: Number.POSITIVE_INFINITY, depth: 3, maxStringLength: 20 })} are refused`, (t) => {
    t.throws(() => new ClientSettings('host', options), { instanceOf, message })
  })
}

test('options are an object', (t) => {
  for (const options of [5, 'x', [], true]) {
    t.throws(() => new ClientSettings('host', 1883, options as object), {
      instanceOf: TypeError,
      message: /^Client\(\) takes an object of options, not /,
    })
  }
})
