import { SubscribeOptions, type SubscribeOptionsLike } from 'aiomqtt'
import test from 'ava'
import { subscribeOptionsByte } from './internals.js'

test('subscription options have the defaults of paho', (t) => {
  t.deepEqual(
    { ...new SubscribeOptions() },
    { qos: 0, noLocal: false, retainAsPublished: false, retainHandling: 0 },
  )
  t.deepEqual(
    { ...new SubscribeOptions({ qos: 1, noLocal: true, retainAsPublished: true, retainHandling: 2 }) },
    {
      qos: 1,
      noLocal: true,
      retainAsPublished: true,
      retainHandling: 2,
    },
  )
})

const bytes: Array<[options: SubscribeOptionsLike, byte: number]> = [
  [{}, 0],
  [{ qos: 2 }, 2],
  [{ noLocal: true }, 0b100],
  [{ retainAsPublished: true }, 0b1000],
  [{ retainHandling: 1 }, 0b1_0000],
  [{ qos: 1, noLocal: true, retainAsPublished: true, retainHandling: 2 }, 0b10_1101],
]

for (const [options, byte] of bytes) {
  test(`${JSON.stringify(options)} stands as ${byte} in SUBSCRIBE`, (t) => {
    t.is(subscribeOptionsByte(options), byte)
    t.is(subscribeOptionsByte(new SubscribeOptions(options)), byte)
  })
}

const wrong: Array<[options: object, error: typeof TypeError | typeof RangeError, message: string]> = [
  [{ qos: 3 }, RangeError, 'QoS should be 0, 1 or 2, not 3'],
  [{ qos: -1 }, RangeError, 'QoS should be 0, 1 or 2, not -1'],
  [{ qos: '1' }, TypeError, 'QoS should be 0, 1 or 2, not string'],
  [{ retainHandling: 3 }, RangeError, 'Retain handling should be 0, 1 or 2, not 3'],
  [{ noLocal: 2 }, TypeError, 'noLocal must be a boolean, not number'],
  [{ retainAsPublished: 'x' }, TypeError, 'retainAsPublished must be a boolean, not string'],
]

for (const [options, instanceOf, message] of wrong) {
  test(`${JSON.stringify(options)} is refused, when made and when assigned`, (t) => {
    t.throws(() => new SubscribeOptions(options), { instanceOf, message })
    const assigned = Object.assign(new SubscribeOptions(), options)
    t.throws(() => subscribeOptionsByte(assigned), { instanceOf, message })
  })
}

test('an unknown option names the nearest known one', (t) => {
  t.throws(() => new SubscribeOptions({ no_local: true } as object), {
    instanceOf: TypeError,
    message: "SubscribeOptions() got an unexpected keyword argument 'no_local'. Did you mean 'noLocal'?",
  })
  t.throws(() => Object.assign(new SubscribeOptions(), { nolocal: true }), { instanceOf: TypeError })
})

test('what is no object is refused with the text of paho', (t) => {
  for (const options of [1, 'x', null, []]) {
    t.throws(() => subscribeOptionsByte(options as never), {
      instanceOf: TypeError,
      message: 'Subscribe options must be instance of SubscribeOptions class.',
    })
  }
})

test('the values of retainHandling have the names of paho', (t) => {
  t.is(SubscribeOptions.RETAIN_SEND_ON_SUBSCRIBE, 0)
  t.is(SubscribeOptions.RETAIN_SEND_IF_NEW_SUB, 1)
  t.is(SubscribeOptions.RETAIN_DO_NOT_SEND, 2)
})

test('subscription options are readable', (t) => {
  t.is(
    `${new SubscribeOptions({ qos: 1, noLocal: true })}`,
    '{qos=1, noLocal=true, retainAsPublished=false, retainHandling=0}',
  )
})
