// Packets of a broker, cut and mutated at random, at every stage of a conversation: the client goes on, or it ends the
// connection with an error of its own. A run that fails names its seed; AIOMQTT_SEED repeats it.
import { randomInt } from 'node:crypto'
import { Client, type ClientOptions, type Message, MqttError, ProtocolVersion } from 'aiomqtt'
import test from 'ava'
import { field, hex, number, packet } from '../helpers/bytes.js'
import { patience } from '../helpers/client.js'
import { within } from '../helpers/deadline.js'
import { Peer, type Session } from '../helpers/peer.js'
import { protocols } from '../helpers/protocols.js'

const isLong = process.env.AIOMQTT_FAULTS === 'long'

/** Mutated packets of all versions together; npm run faults sends more. */
const total = isLong ? 100_000 : 1_000

const seed = Number(process.env.AIOMQTT_SEED ?? randomInt(2 ** 31))

/** Clients at a time. */
const lanes = 8
/** Connections of a peer, which keeps all of them until it closes. */
const connectionsPerPeer = 500

const { V5 } = ProtocolVersion
const METHOD = hex('15', field('method'))
const REASON = hex('1f', field('because'), '26', field('key'), field('value'))

/** MQTT 5 properties with their length, nothing before. */
function properties(protocol: ProtocolVersion, ...list: string[]): string {
  const bytes = hex(...list)
  return protocol === V5 ? number(bytes.length / 2, 1) + bytes : ''
}

/** What goes before a mutated packet. */
interface Before {
  protocol: ProtocolVersion
  client: Client
  session: Session
  /** Takes down a call that the stage makes: it must settle. */
  call(promise: Promise<unknown>): void
}

/** A place in a conversation, and the legal packet that a broker sends there. */
interface Stage {
  name: string
  /** Whether it is before CONNACK. */
  isEarly?: boolean
  /** MQTT 5 alone has it. */
  isNew?: boolean
  hasAuthentication?: boolean
  /** It publishes at QoS 2. */
  hasFlow?: boolean
  bytes(before: Before): Promise<string> | string
}

const stages: Stage[] = [
  {
    name: 'CONNACK',
    isEarly: true,
    bytes: ({ protocol }) => {
      const numbers = ['21 0014', '22 000a', '24 01', '25 01', '27 00010000', '28 01', '29 01', '2a 01']
      const texts = ['13 003c', `1a${field('responses')}`, REASON]
      return packet('20', '0000', properties(protocol, ...numbers, ...texts))
    },
  },
  {
    name: 'CONNACK after a challenge',
    isEarly: true,
    isNew: true,
    hasAuthentication: true,
    bytes: async ({ session }) => {
      session.send(packet('f0', '18', properties(V5, METHOD, '16', field('challenge'))))
      await session.next('auth')
      return packet('20', '0000', properties(V5, METHOD, '16', field('proof')))
    },
  },
  {
    name: 'AUTH before CONNACK',
    isEarly: true,
    isNew: true,
    hasAuthentication: true,
    bytes: () => packet('f0', '18', properties(V5, METHOD, '16', field('challenge'), REASON)),
  },
  {
    name: 'AUTH of a re-authentication, to go on',
    isNew: true,
    hasAuthentication: true,
    bytes: async ({ client, session, call }) => {
      call(client.reauthenticate(Buffer.from('again')))
      await session.next('auth')
      return packet('f0', '18', properties(V5, METHOD, '16', field('challenge')))
    },
  },
  {
    name: 'AUTH of a re-authentication, the last',
    isNew: true,
    hasAuthentication: true,
    bytes: async ({ client, session, call }) => {
      call(client.reauthenticate())
      await session.next('auth')
      return packet('f0', '00', properties(V5, METHOD, REASON))
    },
  },
  {
    name: 'SUBACK',
    bytes: async ({ client, session, call, protocol }) => {
      call(
        client.subscribe([
          ['a', 1],
          ['b/#', 2],
        ]),
      )
      const { messageId } = await session.next('subscribe')
      return packet('90', number(messageId ?? 0, 2), properties(protocol, REASON), '01 80')
    },
  },
  {
    name: 'UNSUBACK',
    bytes: async ({ client, session, call, protocol }) => {
      call(client.unsubscribe(['a', 'b/#']))
      const { messageId } = await session.next('unsubscribe')
      return packet(
        'b0',
        number(messageId ?? 0, 2),
        properties(protocol, REASON),
        protocol === V5 ? '00 11' : '',
      )
    },
  },
  ...([0, 1, 2] as const).map(
    (qos): Stage => ({
      name: `PUBLISH of QoS ${qos}`,
      bytes: ({ protocol }) => {
        const list = ['01 01', '02 00000005', `08${field('r')}`, `09${field('c')}`, '23 0003', '0b 01']
        return packet(
          number(0x31 + 2 * qos, 1),
          field('töpic/a'),
          qos === 0 ? '' : '0007',
          properties(protocol, ...list, '26', field('key'), field('value')),
          Buffer.from('{"a":1}').toString('hex'),
        )
      },
    }),
  ),
  ...([1, 2] as const).map(
    (qos): Stage => ({
      name: qos === 1 ? 'PUBACK' : 'PUBREC',
      hasFlow: qos === 2,
      bytes: async ({ client, session, call, protocol }) => {
        call(client.publish('a', 'x', { qos }))
        const { messageId } = await session.next('publish')
        return acknowledgement(qos === 1 ? '40' : '50', messageId, protocol, '10')
      },
    }),
  ),
  {
    name: 'PUBCOMP',
    hasFlow: true,
    bytes: async ({ client, session, call, protocol }) => {
      call(client.publish('a', 'x', { qos: 2 }))
      const { messageId } = await session.next('publish')
      session.send(packet('50', number(messageId ?? 0, 2)))
      await session.next('pubrel')
      return acknowledgement('70', messageId, protocol, '92')
    },
  },
  {
    name: 'PUBREL',
    bytes: async ({ session, protocol }) => {
      session.send(packet('34', field('a'), '0009', properties(protocol), '78'))
      // With `manualAcks` it waits for ack(), which whoever reads the messages calls.
      await session.next('pubrec')
      return acknowledgement('62', 9, protocol, '92')
    },
  },
  { name: 'PINGRESP', bytes: () => packet('d0') },
  {
    name: 'DISCONNECT',
    isNew: true,
    bytes: () => packet('e0', '8b', properties(V5, REASON, '1c', field('elsewhere'))),
  },
]

