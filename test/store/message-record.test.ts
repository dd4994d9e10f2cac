// A message's record is checked in full before anything of it is sent, whoever wrote it.

import test from 'ava'
import { listening, roundTrip } from '../helpers/client.js'
import { Recorder } from '../helpers/logger.js'
import { joined, kept, MemoryStore } from '../helpers/memory-store.js'
import { shown } from '../helpers/reconnect.js'
import { decodePublish, encodePublish } from '../unit/internals.js'

const record = { identifier: 5, qos: 1, isRetained: true, isReleased: false }
const text = (value: string) => Buffer.from(value, 'latin1')
const encoded = (topic: Uint8Array, properties: Uint8Array = text(''), payload: Uint8Array = text('x')) =>
  encodePublish({ ...record, topic, properties, payload })

const wrong: ReadonlyArray<[string, Uint8Array]> = [
  ['nothing', text('')],
  ['another format', text('\x03\x01\0\0\x01\0\0\0\0\0ax')],
  ['the first layout', text('\x01\0\0\0')],
  ['QoS 0', text('\x02\x00\0\0\x01\0\0\0\0\0ax')],
  ['QoS 3', text('\x02\x03\0\0\x01\0\0\0\0\0ax')],
  ['an unknown flag', text('\x02\x11\0\0\x01\0\0\0\0\0ax')],
  ['cut in the head', text('\x02\x01\0\0\x01\0\0')],
  ['released, with QoS 1', text('\x02\x09\x05\0')],
  ['released, without an identifier', text('\x02\x0a\0\0')],
  ['released, with a message', text('\x02\x0a\x05\0\x01\0\0\0\0\0ax')],
  ['a topic beyond the end', text('\x02\x01\0\0\xff\xff\0\0\0\0a')],
  ['properties beyond the end', text('\x02\x01\0\0\x01\0\xff\xff\xff\xffa')],
  ['no topic', encoded(text(''))],
  ['a topic with a NUL', encoded(text('a\0b'))],
  ['a topic with wildcards', encoded(text('a/#'))],
  ['a topic with a plus', encoded(text('+/a'))],
  ['a topic that is not UTF-8', encoded(text('\xff\xfe'))],
  ['a topic with half a surrogate pair', encoded(text('\xed\xa0\x80'))],
  ['properties whose length is short', encoded(text('a'), text('\x01\x03\0\x01a'))],
  ['properties whose length is long', encoded(text('a'), text('\x09\x03\0\x01a'))],
  ['a property length of five bytes', encoded(text('a'), text('\xff\xff\xff\xff\x01'))],
  ['text beyond the end', encoded(text('a'), text('\x03\x03\xff\xff'))],
  ['an unknown property', encoded(text('a'), text('\x02\x7f\x01'))],
  ['a property of another packet', encoded(text('a'), text('\x05\x11\0\0\0\x01'))],
  ['a property twice', encoded(text('a'), text('\x04\x01\x01\x01\x01'))],
  ['a flag that is none', encoded(text('a'), text('\x02\x01\x02'))],
  ['a subscription identifier', encoded(text('a'), text('\x02\x0b\x01'))],
  ['text that is not UTF-8', encoded(text('a'), text('\x04\x03\0\x01\xff'))],
  ['a response topic with wildcards', encoded(text('a'), text('\x04\x08\0\x01#'))],
  ['a response topic that is empty', encoded(text('a'), text('\x03\x08\0\0'))],
]

for (const [name, value] of wrong) {
  test(`refused: ${name}`, (t) => {
    t.is(typeof decodePublish(value), 'string')
  })
}

test('what a client writes is read as it was', (t) => {
  for (const [topic, properties, payload] of [
    ['a', '', ''],
    ['a/b', '\0', 'payload'],
    ['é/\u{1f600}', '\x0f\x03\0\x01a\x08\0\x01b\x26\0\x01c\0\x01d', 'x'.repeat(100_000)],
  ] as const) {
    const whole = {
      ...record,
      topic: Buffer.from(topic),
      properties: text(properties),
      payload: text(payload),
    }
    t.deepEqual(decodePublish(encodePublish(whole)), whole)
  }
})

test('every byte of a record, changed and cut: refused, or one that MQTT allows', (t) => {
  const good = encoded(text('a/b'), text('\x04\x03\0\x01a'), text('payload'))
  for (let at = 0; at < good.length; at++) {
    decodePublish(good.subarray(0, at))
    for (let bit = 0; bit < 8; bit++) {
      const changed = Uint8Array.from(good)
      changed[at] = (good[at] as number) ^ (1 << bit)
      const found = decodePublish(changed)
      if (typeof found === 'string' || found.isReleased) continue
      const { topic, properties, payload } = found
      t.is(10 + topic.length + properties.length + payload.length, good.length)
      t.notRegex(Buffer.from(topic).toString(), /[+#\0]/)
    }
  }
})

test('a client sends none of them, says so for each, and goes on', async (t) => {
  const [peer, store, logger] = [await listening(t), new MemoryStore(), new Recorder()]
  for (const [index, [, value]] of wrong.entries()) {
    store.records.set(`out-${String(index + 1).padStart(14, '0')}`, value)
  }
  store.records.set('out-00000000001000', encoded(text('a/b'), text('\0'), text('good')))
  const { client, session } = await joined(t, peer, { ...kept(5, store), logger }, true)
  t.is(shown(await session.next('publish')), '1 dup a/b good #5')
  await roundTrip(client, session)
  t.is(logger.lines.warn.filter((line) => /is ignored: /.test(line)).length, wrong.length)
})
