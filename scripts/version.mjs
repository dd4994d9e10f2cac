// npm version runs this when it has set the version in package.json: the package's own constant follows.

import { readFileSync, writeFileSync } from 'node:fs'
import { at, Failure, main, run } from './steps.mjs'

const FILE = 'ts/version.ts'
const LINE = /(export const version: string = ')[^']*'/

await main(() => {
  const { version } = JSON.parse(readFileSync(at('package.json'), 'utf8'))
  const text = readFileSync(at(FILE), 'utf8')
  if (!LINE.test(text)) throw new Failure(`${FILE} has no line with the version.`)
  writeFileSync(at(FILE), text.replace(LINE, `$1${version}'`))
  run('git', ['add', FILE])
})
