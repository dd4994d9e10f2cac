// Publishes numbered messages of QoS 1 and 2 through a DurableStore until it is killed, or until all that is left in
// the store has been sent. Tells by writes that no buffer delays which numbers the store has taken in.
//
//   node publisher.js <directory> <port> <first number, or "drain"> <protocol>

import { writeSync } from 'node:fs'
import { Client, type ProtocolVersion, type Store, type StoreChange } from 'aiomqtt'
import { DurableStore } from 'aiomqtt/store'
import { until } from '../helpers/deadline.js'

const [directory = '', port = '', first = '', protocol = ''] = process.argv.slice(2)

class Telling implements Store {
  readonly inner = new DurableStore(directory)

  load(warn?: (text: string) => void, after?: string) {
    return this.inner.load(warn, after)
  }

  last(prefix: string): Promise<string | null> {
    return this.inner.last(prefix)
  }

  async batch(changes: readonly StoreChange[]): Promise<void> {
    await this.inner.batch(changes)
    for (const [, value] of changes) {
      const number = value === null ? undefined : /#(\d+)#/.exec(Buffer.from(value).toString('latin1'))?.[1]
      if (number !== undefined) writeSync(1, `${number}\n`)
    }
  }
}

const store = new Telling()
const client = await Client.connect('127.0.0.1', Number(port), {
  identifier: 'publisher',
  protocol: Number(protocol) as ProtocolVersion,
  ...(protocol === '5'
    ? { cleanStart: false, properties: { sessionExpiryInterval: 3600 } }
    : { cleanSession: false }),
  store,
})
client.pendingCallsThreshold = Number.POSITIVE_INFINITY
if (first === 'drain') {
  await until(60_000, 'an empty store', () => store.inner.stats.records === 0)
  await client.disconnect()
  await store.inner.close()
} else {
  let next = Number(first)
  const publish = async () => {
    for (;;) {
      const number = next++
      await client.publish('durable', `#${number}#`.padEnd(200, 'x'), { qos: number % 2 === 0 ? 1 : 2 })
    }
  }
  await Promise.all(Array.from({ length: 100 }, publish))
}
