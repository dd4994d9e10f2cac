import { parseArgs } from 'node:util'
import { Failure } from '../../scripts/steps.mjs'

export const CLIENTS = ['aiomqtt', 'mqtt', 'aws-crt']

export const USAGE = `npm run bench -- [options]

  --rounds N         rounds of every scenario; 5
  --only PATTERN     scenarios whose name matches this regular expression
  --clients A,B      of ${CLIENTS.join(', ')}; all
  --quick            one short round, under two minutes: figures are rough
  --check            a small size without figures: nothing is lost, order is kept
  --engine FILE      the benchmark of the engine without Node; it is built unless given
  --json FILE        writes every figure, with versions, machine and parameters
  --markdown FILE    writes the tables as Markdown
  --chart NAME       draws the main figures: NAME.svg, and NAME-dark.svg
  --from FILE        measures nothing: --markdown and --chart show the figures of an earlier --json
  --list             prints the scenarios and ends
  --help             prints this and ends
`

const ROUNDS = 5

/** Seconds. */
const FULL_SIZE = { warmUp: 0.8, seconds: 1.6 }
const QUICK_SIZE = { warmUp: 0.3, seconds: 0.5 }

/**
 * @throws {Failure} that says which option is wrong
 */
export function parseOptions(args) {
  let values
  try {
    ;({ values } = parseArgs({
      args,
      options: {
        rounds: { type: 'string' },
        only: { type: 'string' },
        clients: { type: 'string' },
        quick: { type: 'boolean', default: false },
        check: { type: 'boolean', default: false },
        engine: { type: 'string' },
        json: { type: 'string' },
        markdown: { type: 'string' },
        chart: { type: 'string' },
        from: { type: 'string' },
        list: { type: 'boolean', default: false },
        help: { type: 'boolean', default: false },
      },
    }))
  } catch (error) {
    throw new Failure(`${error.message}\n\n${USAGE}`)
  }
  const { quick, check } = values
  if (quick && check) throw new Failure('--quick and --check exclude each other.')
  const usual = quick || check ? 1 : ROUNDS
  return {
    ...values,
    rounds: values.rounds === undefined ? usual : parseRounds(values.rounds),
    only: parsePattern(values.only),
    clients: parseClients(values.clients),
    size: check ? null : quick ? QUICK_SIZE : FULL_SIZE,
  }
}

function parseRounds(text) {
  const rounds = Number(text)
  if (!Number.isInteger(rounds) || rounds < 1) throw new Failure(`--rounds is a number above 0, not ${text}.`)
  return rounds
}

function parsePattern(text = '') {
  try {
    return new RegExp(text)
  } catch (error) {
    throw new Failure(`--only: ${error.message}`)
  }
}

function parseClients(text) {
  if (text === undefined) return CLIENTS
  const clients = text.split(',').map((name) => name.trim())
  const unknown = clients.filter((name) => !CLIENTS.includes(name))
  if (unknown.length > 0) {
    throw new Failure(`--clients: there is no ${unknown.join(', ')}. There are ${CLIENTS.join(', ')}.`)
  }
  return CLIENTS.filter((name) => clients.includes(name))
}
