import { inspect } from 'node:util'
import { Topic, Wildcard } from 'aiomqtt'
import test from 'ava'
import { receivedTopic } from './internals.js'

/** Values, and whether they are a wildcard and a topic: aiomqtt's table, with what MQTT forbids besides. */
const values: Array<[value: string, isWildcard: boolean, isTopic: boolean]> = [
  ...['#', '+', '+/+', '+/#', '/#', '/+', '$SYS/#', '$share/g/#', '$share/+/a'].map(
    (value): [string, boolean, boolean] => [value, true, false],
  ),
  ...['/', '//', 'a//b', ' ', 'a b', '$share', '$share/', '$share/g', 'ü/€/😀'].map(
    (value): [string, boolean, boolean] => [value, true, true],
  ),
  ...['a/#/', '#/', '##', '+#', 'a/+b', 'a+/b', 'a/#b', 'a#', '#a', '++', 'a/++/b'].map(
    (value): [string, boolean, boolean] => [value, false, false],
  ),
  ...['', 'a\0b', '\ud800', 'a/\udc00'].map((value): [string, boolean, boolean] => [value, false, false]),
]

for (const [value, isWildcard, isTopic] of values) {
  test(`${JSON.stringify(value)} is ${isWildcard ? 'a' : 'no'} wildcard and ${isTopic ? 'a' : 'no'} topic`, (t) => {
    // No control character stands in an error as it is.
    const shown = value.replaceAll('\0', '\\x00')
    if (isWildcard) t.is(new Wildcard(value).value, value)
    else
      t.throws(() => new Wildcard(value), { instanceOf: RangeError, message: `Invalid wildcard: ${shown}` })
    if (isTopic) t.is(new Topic(value).value, value)
    else t.throws(() => new Topic(value), { instanceOf: RangeError, message: `Invalid topic: ${shown}` })
  })
}

test('a topic takes 65535 bytes of UTF-8, and no more', (t) => {
  for (const longest of ['a'.repeat(65535), '€'.repeat(21845), `${'😀'.repeat(16383)}abc`]) {
    t.is(new Topic(longest).value, longest)
    t.is(new Wildcard(longest).value, longest)
    t.throws(() => new Topic(`${longest}a`), { instanceOf: RangeError })
    t.throws(() => new Wildcard(`${longest}a`), { instanceOf: RangeError })
  }
})

test('only a string makes a topic or a wildcard', (t) => {
  for (const value of [undefined, null, 5, true, Buffer.from('a'), ['a'], {}]) {
    t.throws(() => new Topic(value as never), { instanceOf: TypeError, message: 'Topic must be of type str' })
    t.throws(() => new Wildcard(value as never), {
      instanceOf: TypeError,
      message: 'Wildcard must be of type str',
    })
    t.throws(() => new Topic('a').matches(value as never), {
      instanceOf: TypeError,
      message: 'Wildcard must be of type str',
    })
  }
})

const matching: Array<[topic: string, ...wildcards: string[]]> = [
  ['a/b/c', 'a/b/c', 'a/+/c', '+/+/+', '+/#', '#', 'a/b/c/#', '$share/group/a/b/c', '$share/group/a/b/+'],
  ['a', 'a/#', '+', '$share/g/a', '$share/g/#'],
  ['a/', 'a/+', 'a/#'],
  ['/a', '+/a', '/+', '#'],
  ['a//b', 'a/+/b'],
  ['$SYS/broker', '#', '+/broker', '$SYS/#'],
  ['a/b', 'a/b/#', '$share/g/a/#'],
  ['g/a', '$share/x/g/a'],
]

for (const [topic, ...wildcards] of matching) {
  for (const wildcard of wildcards) {
    test(`the topic ${topic} matches ${wildcard}`, (t) => {
      t.true(new Topic(topic).matches(wildcard))
      t.true(new Topic(topic).matches(new Wildcard(wildcard)))
    })
  }
}

const differing: Array<[topic: string, ...wildcards: string[]]> = [
  ['a/b/c', 'abc', 'a/b', 'a/b/c/d', 'a/b/c/d/#', 'a/b/z', 'a/b/c/+', '$share/a/b/c', '$test/group/a/b/c'],
  ['a', 'a/+', '$share/g', '$share', '$share/#', 'aa', 'a/'],
  ['a/b', '+', 'a//b'],
  ['A', 'a'],
  ['$share/g/a', '$share/g/a'],
  ['g/a', '$share/g/a'],
  ['aa', 'a', 'a/#'],
  ['a/', 'a'],
]

for (const [topic, ...wildcards] of differing) {
  for (const wildcard of wildcards) {
    test(`the topic ${topic} does not match ${wildcard}`, (t) => {
      t.false(new Topic(topic).matches(wildcard))
      t.false(new Topic(topic).matches(new Wildcard(wildcard)))
    })
  }
}

test('matching with what is no wildcard is an argument error', (t) => {
  t.throws(() => new Topic('a').matches('a/#/'), {
    instanceOf: RangeError,
    message: 'Invalid wildcard: a/#/',
  })
})

test('a topic of thirty thousand levels is matched', (t) => {
  const levels = new Array(30_000).fill('a')
  const topic = new Topic(levels.join('/'))
  t.true(topic.matches(levels.fill('+').join('/')))
  t.false(topic.matches(`${levels.join('/')}/+`))
})

test('topics and wildcards equal those of the same class and value', (t) => {
  t.true(new Topic('a').equals(new Topic('a')))
  t.true(new Wildcard('a').equals(new Wildcard('a')))
  t.false(new Topic('a').equals(new Topic('b')))
  t.false(new Topic('a').equals(new Wildcard('a')))
  t.false(new Wildcard('a').equals(new Topic('a')))
  t.false(new Topic('a').equals('a'))
})

test('topics and wildcards read as their value', (t) => {
  t.is(`${new Topic('a/b')} ${new Wildcard('a/#')}`, 'a/b a/#')
  t.is(
    inspect({ topic: new Topic('a/b'), wildcard: new Wildcard('+') }),
    "{ topic: Topic(value='a/b'), wildcard: Wildcard(value='+') }",
  )
})

test('topics and wildcards are frozen, and a topic is a wildcard', (t) => {
  const topic = new Topic('a')
  t.true(Object.isFrozen(topic))
  t.true(Object.isFrozen(new Wildcard('a')))
  t.throws(() => Object.assign(topic, { value: 'b' }), { instanceOf: TypeError })
  t.true(topic instanceof Wildcard)
})

test('a topic that came in is like any other', (t) => {
  const topic = receivedTopic('a/b')
  t.true(topic instanceof Topic)
  t.true(Object.isFrozen(topic))
  t.true(topic.equals(new Topic('a/b')))
  t.true(topic.matches('a/+'))
})
