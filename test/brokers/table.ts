import { type Broker, brokers } from './brokers.js'
import { VERSIONS, type Version } from './running.js'
import { type ScenarioName, scenarios } from './scenarios.js'

/** What a broker is known to lack; null where the scenario has to work. */
export function known(broker: Broker, name: ScenarioName, version: Version): string | null {
  const lack = broker.lacks[name]
  return (typeof lack === 'string' ? lack : lack?.[version]) ?? null
}

/** The table of docs/brokers.md: a row a scenario, a column a broker, what each version of MQTT does there. */
export function table(): string {
  const versions = Object.keys(VERSIONS) as Version[]
  const cell = (broker: Broker, name: ScenarioName): string => {
    const tried = versions.filter((version) => broker.refuses?.[version] === undefined)
    const good = tried.filter((version) => known(broker, name, version) === null)
    if (good.length === 0) return 'no'
    return good.length === tried.length ? 'yes' : `${good.join(', ')} only`
  }
  const rows = [
    ['', ...brokers.map(({ name, release }) => `${name} ${release}`)],
    ['---', ...brokers.map(() => '---')],
    [
      'versions',
      ...brokers.map(({ refuses }) =>
        versions.filter((version) => refuses?.[version] === undefined).join(', '),
      ),
    ],
    ...(Object.keys(scenarios) as ScenarioName[]).map((name) => [
      name,
      ...brokers.map((broker) => cell(broker, name)),
    ]),
  ]
  return rows.map((row) => `| ${row.join(' | ')} |`).join('\n')
}
