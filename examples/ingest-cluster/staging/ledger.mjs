// What the devices know to be published, compared in SQL with what is there.

/**
 * @typedef {object} Verdict
 * @property {number} rows
 * @property {number} lost acknowledged to a device and not there
 * @property {number} twice there more than once
 * @property {number} uncertain there without an acknowledgement to the device
 */

/**
 * @param {import('pg').Client} connection
 * @param {{ name: string, last: number, uncertain: number[] }[]} ledger the number of each device's last reading, and
 *   those that were not acknowledged
 * @returns {Promise<Verdict>}
 */
export async function verdictOf(connection, ledger) {
  await connection.query('CREATE TEMPORARY TABLE published (device text, last bigint, uncertain bigint[])')
  for (const { name, last, uncertain } of ledger)
    await connection.query('INSERT INTO published VALUES ($1, $2, $3)', [name, last, uncertain])
  await connection.query(`
    CREATE TEMPORARY TABLE acknowledged AS
      SELECT device, sequence FROM published, generate_series(1, last) AS sequence
      WHERE sequence <> ALL (uncertain)`)
  await connection.query('ANALYZE acknowledged, readings')
  const { rows } = await connection.query(`
    SELECT
      (SELECT count(*) FROM readings) AS rows,
      (SELECT count(*) FROM (SELECT device, sequence FROM acknowledged EXCEPT
                             SELECT device, sequence FROM readings) AS missing) AS lost,
      (SELECT count(*) - count(DISTINCT (device, sequence)) FROM readings) AS twice,
      (SELECT count(*) FROM (SELECT device, sequence FROM readings EXCEPT
                             SELECT device, sequence FROM acknowledged) AS others) AS uncertain`)
  return Object.fromEntries(Object.entries(rows[0]).map(([name, text]) => [name, Number(text)]))
}
