import test from 'ava'
import { crc32c, masked } from './internals.js'

test('crc32c() is that of RFC 3720, B.4', (t) => {
  t.is(crc32c(Buffer.from('123456789')), 0xe306_9283)
  t.is(crc32c(Buffer.alloc(32)), 0x8a91_36aa)
  t.is(crc32c(Buffer.alloc(32, 0xff)), 0x62a8_ab43)
  t.is(crc32c(Buffer.from(Array.from({ length: 32 }, (_, index) => index))), 0x46dd_794e)
  t.is(crc32c(Buffer.alloc(0)), 0)
})

test('crc32c() of a part, and of pieces, at all alignments', (t) => {
  const bytes = Buffer.from(Array.from({ length: 100 }, (_, index) => (index * index) & 0xff))
  for (let start = 0; start < 20; start++) {
    for (let end = start; end <= bytes.length; end++) {
      const whole = crc32c(Buffer.from(bytes.subarray(start, end)))
      if (crc32c(bytes, start, end) !== whole) t.fail(`${start} to ${end}`)
      const middle = (start + end) >>> 1
      if (crc32c(bytes, middle, end, crc32c(bytes, start, middle)) !== whole)
        t.fail(`${start} to ${end} in two`)
    }
  }
  t.pass()
})

test('masked() is that of LevelDB: another value, and not its own inverse', (t) => {
  const crc = crc32c(Buffer.from('foo'))
  t.not(masked(crc), crc)
  t.not(masked(masked(crc)), crc)
})
