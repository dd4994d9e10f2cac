// Batches into PostgreSQL: one transaction each, again and again until it is committed.

import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import pg from 'pg'
import { from as copyFrom } from 'pg-copy-streams'
import { lineOf } from './readings.mjs'

/** Milliseconds before the second attempt, which double to the greatest with each. */
const shortestPause = 50
const longestPause = 5000

/** A connection to the database that PGHOST, PGUSER and so on name, made again when it is lost. */
export class Database {
  /** @type {pg.Client | null} */
  #connection = null
  #log

  /** @param {(line: string) => void} log takes what went wrong */
  constructor(log) {
    this.#log = log
  }

  /**
   * Writes a batch; resolves when it is committed.
   *
   * An attempt of which nobody can say whether it was committed is made again as well: rows that are there already stay
   * as they are.
   *
   * @param {import('./readings.mjs').Reading[]} readings
   * @param {{ topic: string, payload: Buffer }[]} rejected
   * @param {AbortSignal} signal ends the attempts
   * @returns {Promise<number>} how many rows were not there before
   */
  async write(readings, rejected, signal) {
    const lines = readings.map(lineOf).join('')
    let complaint = ''
    for (let pause = shortestPause; ; pause = Math.min(2 * pause, longestPause)) {
      try {
        return await this.#transaction(lines, rejected)
      } catch (error) {
        // Once, however often it is tried.
        if (error.message !== complaint) this.#log(`the database: ${error.message}`)
        complaint = error.message
        await this.close()
        signal.throwIfAborted()
        await sleep(pause * Math.random(), undefined, { signal })
      }
    }
  }

  async close() {
    const connection = this.#connection
    this.#connection = null
    await connection?.end().catch(() => {})
  }

  async #transaction(lines, rejected) {
    this.#connection ??= await connect()
    const connection = this.#connection
    await connection.query('BEGIN')
    await copy(connection, 'COPY incoming FROM STDIN', lines)
    const { rowCount } = await connection.query(
      'INSERT INTO readings SELECT * FROM incoming ON CONFLICT (device, sequence) DO NOTHING',
    )
    for (const { topic, payload } of rejected)
      await connection.query('INSERT INTO rejected (topic, payload) VALUES ($1, $2)', [topic, payload])
    await connection.query('COMMIT')
    return rowCount
  }
}

async function connect() {
  const connection = new pg.Client({
    connectionTimeoutMillis: 5000,
    query_timeout: 30_000,
    keepAlive: true,
  })
  // Without a listener, a connection that is lost between two batches would end the process.
  connection.on('error', () => {})
  await connection.connect()
  // COPY knows no ON CONFLICT, so it goes through a table of the session, which is never written to disk.
  await connection.query('CREATE TEMPORARY TABLE incoming (LIKE readings) ON COMMIT DELETE ROWS')
  return connection
}

async function copy(connection, statement, text) {
  const stream = connection.query(copyFrom(statement))
  const lost = new AbortController()
  const lose = () => lost.abort()
  connection.once('end', lose)
  try {
    stream.end(text)
    await once(stream, 'finish', { signal: lost.signal })
  } finally {
    connection.off('end', lose)
    stream.on('error', () => {})
  }
}
