import { PacketTypes, ProtocolVersion } from 'aiomqtt'
import test from 'ava'

test('protocol versions are the levels that CONNECT carries', (t) => {
  t.deepEqual({ ...ProtocolVersion }, { V31: 3, V311: 4, V5: 5 })
  t.true(Object.isFrozen(ProtocolVersion))
})

test('packet types are the numbers on the wire, and one for wills', (t) => {
  t.deepEqual(Object.keys(PacketTypes), [
    ...['CONNECT', 'CONNACK', 'PUBLISH', 'PUBACK', 'PUBREC', 'PUBREL', 'PUBCOMP', 'SUBSCRIBE', 'SUBACK'],
    ...['UNSUBSCRIBE', 'UNSUBACK', 'PINGREQ', 'PINGRESP', 'DISCONNECT', 'AUTH', 'WILLMESSAGE'],
  ])
  t.deepEqual(Object.values(PacketTypes), [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 99])
  t.true(Object.isFrozen(PacketTypes))
})
