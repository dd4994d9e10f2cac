import { inspect } from 'node:util'
import { type PacketType, PacketTypes, ReasonCode } from 'aiomqtt'
import test from 'ava'
import { connackReasonCode, receivedReasonCode } from './internals.js'

const failures: Record<number, string> = {
  128: 'Unspecified error',
  129: 'Malformed packet',
  130: 'Protocol error',
  131: 'Implementation specific error',
  132: 'Unsupported protocol version',
  133: 'Client identifier not valid',
  134: 'Bad user name or password',
  135: 'Not authorized',
  136: 'Server unavailable',
  137: 'Server busy',
  138: 'Banned',
  139: 'Server shutting down',
  140: 'Bad authentication method',
  141: 'Keep alive timeout',
  142: 'Session taken over',
  143: 'Topic filter invalid',
  144: 'Topic name invalid',
  145: 'Packet identifier in use',
  146: 'Packet identifier not found',
  147: 'Receive maximum exceeded',
  148: 'Topic alias invalid',
  149: 'Packet too large',
  150: 'Message rate too high',
  151: 'Quota exceeded',
  152: 'Administrative action',
  153: 'Payload format invalid',
  154: 'Retain not supported',
  155: 'QoS not supported',
  156: 'Use another server',
  157: 'Server moved',
  158: 'Shared subscription not supported',
  159: 'Connection rate exceeded',
  160: 'Maximum connect time',
  161: 'Subscription identifiers not supported',
  162: 'Wildcard subscription not supported',
}

/** For each packet the names of its codes below 128, and its codes from 128 on. */
const packets: Record<string, [successes: Record<number, string>, failures: number[]]> = {
  CONNACK: [{ 0: 'Success' }, [...range(128, 138), 140, 144, 149, 151, 153, 154, 155, 156, 157, 159]],
  PUBACK: [{ 0: 'Success', 16: 'No matching subscribers' }, [128, 131, 135, 144, 145, 151, 153]],
  PUBREC: [{ 0: 'Success', 16: 'No matching subscribers' }, [128, 131, 135, 144, 145, 151, 153]],
  PUBREL: [{ 0: 'Success' }, [146]],
  PUBCOMP: [{ 0: 'Success' }, [146]],
  SUBACK: [
    { 0: 'Granted QoS 0', 1: 'Granted QoS 1', 2: 'Granted QoS 2' },
    [128, 131, 135, 143, 145, 151, 158, 161, 162],
  ],
  UNSUBACK: [{ 0: 'Success', 17: 'No subscription found' }, [128, 131, 135, 143, 145]],
  DISCONNECT: [
    { 0: 'Normal disconnection', 4: 'Disconnect with will message' },
    [128, 129, 130, 131, 135, 137, ...range(139, 144), ...range(147, 162)],
  ],
  AUTH: [{ 0: 'Success', 24: 'Continue authentication', 25: 'Re-authenticate' }, []],
}

function range(first: number, last: number): number[] {
  return Array.from({ length: last - first + 1 }, (_, index) => first + index)
}

for (const [packet, packetType] of Object.entries(PacketTypes)) {
  const [successes, codes] = packets[packet] ?? [{}, []]
  const names = { ...successes, ...Object.fromEntries(codes.map((code) => [code, failures[code]])) }

  test(`${packet} has the reason codes that MQTT 5 gives it, and no other`, (t) => {
    const found: Record<number, string> = {}
    for (const value of range(0, 255)) {
      const received = receivedReasonCode(packetType, value)
      if (received === undefined) {
        t.throws(() => new ReasonCode(packetType, undefined, value), { instanceOf: RangeError })
        continue
      }
      const made = new ReasonCode(packetType, undefined, value)
      t.deepEqual(made, received)
      t.is(new ReasonCode(packetType, made.getName()).value, value)
      t.is(made.isFailure, value >= 128)
      found[value] = made.getName()
    }
    t.deepEqual(found, names)
  })
}

test('a reason code compares as its number and reads as its name', (t) => {
  const code = new ReasonCode(PacketTypes.SUBACK, 'Granted QoS 1')
  t.is(code.value, 1)
  t.is(Number(code), 1)
  t.true((code as unknown as number) >= 1)
  t.false((code as unknown as number) >= 128)
  t.true(code < new ReasonCode(PacketTypes.SUBACK, 'Not authorized'))
  t.is(`${code}`, 'Granted QoS 1')
  t.is(code.toString(), 'Granted QoS 1')
  t.is(JSON.stringify([code]), '["Granted QoS 1"]')
  t.is(inspect([code]), "[ ReasonCode(Suback, 'Granted QoS 1') ]")
  t.is(code.packetType, PacketTypes.SUBACK)
  t.true(Object.isFrozen(code))
})

test('a reason code is a success unless it says otherwise, where its packet has one', (t) => {
  t.is(new ReasonCode(PacketTypes.PUBACK).getName(), 'Success')
  t.is(new ReasonCode(PacketTypes.DISCONNECT).getName(), 'Normal disconnection')
  t.throws(() => new ReasonCode(PacketTypes.SUBACK), {
    instanceOf: RangeError,
    message: 'Reason code name not found: Success',
  })
})

test('a code that no packet has, or no such packet, is an argument error', (t) => {
  t.throws(() => new ReasonCode(PacketTypes.CONNACK, 'Foo'), {
    instanceOf: RangeError,
    message: 'Reason code name not found: Foo',
  })
  t.throws(() => new ReasonCode(PacketTypes.SUBACK, undefined, 3), {
    instanceOf: RangeError,
    message: 'Reason code 3 does not apply to packet type Suback',
  })
  t.throws(() => new ReasonCode(PacketTypes.SUBACK, undefined, 300), { instanceOf: RangeError })
  t.throws(() => new ReasonCode(PacketTypes.SUBACK, undefined, '1' as never), { instanceOf: TypeError })
  t.throws(() => new ReasonCode(PacketTypes.SUBACK, 5 as never), { instanceOf: TypeError })
  t.throws(() => new ReasonCode(55 as PacketType), {
    instanceOf: RangeError,
    message: '55 is not one of PacketTypes',
  })
})

/** The return codes of CONNACK on MQTT 3.x, and what they are called in MQTT 5. */
const returnCodes: Array<[code: number, name: string]> = [
  [0, 'Success'],
  [1, 'Unsupported protocol version'],
  [2, 'Client identifier not valid'],
  [3, 'Server unavailable'],
  [4, 'Bad user name or password'],
  [5, 'Not authorized'],
  [6, 'Unspecified error'],
  [255, 'Unspecified error'],
]

for (const [code, name] of returnCodes) {
  test(`the return code ${code} of MQTT 3.x is ${name}`, (t) => {
    t.is(connackReasonCode(false, code)?.getName(), name)
  })
}

test('MQTT 5 knows its own codes, and that of a broker that only speaks MQTT 3.x', (t) => {
  t.is(connackReasonCode(true, 0)?.getName(), 'Success')
  t.is(connackReasonCode(true, 135)?.getName(), 'Not authorized')
  t.is(connackReasonCode(true, 1)?.getName(), 'Unsupported protocol version')
  t.is(connackReasonCode(true, 2), undefined)
  t.is(connackReasonCode(true, 200), undefined)
})
