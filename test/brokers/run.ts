// The scenario set against each broker, on each version of MQTT. What a broker is known to lack has to be lacking in
// just that way: a difference in either direction fails. Prints the table of docs/brokers.md, and `N passed, N failed`.
//
//   node build/test/brokers/run.js [name of a broker…]

import { within } from '../helpers/deadline.js'
import { type Broker, brokers } from './brokers.js'
import { type Running, VERSIONS, type Version } from './running.js'
import { PATIENCE, type ScenarioName, Stage, scenarios } from './scenarios.js'
import { known, table } from './table.js'

const counts = { passed: 0, failed: 0 }

/** What is wrong with a scenario; null for nothing. */
async function outcome(running: Running, name: ScenarioName, version: Version): Promise<string | null> {
  const stage = new Stage(running, VERSIONS[version])
  try {
    await within(PATIENCE, name, scenarios[name](stage))
    return null
  } catch (error) {
    return String((error as Error).message)
  } finally {
    await stage.end()
  }
}

function report(
  broker: Broker,
  version: Version,
  name: string,
  seen: string | null,
  lack: string | null,
): void {
  const isRight = (seen === null) === (lack === null)
  counts[isRight ? 'passed' : 'failed']++
  const note = seen === null ? '' : `: ${seen}`
  const surprise = isRight ? '' : lack === null ? '  (must work)' : `  (known: ${lack})`
  console.log(`${isRight ? '✔' : '✘'} ${broker.name}, ${version}, ${name}${note}${surprise}`)
}

async function refusal(running: Running, version: Version): Promise<string | null> {
  const stage = new Stage(running, VERSIONS[version])
  return await stage
    .connect()
    .then(
      () => null,
      (error: Error) => error.message,
    )
    .finally(() => stage.end())
}

async function tryOut(broker: Broker): Promise<void> {
  const started = performance.now()
  const running = await broker.start()
  const seconds = ((performance.now() - started) / 1000).toFixed(1)
  console.log(`» ${broker.name} ${broker.release}, started in ${seconds} s`)
  try {
    for (const version of Object.keys(VERSIONS) as Version[]) {
      const refused = broker.refuses?.[version]
      if (refused !== undefined) {
        const seen = await refusal(running, version)
        report(broker, version, 'connecting', seen?.startsWith(refused) ? seen : null, refused)
        continue
      }
      for (const name of Object.keys(scenarios) as ScenarioName[]) {
        report(broker, version, name, await outcome(running, name, version), known(broker, name, version))
      }
    }
  } finally {
    await running.stop()
  }
}

const wanted = process.argv.slice(2).map((name) => name.toLowerCase())
const chosen = brokers.filter(({ name }) => wanted.length === 0 || wanted.includes(name.toLowerCase()))
if (chosen.length === 0) {
  console.error(`No such broker; there are ${brokers.map(({ name }) => name).join(', ')}.`)
  process.exit(2)
}
for (const broker of chosen) await tryOut(broker)
console.log(`\n${table()}\n\n${counts.passed} passed, ${counts.failed} failed`)
process.exitCode = counts.failed === 0 && counts.passed > 0 ? 0 : 1
