import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import test from 'ava'
import { table } from '../brokers/table.js'
import { root } from '../helpers/markdown.js'

test('docs/brokers.md has the table that `npm run brokers` checks', (t) => {
  const page = readFileSync(join(root, 'docs/brokers.md'), 'utf8')
  const [, shown] = page.match(/<!-- #region table -->\n([\s\S]*?)\n<!-- #endregion table -->/) ?? []
  t.is(shown, table())
})
