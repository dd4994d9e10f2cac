// Publishes each line of standard input with QoS 1. What was not acknowledged when this program ended is in PostgreSQL,
// and is sent by the next one, wherever that runs.
//
//   node examples/postgres-store/publish.mjs <client identifier> <topic> [hostname] [port]
//
// PGHOST, PGDATABASE, PGUSER and so on name the database, as for psql.

import { createInterface } from 'node:readline'
import { Client } from 'aiomqtt'
import pg from 'pg'
import { PostgresStore } from './postgres-store.mjs'

const [identifier, topic, hostname = 'localhost', port = '1883'] = process.argv.slice(2)

const connection = new pg.Client()
connection.on('error', ({ message }) => console.error(message))
await connection.connect()

const client = await Client.connect(hostname, Number(port), {
  identifier,
  cleanSession: false,
  reconnect: true,
  store: await PostgresStore.open(connection, identifier),
})
for await (const line of createInterface({ input: process.stdin }))
  await client.publish(topic, line, { qos: 1 })
await client.disconnect()
await connection.end()
