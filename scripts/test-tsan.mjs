// npm run test:tsan: the native tests under ThreadSanitizer, the engine's two threads under load among them.

import { preparePaho } from '../deps/prepare.mjs'
import { printCounts } from './ava.mjs'
import { runNativeTests } from './native-tests.mjs'
import { main, say } from './steps.mjs'

// More of the test that has all threads at work than `npm test` has time for.
process.env.AIOMQTT_LOAD_ROUNDS ??= '60'

await main(async () => {
  preparePaho({ log: say })
  say('Native tests, with ThreadSanitizer')
  printCounts(await runNativeTests('tsan', 'thread'))
})
