// The main figures of a run as a picture: bars beside MQTT.js. It takes the colours of the page that it is part of; as a
// file it has those of a palette.

const WIDTH = 480
const LABELS = 168
const END = 420
const LINE = 26

/** What the picture shows: a row of the table each, by its scenario and metric. */
const FLOODS = [
  ['in-qos0', 'messagesPerSecond', 'received, QoS 0'],
  ['in-qos1', 'messagesPerSecond', 'received, QoS 1'],
  ['in-qos2', 'messagesPerSecond', 'received, QoS 2'],
  ['out-qos0', 'messagesPerSecond', 'published, QoS 0'],
  ['out-qos1', 'messagesPerSecond', 'published, QoS 1'],
  ['flood-1000', 'messagesPerSecond', '1,000 connections'],
]
const ALL_DAY = [
  ['paced-in-2000-qos0', 'processorMicroseconds', 'in, 2,000 a second'],
  ['paced-in-10000-qos0', 'processorMicroseconds', 'in, 10,000 a second'],
  ['paced-out-500-qos1', 'processorMicroseconds', 'out, 500 a second'],
  ['paced-out-5000-qos1', 'processorMicroseconds', 'out, 5,000 a second'],
  ['idle', 'memoryMiB', '1,000 idle: memory'],
  ['idle', 'processorMillisecondsPerSecond', '1,000 idle: processor'],
]

/** Where the page has no colours of its own. */
const PALETTES = {
  light: { paper: '#ffffff', ink: '#1f2328', faint: '#59636e', edge: '#0b6e63', line: '#8b949e' },
  dark: { paper: '#0d1117', ink: '#e6edf3', faint: '#9198a1', edge: '#35b5a2', line: '#656c76' },
}

/**
 * @param {ReturnType<typeof import('./report.mjs').rowsOf>} rows
 * @param {keyof typeof PALETTES} palette
 * @returns {string} SVG
 */
export function chart(rows, palette) {
  const colours = Object.entries(PALETTES[palette])
  const paint = (svg) =>
    colours.reduce((result, [name, colour]) => {
      return result.replaceAll(`var(--${name})`, `var(--picture-${name},${colour})`)
    }, svg)
  const pick = (wanted) =>
    wanted.flatMap(([scenario, metric, label]) => {
      const row = rows.find((one) => one.scenario === scenario && one.metric === metric && !one.against)
      return row === undefined || row.ratio === null ? [] : [{ label, ratio: row.ratio }]
    })
  const parts = []
  let top = 8
  for (const [heading, bars] of [
    ['Messages a second, as a multiple of MQTT.js', pick(FLOODS)],
    ['Processor time and memory, as a share of MQTT.js', pick(ALL_DAY)],
  ]) {
    if (bars.length === 0) continue
    parts.push(group(heading, bars, top))
    top += 48 + bars.length * LINE
  }
  return paint(`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${top}" role="img" aria-labelledby="chart-title" font-family="system-ui, 'Segoe UI', 'Noto Sans', 'DejaVu Sans', sans-serif">
  <title id="chart-title">aiomqtt beside MQTT.js: messages a second in floods, processor time a message at an even pace, and 1,000 idle connections</title>
  <rect width="${WIDTH}" height="${top}" rx="12" style="fill:var(--paper)"/>
${parts.join('\n')}
</svg>
`)
}

/** Letters that a line behind them does not run through. */
const HALO = 'paint-order:stroke;stroke-width:4px;stroke:var(--paper)'

/** A heading, a bar for each figure, and the line where MQTT.js is. */
function group(heading, bars, top) {
  const most = Math.max(1, ...bars.map(({ ratio }) => ratio))
  const place = (ratio) => round(LABELS + (ratio / most) * (END - LABELS))
  const first = top + 38
  const bottom = first + bars.length * LINE - 6
  const lines = bars.map(({ label, ratio }, index) => {
    const y = first + index * LINE
    const width = round(place(ratio) - LABELS)
    return [
      text(LABELS - 10, y + 13, label, 'faint', 'text-anchor="end"'),
      `  <rect x="${LABELS}" y="${y}" width="${width}" height="18" rx="3" style="fill:var(--edge)"/>`,
      text(
        place(ratio) + 7,
        y + 13,
        `${ratio.toFixed(ratio < 10 ? 2 : 1)} ×`,
        'ink',
        'font-weight="600"',
        HALO,
      ),
    ].join('\n')
  })
  return [
    text(16, top + 18, heading, 'ink', 'font-size="14" font-weight="600"'),
    `  <path d="M${place(1)} ${first - 6}V${bottom + 4}" style="stroke:var(--line);stroke-width:1.5;stroke-dasharray:4 3"/>`,
    ...lines,
  ].join('\n')
}

function text(x, y, words, colour, attributes, style = '') {
  const size = attributes.includes('font-size') ? '' : ' font-size="12.5"'
  return `  <text x="${x}" y="${y}"${size} ${attributes} style="fill:var(--${colour});${style}">${words}</text>`
}

function round(value) {
  return Math.round(value * 10) / 10
}