function acknowledgement(
  first: string,
  identifier: number | undefined,
  protocol: ProtocolVersion,
  code: string,
): string {
  return packet(
    first,
    number(identifier ?? 0, 2),
    protocol === V5 ? code : '',
    properties(protocol, protocol === V5 ? REASON : ''),
  )
}

/** The options that have code of their own for what comes. */
const variants: ClientOptions[] = [
  {},
  { offlineQueue: true },
  { manualAcks: true },
  { manualAcks: true, offlineQueue: true, overflow: 'backpressure' },
]

/** Random integers below a bound, all of them decided by the seed. */
type Random = (below: number) => number

/** Mulberry32. */
function randomOf(start: number): Random {
  let state = start >>> 0
  return (below) => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below
  }
}

/** Changes a packet in one to three places, and mends its remaining length more often than not. */
function mutated(original: Buffer, random: Random): Buffer {
  const bytes = [...original]
  for (let count = 1 + random(3); count > 0; count--) {
    const at = random(bytes.length)
    const kind = random(7)
    if (kind === 0) bytes[0] = (bytes[0] ?? 0) ^ (1 << random(8))
    else if (kind === 1) bytes[at] = (bytes[at] ?? 0) ^ (1 << random(8))
    else if (kind === 2) bytes[at] = random(256)
    else if (kind === 3) bytes.splice(at, 1 + random(3))
    else if (kind === 4) bytes.splice(at, 0, random(256))
    else if (kind === 5) bytes.length = at + 1
    else bytes.push(...bytes.slice(at))
    if (bytes.length < 2) bytes.push(0, 0)
  }
  if (random(4) === 0) return Buffer.from(bytes)
  return Buffer.from(packet(number(bytes[0] ?? 0, 1), Buffer.from(bytes.slice(2)).toString('hex')), 'hex')
}

/** Whether the client can see the end of the last packet, or that there will be none. */
function isWhole(bytes: Buffer): boolean {
  for (let start = 0; start < bytes.length; ) {
    let length = 0
    let at = start + 1
    for (let factor = 1; ; factor *= 128) {
      const byte = bytes[at++]
      if (byte === undefined) return false
      length += (byte & 0x7f) * factor
      if (byte < 0x80) break
      // A fifth byte of a remaining length is a fault, whatever comes.
      if (at - start > 4) return true
    }
    start = at + length
    if (start > bytes.length) return false
  }
  return true
}

/** Reads all that the client delivers, in full, until the last message that the peer sends. */
async function read(client: Client): Promise<void> {
  for await (const message of client.messages) {
    use(message)
    if (message.topic.value === 'last') return
  }
}

