// Writes what comes on fleet/<device>/readings to PostgreSQL, in batches, and acknowledges it when it is committed. This
// program, the broker's connection and the database may go at any time: the broker keeps what was not acknowledged, and
// the key of the table makes one row of what comes twice.
//
//   node examples/postgres.mjs [hostname] [port]
//
// PGHOST, PGDATABASE, PGUSER and so on name the database, as for psql. examples/ingest-cluster does the same with several
// processes.

import { setTimeout as sleep } from 'node:timers/promises'
import { Client } from 'aiomqtt'
import pg from 'pg'

const [hostname = 'localhost', port = '1883'] = process.argv.slice(2)

const database = new pg.Pool()
database.on('error', ({ message }) => console.error(message))
await database.query(`CREATE TABLE IF NOT EXISTS readings (
  device text, sequence bigint, temperature float8, PRIMARY KEY (device, sequence))`)

/** Tries until it has worked. */
async function write(readings) {
  const columns = ['device', 'sequence', 'temperature'].map((name) => readings.map((row) => row[name]))
  for (;;) {
    try {
      return await database.query(
        `INSERT INTO readings SELECT * FROM unnest($1::text[], $2::bigint[], $3::float8[])
         ON CONFLICT DO NOTHING`,
        columns,
      )
    } catch (error) {
      console.error(error.message)
      await sleep(1000)
    }
  }
}

/** What a message says, in a list; an empty one if it is no reading. */
function readingOf(message) {
  try {
    const { sequence, temperature } = message.json()
    const isGood = Number.isSafeInteger(sequence) && Number.isFinite(temperature)
    return isGood ? [{ device: message.topic.value.split('/')[1], sequence, temperature }] : []
  } catch {
    return []
  }
}

const client = await Client.connect(hostname, Number(port), {
  identifier: 'ingest', // the broker knows by it, after a restart, what it has kept for us
  cleanSession: false,
  manualAcks: true,
  reconnect: { initial: true },
})
await client.subscribe('fleet/+/readings', { qos: 1 })
for await (const batch of client.messages.batches(1000)) {
  const readings = batch.flatMap(readingOf)
  const { rowCount } = await write(readings)
  for (const message of batch) message.ack()
  console.log(`${batch.length} messages, ${rowCount} new rows`)
}
