// --check: every scenario at a small size, for what must hold rather than for figures.

import { writeFileSync } from 'node:fs'
import { Failure } from '../../scripts/steps.mjs'
import { installClients } from './install.mjs'
import { withBench } from './measure.mjs'
import { Progress } from './progress.mjs'

/**
 * @param {object[]} scenarios
 * @param {{ clients: string[], rounds: number, json?: string }} options
 * @throws {Failure} the first thing that does not hold
 */
export async function check(scenarios, { clients, rounds, json }) {
  if (clients.some((client) => client !== 'aiomqtt')) installClients()
  const steps = scenarios.flatMap((scenario) => {
    const able = clients.filter((client) => !(client in scenario.without))
    return Array.from({ length: rounds }, () => able.map((client) => ({ scenario, client }))).flat()
  })
  const progress = new Progress(steps.length)
  const seen = []
  await withBench(scenarios, async (bench) => {
    for (const { scenario, client } of steps) {
      const name = `${scenario.id}, ${client}`
      progress.step(name)
      try {
        seen.push({ scenario: scenario.id, client, ...(await bench.check(scenario, client)) })
      } catch (error) {
        throw error instanceof Failure ? new Failure(`${name}: ${error.message}`) : error
      }
    }
  })
  progress.clear()
  if (json !== undefined) writeFileSync(json, `${JSON.stringify(seen, null, 2)}\n`)
  console.log('Nothing was lost, and the order was kept.')
}
