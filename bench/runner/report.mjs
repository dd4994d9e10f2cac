// What a run has found, as rows: on the terminal, as Markdown, and as JSON.

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

/** The table for the README. */
export function markdownTable(rows, clients) {
  const heads = ['', 'unit', ...clients.map((client) => NAMES[client]), 'ratio to MQTT.js', 'goal']
  const aligned = heads.map((_, column) => (column < 2 ? '---' : '---:'))
  const lines = rows.map((row) => [
    row.against === undefined ? row.title : `${row.title} (${cell(row, row.against, () => '')})`,
    row.unit,
    ...clients.map((client) => cell(row, client, () => '')),
    row.isMet === false ? `${ratioText(row)} (not met)` : ratioText(row),
    goalText(row),
  ])
  return [heads, aligned, ...lines].map((line) => `| ${line.join(' | ')} |`).join('\n')
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
