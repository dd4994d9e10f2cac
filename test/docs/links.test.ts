// Links in Markdown lead somewhere, and what is named there exists.

import { existsSync } from 'node:fs'
import { dirname, join, normalize } from 'node:path'
import test from 'ava'
import { anchorsOf, markdownFiles, proseOf, readMarkdown, root } from '../helpers/markdown.js'

const files = markdownFiles()

/** All matches of a pattern's first group in the prose of all files, with the line. */
function matches(pattern: RegExp): Array<{ file: string; line: number; found: string }> {
  return files.flatMap((file) => {
    const text = proseOf(file)
    return Array.from(text.matchAll(pattern), (match) => ({
      file,
      line: text.slice(0, match.index).split('\n').length,
      found: match[1],
    }))
  })
}

test('relative links and their anchors lead somewhere', (t) => {
  const links = matches(/\]\(([^)\s]+)\)/g).filter(({ found }) => !/^(?:https?|mailto):/.test(found))
  t.true(links.length > 50)
  for (const { file, line, found } of links) {
    const [path, anchor] = found.split('#')
    const target = path === '' ? file : normalize(join(dirname(file), path))
    t.true(existsSync(join(root, target)), `${file}:${line}: ${found}`)
    if (anchor !== undefined && target.endsWith('.md')) {
      t.true(anchorsOf(target).has(anchor), `${file}:${line}: ${found}`)
    }
  }
})

test('what pages include is there', (t) => {
  const included = matches(/<!--@include: ([^ ]+)-->/g)
  t.true(included.length > 0)
  for (const { file, line, found } of included) {
    const [path, region] = found.split('#')
    const target = normalize(join(dirname(file), path))
    t.true(existsSync(join(root, target)), `${file}:${line}: ${found}`)
    if (region !== undefined) {
      const text = readMarkdown(target)
      for (const mark of [`<!-- #region ${region} -->`, `<!-- #endregion ${region} -->`]) {
        t.true(text.includes(mark), `${file}:${line}: ${mark} in ${target}`)
      }
    }
  }
})

test('files and folders that are named exist', (t) => {
  const named = matches(/`((?:\.ci|bench|deps|docs|examples|native|scripts|test|ts)\/[^`\s]*)`/g)
  t.true(named.length > 50)
  for (const { file, line, found } of named) {
    if (/[*…<]/.test(found)) continue
    t.true(existsSync(join(root, found)), `${file}:${line}: ${found}`)
  }
})

test('docs/conformance.md names tests that exist', (t) => {
  const rows = readMarkdown('docs/conformance.md').matchAll(/^\|(?:[^|]*\|){3}([^|]*)\|$/gm)
  const names = Array.from(rows, ([, cell]) => cell).flatMap((cell) => {
    return Array.from(cell.matchAll(/`([^`]+)`/g), ([, name]) => name)
  })
  t.true(names.length > 50)
  for (const name of new Set(names)) {
    if (name.startsWith('npm run ')) continue
    const test = name.includes('/') ? `test/${name}.test.ts` : `native/tests/${name}_test.cpp`
    t.true(existsSync(join(root, test)), name)
  }
})

test('figures of performance stand in docs/performance.md or README.md, and nowhere else without them', (t) => {
  const home = readMarkdown('docs/performance.md') + readMarkdown('README.md')
  t.regex(home, /messages a second/)
  for (const { file, line, found } of matches(
    /(\d[\d,.]*)(?: to [\d,.]+)? (?:messages|MB|MiB)(?:\/s| a second)/g,
  )) {
    t.true(home.includes(found), `${file}:${line}: ${found}`)
  }
})

test("README.md's ratios are those of docs/performance.md, rounded", (t) => {
  const ratios = (text: string) => Array.from(text.matchAll(/([\d.]+) ×/g), ([, ratio]) => ratio)
  const measured = ratios(readMarkdown('docs/performance.md'))
  const shown = ratios(readMarkdown('README.md'))
  t.true(measured.length > 30)
  t.true(shown.length >= 8)
  for (const ratio of shown) {
    const digits = ratio.split('.')[1]?.length ?? 0
    t.true(
      measured.some((exact) => Number(exact).toFixed(digits) === ratio),
      ratio,
    )
  }
})
