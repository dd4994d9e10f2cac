// A store in PostgreSQL: the option `store` of a client whose process may come back on another machine. Each client has its
// rows, by its identifier; an advisory lock of the database keeps a second one with the same identifier out.

const PAGE = 1000

/** @implements {import('aiomqtt').Store} */
export class PostgresStore {
  #connection
  #identifier

  constructor(connection, identifier) {
    this.#connection = connection
    this.#identifier = identifier
  }

  /**
   * @param connection a `pg.Client` of its own, connected: the lock goes with it
   * @param identifier the client identifier
   */
  static async open(connection, identifier) {
    await connection.query(`CREATE TABLE IF NOT EXISTS mqtt_store (
      client text, key text COLLATE "C", value bytea NOT NULL, PRIMARY KEY (client, key))`)
    const { rows } = await connection.query(
      "SELECT pg_try_advisory_lock(hashtext('mqtt_store'), hashtext($1)) AS free",
      [identifier],
    )
    if (!rows[0].free) throw new Error(`Another client has the store of ${identifier}`)
    return new PostgresStore(connection, identifier)
  }

  /** The records whose keys come after a key, in their order, a page at a time. */
  async *load(_warn, after = '') {
    for (let last = after; ; ) {
      const { rows } = await this.#connection.query(
        'SELECT key, value FROM mqtt_store WHERE client = $1 AND key > $2 ORDER BY key LIMIT $3',
        [this.#identifier, last, PAGE],
      )
      for (const { key, value } of rows) yield [key, value]
      if (rows.length < PAGE) return
      last = rows.at(-1).key
    }
  }

  /** The last key that begins with a prefix: with this method a client reads its records in portions. */
  async last(prefix) {
    const { rows } = await this.#connection.query(
      'SELECT max(key) AS key FROM mqtt_store WHERE client = $1 AND key >= $2 AND key < $2 || chr(127)',
      [this.#identifier, prefix],
    )
    return rows[0].key
  }

  /** All changes or none: one statement is one transaction. Of several changes of a key the last one counts. */
  async batch(changes) {
    const last = [...new Map(changes)]
    const deleted = last.flatMap(([key, value]) => (value === null ? [key] : []))
    const put = last.filter(([, value]) => value !== null)
    await this.#connection.query(
      `WITH deleted AS (DELETE FROM mqtt_store WHERE client = $1 AND key = ANY($2::text[]))
       INSERT INTO mqtt_store SELECT $1, * FROM unnest($3::text[], $4::bytea[])
       ON CONFLICT (client, key) DO UPDATE SET value = excluded.value`,
      [this.#identifier, deleted, put.map(([key]) => key), put.map(([, value]) => Buffer.from(value))],
    )
  }
}
