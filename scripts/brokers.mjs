// npm run brokers: the common scenario set against five brokers (test/brokers), fetched and started here.
//
//   node scripts/brokers.mjs [name of a broker…]

import { compileTests } from './ava.mjs'
import { setup } from './setup.mjs'
import { main, run } from './steps.mjs'

await main(() => {
  setup({ servers: ['mosquitto', 'nats-server', 'rabbitmq-server', 'ejabberd'] })
  compileTests()
  run(process.execPath, ['build/test/brokers/run.js', ...process.argv.slice(2)])
})