function use(message: Message): void {
  const { topic, payload, properties, qos, retain, dup, mid } = message
  if (topic.value.length === 0) throw new Error('a message without a topic')
  if (payload.length !== Buffer.from(payload).length || message.text().length > payload.length) {
    throw new Error('a payload that is not what it seems')
  }
  if (![0, 1, 2].includes(qos) || typeof retain !== 'boolean' || typeof dup !== 'boolean' || mid < 0) {
    throw new Error('a message that MQTT does not know')
  }
  JSON.stringify(properties)
  void message.ack()
}

/** Sends one mutated packet. Resolves to whether the client went on; rejects when it did neither. */
async function round(peer: Peer, connection: Promise<Session>, plan: Plan): Promise<boolean> {
  const { protocol, stage, random } = plan
  const variant = variants[random(variants.length)] as ClientOptions
  const client = new Client(peer.host, peer.port, {
    protocol,
    ...variant,
    ...(stage.hasAuthentication && {
      authentication: { method: 'method', respond: () => Buffer.from('answer') },
    }),
    ...(protocol === V5 && { properties: { topicAliasMaximum: 5, requestResponseInformation: 1 } }),
  })
  const calls: Promise<unknown>[] = []
  const call = (promise: Promise<unknown>) => {
    promise.catch(() => {})
    calls.push(promise)
  }
  const connecting = client.connect()
  call(connecting)
  const session = await connection
  await session.next('connect')
  const accept = packet('20', '0000', properties(protocol, stage.hasAuthentication ? METHOD : ''))
  if (!stage.isEarly) {
    session.send(accept)
    await within(patience, 'connecting', connecting)
  }
  const reading = read(client)
  call(reading)
  const bytes = mutated(Buffer.from(await stage.bytes({ protocol, client, session, call }), 'hex'), random)
  plan.sent = bytes.toString('hex')
  session.send(bytes)
  const last = packet('30', field('last'), properties(protocol))
  if (!isWhole(bytes)) session.close()
  else if (stage.name === 'AUTH before CONNACK') {
    const answered = session.next('auth').catch(() => {})
    await Promise.race([answered, connecting.catch(() => {})])
    session.send(accept, last)
  } else session.send(last)

  const end = connecting.then(() => reading)
  const wentOn = await within(patience, 'going on or an end', isFulfilled(end))
  const over = session.ended
  await within(patience, 'disconnecting', client.disconnect())
  for (const outcome of await within(patience, 'the calls', Promise.allSettled(calls))) {
    if (outcome.status === 'rejected' && !(outcome.reason instanceof MqttError)) throw outcome.reason
  }
  await within(patience, 'the end of the connection', over)
  const { pending, inflight } = client.stats
  // With an offline queue the next connection completes a flow of QoS 2 that the broker may know.
  const isCompleted = variant.offlineQueue === undefined || !stage.hasFlow
  if (pending > 0 || (isCompleted && inflight > 0)) {
    throw new Error(`${pending} calls are pending, ${inflight} publishes inflight`)
  }
  session.reset()
  return wentOn
}

/** What a round sends. */
interface Plan {
  protocol: ProtocolVersion
  stage: Stage
  random: Random
  /** The bytes that it sent, in hexadecimal digits. */
  sent: string
}

async function isFulfilled(promise: Promise<unknown>): Promise<boolean> {
  try {
    await promise
    return true
  } catch {
    return false
  }
}

for (const { name, protocol } of protocols) {
  const rounds = Math.ceil(total / protocols.length)
  const ours = stages.filter(({ isNew = false }) => protocol === V5 || !isNew)

  test.serial(
    `${name}: ${rounds} mutated packets of a broker each end the connection or do not`,
    async (t) => {
      t.timeout(isLong ? 30 * 60_000 : 60_000)
      let kept = 0
      let ended = 0
      let next = 0
      const lane = async () => {
        while (next < rounds) {
          const peer = await Peer.listen()
          try {
            for (let count = 0; count < connectionsPerPeer && next < rounds; count++) {
              const index = next++
              const random = randomOf(seed + 0x9e3779b9 * (index * 8 + protocol))
              const stage = ours[index % ours.length] as Stage
              const plan: Plan = { protocol, stage, random, sent: 'nothing' }
              try {
                if (await round(peer, peer.accept(), plan)) kept++
                else ended++
              } catch (error) {
                next = rounds
                const what = `round ${index} with AIOMQTT_SEED=${seed}, ${stage.name}, sent ${plan.sent}`
                throw new Error(`${what}: ${error}`, { cause: error })
              }
            }
          } finally {
            await peer.close()
          }
        }
      }
      await Promise.all(Array.from({ length: lanes }, lane))
      t.is(kept + ended, rounds)
      // Both must occur, or this would prove little.
      t.true(kept > rounds / 50, `${kept} went on`)
      t.true(ended > rounds / 5, `${ended} ended`)
    },
  )
}
