import { Argument, type Command } from 'commander'
import { PacketTypes } from '../../mqtt/packet-types.js'
import { Properties } from '../../mqtt/properties.js'
import { withoutPrefix } from '../../mqtt/property-codec.js'
import { Topic } from '../../mqtt/topic.js'
import { DurableStore, describeLoss } from '../../store/durable-store.js'
import { type InspectedRecord, repairStore, StoreInspector } from '../../store/inspector.js'
import type { PublishRecord } from '../../store/message-record.js'
import type { StoreLoss } from '../../store/recovery.js'
import { dropSetAside, SET_ASIDE } from '../../store/set-aside.js'
import { runAction } from '../action.js'
import { CommandError } from '../command-error.js'
import { Moment, messageLine } from '../message-json.js'
import { Output } from '../output.js'

const AFTERWORD = `
Actions:
  list      one line for each record (what is done without an action)
  count     how many messages are unsent, set aside and received, and how much room they take
  verify    read everything, and say what is damaged, cut or missing; exit code 1 if anything is
  repair    write what can be read to new files, and remove the old ones; copy the directory first
  export    the unsent messages as lines of JSON, which \`aiomqtt replay\` publishes
  drop      remove messages that were set aside: those with the given keys, or all of them

Nothing is changed but by repair and drop. The store must not be in use.

Exit codes:
  0         all went well
  1         the store cannot be read, is in use, or verify found damage`

type Action = (directory: string, keys: readonly string[], output: Output) => Promise<void>

const ACTIONS: Readonly<Record<string, Action>> = {
  list: (directory, keys, output) => readAll(directory, keys, (record) => output.text(`${lineOf(record)}\n`)),
  export: (directory, keys, output) =>
    readAll(directory, keys, (record) => {
      if (record.kind !== 'message' || record.message.isReleased) return
      output.text(`${jsonOf(record.message)}\n`)
    }),
  count,
  verify,
  repair,
  drop,
}

/** Makes it `aiomqtt store`. */
export function build(command: Command): Command {
  return command
    .argument('<directory>', 'the directory of a DurableStore')
    .addArgument(new Argument('[action]', 'what to do with it').choices(Object.keys(ACTIONS)).default('list'))
    .argument('[keys...]', 'the keys of the records that are meant; all without')
    .addHelpText('after', AFTERWORD)
    .action((directory: string, action: string, keys: string[]) =>
      runAction(async () => {
        const output = new Output()
        try {
          await (ACTIONS[action] as Action)(directory, keys, output)
        } finally {
          await output.end()
        }
      }),
    )
}

async function readAll(
  directory: string,
  keys: readonly string[],
  print: (record: InspectedRecord) => void,
): Promise<void> {
  await using store = await StoreInspector.open(directory)
  const wanted = new Set(keys)
  for await (const record of store.records()) {
    if (keys.length > 0 && !wanted.delete(record.key)) continue
    print(record)
  }
  tell(store.losses)
  const [missing] = wanted
  if (missing !== undefined) throw noRecord(missing, directory, store.losses)
}

function noRecord(key: string, directory: string, losses: readonly StoreLoss[]): CommandError {
  if (losses.length === 0) return new CommandError(`There is no record ${key}.`)
  return new CommandError(
    `There is no record ${key} that can be read. If it is among what is damaged, it is not sent; aiomqtt store ${directory} repair removes what is left of it.`,
  )
}

async function count(directory: string, _keys: readonly string[], output: Output): Promise<void> {
  await using store = await StoreInspector.open(directory)
  const counts = new Map<string, number>()
  for await (const { kind } of store.records()) counts.set(kind, (counts.get(kind) ?? 0) + 1)
  const lines: Array<[string, number]> = [
    ['unsent messages', counts.get('message') ?? 0],
    ['set aside', counts.get('set aside') ?? 0],
    ['received, unreleased', counts.get('received') ?? 0],
    ['other records', counts.get('other') ?? 0],
    ['damaged', (counts.get('damaged') ?? 0) + store.losses.length],
    ['bytes of records', store.bytes],
    ['files', store.files.count],
    ['bytes of files', store.files.bytes],
  ]
  for (const [name, number] of lines) output.text(`${name.padEnd(22)}${String(number).padStart(14)}\n`)
}

async function verify(directory: string, _keys: readonly string[], output: Output): Promise<void> {
  await using store = await StoreInspector.open(directory)
  let good = 0
  let bad = store.losses.length
  for (const loss of store.losses) output.text(`${describeLoss(loss)}\n`)
  for await (const record of store.records()) {
    if (record.kind === 'damaged') {
      bad++
      output.text(`${record.key}: ${record.reason}\n`)
    } else {
      good++
    }
  }
  output.text(`${good} records are in order\n`)
  if (bad > 0)
    throw new CommandError(`${bad} ${bad === 1 ? 'place is' : 'places are'} damaged in ${directory}.`)
}

async function repair(directory: string, _keys: readonly string[], output: Output): Promise<void> {
  const losses = await repairStore(directory)
  for (const loss of losses) output.text(`lost: ${describeLoss(loss)}\n`)
  output.text(losses.length === 0 ? 'Nothing was damaged.\n' : 'What could be read is in new files.\n')
}

async function drop(directory: string, keys: readonly string[], output: Output): Promise<void> {
  // Only what is there can be dropped, and only from a store that is there.
  const found: string[] = []
  await readAll(directory, keys, ({ key }) => {
    // Whether the message itself can be read does not matter any more.
    if (key.startsWith(SET_ASIDE)) found.push(key)
    else if (keys.length > 0) throw new CommandError(`${key} is not a message that was set aside.`)
  })
  await using store = new DurableStore(directory, { sync: true })
  if (found.length > 0) await dropSetAside(store, found)
  output.text(`${found.length} ${found.length === 1 ? 'message' : 'messages'} dropped\n`)
}

function tell(losses: readonly StoreLoss[]): void {
  for (const loss of losses) process.stderr.write(`Warning: ${describeLoss(loss)}\n`)
}

function lineOf(record: InspectedRecord): string {
  const { kind, key } = record
  if (!('message' in record)) {
    return [key, kind, ...(record.reason === null ? [] : [record.reason])].join('  ')
  }
  const { topic, payload, qos, isRetained, isReleased, identifier } = record.message
  const id = identifier === 0 ? [] : [`id ${identifier}`]
  if (isReleased) return [key, kind, `QoS ${qos}`, ...id, 'released'].join('  ')
  const name = JSON.stringify(Buffer.from(topic).toString())
  const retained = isRetained ? ['retained'] : []
  return [key, kind, `QoS ${qos}`, ...id, ...retained, `${payload.length} bytes`, name].join('  ')
}

/** The message as `aiomqtt sub --json` prints one; its time is that of the export. */
function jsonOf({ topic, payload, qos, isRetained, identifier, properties }: PublishRecord): string {
  const encoded = properties.length === 0 ? null : withoutPrefix(properties)
  const bytes = Buffer.from(payload)
  return messageLine(
    {
      topic: new Topic(Buffer.from(topic).toString()),
      payload: bytes,
      qos: qos as 1 | 2,
      retain: isRetained,
      mid: identifier,
      properties: encoded === null ? null : Properties.decode(PacketTypes.PUBLISH, encoded),
      text: () => bytes.toString(),
    },
    new Moment(),
  )
}
