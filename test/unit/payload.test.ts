import vm from 'node:vm'
import type { PayloadType } from 'aiomqtt'
import test from 'ava'
import { payloadBytes, payloadSource } from './internals.js'

const payloads: Array<[name: string, payload: PayloadType, hex: string]> = [
  ['null', null, ''],
  ['undefined', undefined, ''],
  ['an empty string', '', ''],
  ['no bytes', new Uint8Array(0), ''],
  ['text', 'ü€😀', 'c3bce282acf09f9880'],
  ['bytes', new Uint8Array([0xff, 0]), 'ff00'],
  ['a Buffer', Buffer.from('ab'), '6162'],
  ['an ArrayBuffer', new Uint8Array([1, 2, 3]).buffer, '010203'],
  ['a view of some bytes', new Uint8Array([1, 2, 3, 4]).subarray(1, 3), '0203'],
  ['shared memory', new Uint8Array(new SharedArrayBuffer(2)).fill(7), '0707'],
  ['bytes of another realm', vm.runInNewContext('new Uint8Array([5, 6])'), '0506'],
  ['true', true, text('true')],
  ['false', false, text('false')],
  ['zero', 0, text('0')],
  ['42', 42, text('42')],
  ['-7', -7, text('-7')],
  ['-0', -0, text('0')],
  ['28.4', 28.4, text('28.4')],
  ['0.1 + 0.2', 0.1 + 0.2, text('0.30000000000000004')],
  ['1e15', 1e15, text('1000000000000000')],
  ['1e21', 1e21, text('1e+21')],
  ['1e-7', 1e-7, text('1e-7')],
  ['NaN', Number.NaN, text('NaN')],
  ['-Infinity', Number.NEGATIVE_INFINITY, text('-Infinity')],
  ['a bigint', 10n ** 30n, text(`1${'0'.repeat(30)}`)],
]

function text(characters: string): string {
  return Buffer.from(characters).toString('hex')
}

for (const [name, payload, hex] of payloads) {
  test(`${name} is sent as "${hex}"`, (t) => {
    t.is(Buffer.from(payloadBytes(payload)).toString('hex'), hex)
    t.is(Buffer.from(payloadSource(payload)).toString('hex'), hex)
  })
}

const wrong: Array<[name: string, payload: unknown]> = [
  ['an array', []],
  ['an object', {}],
  ['a symbol', Symbol('x')],
  ['a function', () => 'x'],
  ['a Date', new Date()],
  ['a String object', Object('x')],
  ['a DataView', new DataView(new ArrayBuffer(1))],
  ['a Float64Array', new Float64Array(1)],
  ['an object that poses as bytes', Object.create(Uint8Array.prototype)],
]

for (const [name, payload] of wrong) {
  test(`${name} is no payload`, (t) => {
    t.throws(() => payloadBytes(payload as PayloadType), {
      instanceOf: TypeError,
      message: 'payload must be a string, bytearray, int, float or None.',
    })
  })
}

test('text and bytes are taken as they are; bytes of a payload are a copy', (t) => {
  const bytes = new Uint8Array([1])
  t.is(payloadSource(bytes), bytes)
  t.is(payloadSource('text'), 'text')
  const copy = payloadBytes(bytes)
  bytes[0] = 2
  t.is(copy[0], 1)
})

test('a payload takes 268,435,455 bytes, and no more', (t) => {
  const buffer = new ArrayBuffer(268_435_456)
  t.is(payloadSource(new Uint8Array(buffer, 1)).length, 268_435_455)
  const error = { instanceOf: RangeError, message: 'Payload too large.' }
  t.throws(() => payloadSource(buffer), error)
  t.throws(() => payloadSource(new Uint8Array(buffer)), error)
  t.throws(() => payloadSource('€'.repeat(89_478_486)), error)
})
