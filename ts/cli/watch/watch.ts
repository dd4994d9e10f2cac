import type { Command } from 'commander'
import { runAction } from '../action.js'
import { EXIT_CODES } from '../command-error.js'
import { addConnectionOptions, addLogOptions } from '../connection-options.js'
import { decimal, integer } from '../options.js'
import { Output } from '../output.js'
import { addSubscriptionOptions, consume, type SubscriptionFlags } from '../subscription.js'
import { Screen, sizeText } from '../terminal.js'
import { TopicTree } from './topic-tree.js'

interface WatchFlags extends SubscriptionFlags {
  depth?: number
  interval?: number
}

/** Seconds. */
const USUAL_INTERVAL = 1

/** Columns where there is no terminal. */
const USUAL_COLUMNS = 120

const AFTERWORD = `
On a terminal the tree is drawn again every second until Ctrl-C; elsewhere it is printed once, at the end (-C, -W, or a
signal). Up to 10,000 topics are told apart; control characters are escaped.
${EXIT_CODES}
  27        the time of -W was over`

/** Makes it `aiomqtt watch`. */
export function build(command: Command): Command {
  addSubscriptionOptions(command)
    .optionsGroup('Tree:')
    .option('--depth <levels>', 'show so many levels of topics, and sum up those below', integer(1, 1000))
    .option('--interval <seconds>', `how often to draw (${USUAL_INTERVAL})`, decimal(0.1, 3600))
    .addHelpText('after', AFTERWORD)
  addLogOptions(addConnectionOptions(command))
  return command.action((flags: WatchFlags) => runAction(({ signal }) => watch(flags, signal), flags.quiet))
}

async function watch(flags: WatchFlags, signal: AbortSignal): Promise<void> {
  const { depth = Number.POSITIVE_INFINITY, interval = USUAL_INTERVAL } = flags
  const tree = new TopicTree()
  const screen = process.stdout.isTTY ? new Screen(process.stdout) : null
  let before = performance.now()
  const tick = () => {
    const now = performance.now()
    tree.tick((now - before) / 1000)
    before = now
    screen?.draw([heading(tree), '', ...tree.lines(screen.columns, depth)])
  }
  const timer = setInterval(tick, interval * 1000)
  const output = new Output()
  try {
    const told = () => {
      if (screen !== null) return
      output.text(`${heading(tree)}\n\n${tree.lines(USUAL_COLUMNS, depth).join('\n')}\n`)
    }
    await consume(flags, signal, output, (message) => tree.add(message), told)
  } finally {
    clearInterval(timer)
    screen?.close()
  }
}

function heading({ messages, bytes, topics, untold }: TopicTree): string {
  const rest = untold === 0 ? '' : `, ${untold} messages of further topics`
  return `${messages} messages, ${sizeText(bytes)}, ${topics} topics${rest}`
}
