import { Client, type ClientOptions } from 'aiomqtt'
import test from 'ava'
import { ClientSettings } from '../unit/internals.js'

interface Result {
  hostname: string
  port: number
  transport: unknown
  tlsParams: boolean
  username: string | null
  password: string | null
  websocketPath: string | null
}

const defaults: Omit<Result, 'hostname' | 'port'> = {
  transport: 'tcp',
  tlsParams: false,
  username: null,
  password: null,
  websocketPath: null,
}

const urls: Array<[url: string, expected: Partial<Result>]> = [
  ['mqtt://broker', { hostname: 'broker', port: 1883 }],
  ['mqtt://broker/', { hostname: 'broker', port: 1883 }],
  ['MQTT://Broker:1884', { hostname: 'Broker', port: 1884 }],
  ['mqtts://broker', { hostname: 'broker', port: 8883, tlsParams: true }],
  ['mqtts://10.0.0.1:8884', { hostname: '10.0.0.1', port: 8884, tlsParams: true }],
  ['mqtt://[::1]', { hostname: '::1', port: 1883 }],
  ['mqtt://[fe80::1%25eth0]:1', { hostname: 'fe80::1%eth0', port: 1 }],
  ['ws://[fe80::1%eth0]:1', { hostname: 'fe80::1%eth0', port: 1, transport: 'websockets' }],
  ['ws://broker', { hostname: 'broker', port: 80, transport: 'websockets' }],
  ['ws://broker:80/', { hostname: 'broker', port: 80, transport: 'websockets' }],
  [
    'ws://broker:9001/a/b?c=d',
    { hostname: 'broker', port: 9001, transport: 'websockets', websocketPath: '/a/b?c=d' },
  ],
  ['wss://broker', { hostname: 'broker', port: 443, transport: 'websockets', tlsParams: true }],
  ['unix:///run/broker.sock', { hostname: '/run/broker.sock', port: 1883, transport: 'unix' }],
  ['unix:/run/a%20b', { hostname: '/run/a b', port: 1883, transport: 'unix' }],
  [
    'mqtt://user:p%40ss:word@broker',
    { hostname: 'broker', port: 1883, username: 'user', password: 'p@ss:word' },
  ],
  ['mqtt://user@broker', { hostname: 'broker', port: 1883, username: 'user' }],
  [
    'wss://us%2Fer:pa%20ss@broker/path',
    {
      ...{ hostname: 'broker', port: 443, transport: 'websockets', tlsParams: true },
      ...{ username: 'us/er', password: 'pa ss', websocketPath: '/path' },
    },
  ],
]

function read(hostname: string, options: ClientOptions & { port?: number } = {}): Result {
  const settings = new ClientSettings(hostname, options)
  return {
    hostname: settings.hostname,
    port: settings.port,
    transport: settings.transport,
    tlsParams: settings.tlsParams !== null,
    username: settings.username,
    password: settings.password === null ? null : Buffer.from(settings.password).toString(),
    websocketPath: settings.websocketPath,
  }
}

for (const [url, expected] of urls) {
  test(`${url} is taken apart`, (t) => {
    t.deepEqual(read(url), { ...defaults, ...expected })
  })
}

test('what is no URL stays as it is', (t) => {
  for (const hostname of ['broker', 'fe80::1%eth0', 'mqtt', '::1']) {
    t.deepEqual(read(hostname), { ...defaults, hostname, port: 1883 })
  }
})

test('a host with its port is neither a URL nor a host', (t) => {
  t.throws(() => read('mqtt:1883'), { instanceOf: RangeError, message: /write mqtt, and give the port 1883/ })
})

test('an option may say again what the URL says', (t) => {
  const options = { port: 9001, transport: 'WebSockets' as 'websockets', username: 'u', websocketPath: '/p' }
  t.deepEqual(read('ws://u@broker:9001/p', options), {
    ...defaults,
    ...{ hostname: 'broker', port: 9001, transport: 'websockets', username: 'u', websocketPath: '/p' },
  })
})

test('an option may say what the URL does not', (t) => {
  const options = { port: 1, tlsContext: {}, username: 'u', password: 'p', websocketPath: '/p' }
  t.deepEqual(read('wss://broker', options), {
    ...{ ...defaults, hostname: 'broker', port: 1, transport: 'websockets' },
    ...{ username: 'u', password: 'p', websocketPath: '/p' },
  })
})

const refused: Array<[url: string, options: ClientOptions & { port?: number }, message: string]> = [
  ['http://broker', {}, 'A URL as hostname must begin with mqtt:, mqtts:, ws:, wss: or unix:, not http:'],
  ['mqtt://', {}, 'Invalid host.'],
  ['mqtt://broker:99999', {}, 'hostname looks like a URL, but is not a valid one'],
  ['mqtt://user:%zz@broker', {}, 'hostname looks like a URL, but is not a valid one'],
  ['mqtt://broker:0', {}, 'Invalid port number.'],
  ['mqtt://broker/path', {}, 'A URL with mqtt: must not have a path'],
  ['mqtts://broker?a=b', {}, 'A URL with mqtts: must not have a path'],
  ['ws://broker#a', {}, 'A URL as hostname must not have a fragment'],
  ['unix://run/broker.sock', {}, 'A unix: URL is written unix:///path/of/the/socket'],
  ['mqtt://broker', { transport: 'websockets' }, 'The URL and the option transport contradict each other'],
  ['mqtt://broker:1', { port: 2 }, 'The URL and the option port contradict each other'],
  ['mqtt://a@broker', { username: 'b' }, 'The URL and the option username contradict each other'],
  ['mqtt://a:b@broker', { password: 'c' }, 'The URL and the option password contradict each other'],
  ['ws://broker/a', { websocketPath: '/b' }, 'The URL and the option websocketPath contradict each other'],
  [
    'mqtt://broker',
    { tlsParams: {} },
    'A URL with mqtt: is without TLS, which the options ask for: write mqtts:',
  ],
  ['ws://broker', { tlsContext: {} }, 'A URL with ws: is without TLS, which the options ask for: write wss:'],
]

for (const [url, options, message] of refused) {
  test(`${url} with ${JSON.stringify(options)} is refused`, (t) => {
    t.throws(() => new Client(url, options), { instanceOf: RangeError, message })
  })
}
