// npm run bench: aiomqtt beside MQTT.js and aws-crt in one run, the clients taking turns. README.md here says what is
// measured and how.

import { Failure, main } from '../scripts/steps.mjs'
import { check } from './runner/check.mjs'
import { compare } from './runner/compare.mjs'
import { parseOptions, USAGE } from './runner/options.mjs'
import { writeFromFile } from './runner/report.mjs'
import { brokerScenarios, scenarios } from './scenarios/index.mjs'

await main(
  async () => {
    const options = parseOptions(process.argv.slice(2))
    const isChosen = ({ id }) => options.only.test(id)
    const own = scenarios.filter(isChosen)
    const withBroker = options.check ? [] : brokerScenarios.filter(isChosen)
    if (options.help) console.log(USAGE)
    else if (options.list) console.log([...scenarios, ...brokerScenarios].map(({ id }) => id).join('\n'))
    else if (options.from !== undefined) writeFromFile(options)
    else if (own.length + withBroker.length === 0)
      throw new Failure('--only: no scenario has such a name; --list prints them.')
    else if (options.check) await check(own, options)
    else await compare(own, withBroker, options)
  },
  { hasOwnHelp: true },
)
