// What a run has found, as rows: on the terminal, as Markdown, as a picture, and as JSON.

import { readFileSync, writeFileSync } from 'node:fs'
import { Failure } from '../../scripts/steps.mjs'
import { chart } from './chart.mjs'

const NAMES = {
  aiomqtt: 'aiomqtt',
  mqtt: 'MQTT.js',
  'aws-crt': 'aws-crt',
  engine: 'engine in C',
  raw: 'peer',
}

/**
 * One row for each figure that the table shows.
 *
 * @param {object[]} scenarios
 * @param {import('./results.mjs').Results} results
 */
export function rowsOf(scenarios, results) {
  return scenarios.flatMap(({ id, rows }) =>
    rows.map((row) => {
      const figures = results.of(id, row.metric)
      const own = figures.aiomqtt?.median
      const other = figures[row.against ?? 'mqtt']?.median
      const ratio = own === undefined || other === undefined ? null : own / other
      const isMet = ratio === null || row.goal === undefined ? null : meets(ratio, row)
      return { scenario: id, ...row, figures, ratio, isMet }
    }),
  )
}

/** The figures of one round, in short. */
export function describeRound({ rows }, figures) {
  const shown = rows.filter(({ metric, against }) => metric in figures && against === undefined)
  return shown.map(({ metric, unit, digits }) => `${number(figures[metric], digits)} ${unit}`).join(', ')
}

function meets(ratio, { goal, better }) {
  return better === 'more' ? ratio >= goal : ratio <= goal
}

/** The table for the terminal. */
export function plainTable(rows, clients) {
  const heads = ['scenario', 'unit', ...clients.map((client) => NAMES[client]), 'ratio', 'goal', 'met']
  const lines = rows.map((row) => [
    row.title.replaceAll('`', ''),
    row.unit,
    ...clients.map((client) => cell(row, client, (spread) => ` (${spread})`)),
    ratioText(row),
    goalText(row),
    row.isMet === null ? '' : row.isMet ? 'yes' : 'NO',
  ])
  const widths = heads.map((_, column) => Math.max(...[heads, ...lines].map((line) => line[column].length)))
  const format = (line) =>
    line
      .map((text, column) => (column < 2 ? text.padEnd(widths[column]) : text.padStart(widths[column])))
      .join('  ')
  const rule = widths.map((width) => '-'.repeat(width)).join('  ')
  return [format(heads), rule, ...lines.map(format)].map((line) => line.trimEnd()).join('\n')
}

/** Writes what the options ask for: the tables, the picture in two palettes. */
export function writeForReaders(rows, { clients, markdown, chart: name }) {
  if (markdown !== undefined) writeFileSync(markdown, `${markdownTables(rows, clients)}\n`)
  if (name === undefined) return
  writeFileSync(`${name}.svg`, chart(rows, 'light'))
  writeFileSync(`${name}-dark.svg`, chart(rows, 'dark'))
}

/**
 * The same from the file that `--json` wrote.
 *
 * @throws {Failure} it is no such file
 */
export function writeFromFile(options) {
  let rows
  try {
    ;({ rows } = JSON.parse(readFileSync(options.from, 'utf8')))
  } catch (error) {
    throw new Failure(`--from: ${error.message}`)
  }
  if (!Array.isArray(rows)) throw new Failure(`--from: ${options.from} is not what --json writes.`)
  writeForReaders(rows, options)
}

/** What belongs together, by the names of the scenarios. */
const GROUPS = [
  ['Floods in', /^(?:in-|flood-)/],
  ['Floods out', /^out-/],
  ['At an even pace, in, through Mosquitto', /^paced-in-/],
  ['At an even pace, out, to Mosquitto', /^paced-out-/],
  ['Round trips, connecting, idle connections', /^(?:round-trip-|connect-|idle)/],
  ['Floods through Mosquitto', /^mosquitto-/],
]

/**
 * The tables for the documentation, narrow enough for a telephone: a group of scenarios each, and for the clients beside
 * MQTT.js one of their own.
 */
function markdownTables(rows, clients) {
  const tables = GROUPS.map(([heading, isIn]) => {
    return section(
      heading,
      rows.filter(({ scenario }) => isIn.test(scenario)),
      'mqtt',
    )
  })
  const others = clients.filter((client) => client !== 'aiomqtt' && client !== 'mqtt')
  const comparable = rows.filter(({ against }) => against === undefined)
  tables.push(...others.map((client) => section(`Beside ${NAMES[client]}`, comparable, client)))
  return tables.filter((table) => table !== null).join('\n\n')
}

/** A heading and a table of those rows that have a figure of this client. */
function section(heading, rows, client) {
  const lines = rows
    .filter(({ figures }) => figures.aiomqtt !== undefined && figures[client] !== undefined)
    .map((row) => {
      const other = row.against ?? client
      const ratio = row.figures.aiomqtt.median / row.figures[other].median
      const mark = client === 'mqtt' && row.isMet === false ? ` (goal ${goalText(row)})` : ''
      return [
        `${row.title} (${row.unit})`,
        cell(row, 'aiomqtt', () => ''),
        cell(row, other, () => ''),
        `${ratio.toFixed(2)} ×${mark}`,
      ]
    })
  if (lines.length === 0) return null
  const table = [['', 'aiomqtt', NAMES[client], 'ratio'], ['---', '---:', '---:', '---:'], ...lines]
  return [`### ${heading}`, '', ...table.map((line) => `| ${line.join(' | ')} |`)].join('\n')
}

function cell(row, client, withSpread) {
  const figure = row.figures[client]
  if (figure === undefined) return '–'
  if (row.against !== undefined && client !== row.against && client !== 'aiomqtt') return '–'
  if (client === 'raw' && row.metric === 'processorMicroseconds') return '–'
  const show = (value) => number(value, row.digits ?? 0)
  const hasSpread = figure.rounds.length > 1
  return show(figure.median) + (hasSpread ? withSpread(`${show(figure.min)}–${show(figure.max)}`) : '')
}

function ratioText({ ratio }) {
  return ratio === null ? '–' : `${ratio.toFixed(2)} ×`
}

function goalText({ goal, better, against }) {
  if (goal === undefined) return '–'
  return `${better === 'more' ? '≥' : '≤'} ${goal} ×${against === 'engine' ? ' of the engine' : ''}`
}

function number(value, digits = 0) {
  return value.toLocaleString('en-US', { minimumFractionDigits: digits, maximumFractionDigits: digits })
}
