import { inspect } from 'node:util'
import {
  MqttCodeError,
  MqttConnectError,
  MqttError,
  MqttReentrantError,
  PacketTypes,
  ReasonCode,
} from 'aiomqtt'
import test from 'ava'
import { CallSite, startStackAt } from './internals.js'

/** Paho's `error_string`. */
const errorStrings: Array<[rc: number, text: string]> = [
  [0, 'No error.'],
  [1, 'Out of memory.'],
  [2, 'A network protocol error occurred when communicating with the broker.'],
  [3, 'Invalid function arguments provided.'],
  [4, 'The client is not currently connected.'],
  [5, 'The connection was refused.'],
  [6, 'Message not found (internal error).'],
  [7, 'The connection was lost.'],
  [8, 'A TLS error occurred.'],
  [9, 'Payload too large.'],
  [10, 'This feature is not supported.'],
  [11, 'Authorisation failed.'],
  [12, 'Access denied by ACL.'],
  [13, 'Unknown error.'],
  [14, 'Error defined by errno.'],
  [15, 'Message queue full.'],
  [16, 'Client or broker did not communicate in the keepalive interval.'],
  [17, 'Unknown error.'],
  [-1, 'Unknown error.'],
]

for (const [rc, text] of errorStrings) {
  test(`the code ${rc} reads "${text}"`, (t) => {
    const error = new MqttCodeError(rc)
    t.is(error.message, `[code:${rc}] ${text}`)
    t.is(error.rc, rc)
  })
}

test('a reason code reads as its name', (t) => {
  const rc = new ReasonCode(PacketTypes.SUBACK, undefined, 135)
  const error = new MqttCodeError(rc, 'not shown')
  t.is(error.message, '[code:135] Not authorized')
  t.is(error.rc, rc)
})

test('without a code there is the text alone', (t) => {
  t.is(new MqttCodeError(null).message, '[code:None] ')
  t.is(new MqttCodeError(null, 'foo').message, '[code:None] foo')
})

test('a refused connection says why', (t) => {
  t.is(new MqttConnectError(5).message, '[code:5] The connection was refused.')
  const rc = new ReasonCode(PacketTypes.CONNACK, 'Banned')
  t.is(new MqttConnectError(rc).message, '[code:138] Banned')
})

test('the classes are those of aiomqtt, each with a name and a code', (t) => {
  const errors = [new MqttError('x'), new MqttCodeError(4), new MqttConnectError(5), new MqttReentrantError()]
  t.deepEqual(
    errors.map(({ name, code }) => [name, code]),
    [
      ['MqttError', 'ERR_MQTT_FAILED'],
      ['MqttCodeError', 'ERR_MQTT_CODE'],
      ['MqttConnectError', 'ERR_MQTT_CONNECT'],
      ['MqttReentrantError', 'ERR_MQTT_REENTRANT'],
    ],
  )
  for (const error of errors) {
    t.true(error instanceof MqttError)
    t.true(error instanceof Error)
    t.true(error.stack?.startsWith(`${error.name}: ${error.message}\n`))
  }
  t.true(errors[2] instanceof MqttCodeError)
  t.false(errors[3] instanceof MqttCodeError)
  t.is(errors[3]?.message, 'The client context manager is reusable, but not reentrant')
})

test('an error carries the one below it, and no cause when there is none', (t) => {
  const cause = Object.assign(new Error('refused'), { code: 'ECONNREFUSED' })
  const error = new MqttError('[Errno 111] Connection refused', { cause, code: 'ERR_MQTT_TRANSPORT' })
  t.is(error.cause, cause)
  t.is(error.code, 'ERR_MQTT_TRANSPORT')
  t.true(inspect(error).includes('ECONNREFUSED'))
  t.false('cause' in new MqttError('x'))
  t.is(new MqttCodeError(7, '', { cause }).cause, cause)
  t.is(new MqttConnectError(5, { cause }).cause, cause)
})

function firstFrame(error: Error): string {
  return error.stack?.split('\n')[1] ?? ''
}

test('a stack can start at the line of the caller', (t) => {
  function entry(): Error {
    return inner()
  }
  function inner(): Error {
    return startStackAt(new MqttError('late'), entry)
  }
  function caller(): Error {
    return entry()
  }
  const error = caller()
  t.true(error.stack?.startsWith('MqttError: late\n'))
  t.regex(firstFrame(error), / caller /)
})

test('an error that is made later can have the stack of the call', async (t) => {
  function entry(): InstanceType<typeof CallSite> {
    return new CallSite(entry)
  }
  function caller(): InstanceType<typeof CallSite> {
    return entry()
  }
  const site = caller()
  await new Promise((resolve) => setImmediate(resolve))
  const error = site.attach(new MqttCodeError(7))
  t.true(error.stack?.startsWith('MqttCodeError: [code:7] The connection was lost.\n'))
  t.regex(firstFrame(error), / caller /)
})
