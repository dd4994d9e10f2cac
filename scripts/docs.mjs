// npm run docs: makes the site of the guide (docs/*.md) and of the API reference (the docstrings in ts/), in build/docs.
// It fails when an export has no docstring, when a link or an anchor leads nowhere, and when a page would fetch something
// from another host.
//
//   node scripts/docs.mjs [--serve] [--port N]

import { existsSync, readFileSync } from 'node:fs'
import { dirname, posix } from 'node:path'
import { parseArgs } from 'node:util'
import { installPackages } from './setup.mjs'
import { at, Failure, filesBelow, isMain, main, run, say } from './steps.mjs'

const OUTPUT = 'build/docs'

/** Runs the program of a package of docs/ with this Node. */
function runDocsPackage(script, args) {
  run(process.execPath, [at('docs/node_modules', script), ...args], { cwd: at('docs') })
}

/** Builds the site. */
export function buildDocs() {
  installPackages()
  installPackages('docs')
  say('API reference, from the docstrings')
  runDocsPackage('typedoc/bin/typedoc', ['--logLevel', 'Warn'])
  say('Pages')
  runDocsPackage('vitepress/bin/vitepress.js', ['build', '--logLevel', 'warn'])
  checkSite()
}

// --- What the pages must be ------------------------------------------------------------------------------------

/** What a page fetches by itself: scripts, style sheets, pictures, fonts. A link is not fetched. */
const FETCHED = /<(?:script|img|source|iframe|link)\b[^>]*?\s(?:src|href)="([^"]+)"/g
const FETCHED_BY_STYLE = /url\(["']?([^"')]+)|@import\s+["']([^"']+)/g

function checkSite() {
  const files = new Set(filesBelow(OUTPUT).map((file) => posix.relative(OUTPUT, file.replaceAll('\\', '/'))))
  const pages = new Map()
  for (const file of files) {
    if (!file.endsWith('.html')) continue
    const html = readFileSync(at(OUTPUT, file), 'utf8')
    const ids = new Set(Array.from(html.matchAll(/\sid="([^"]*)"/g), ([, id]) => decode(id)))
    pages.set(file, { html, ids })
  }
  const faults = []
  for (const [file, { html }] of pages) {
    for (const [, target] of html.matchAll(/<a\b[^>]*?\shref="([^"]+)"/g)) {
      const fault = linkFault(file, decode(target), pages, files)
      if (fault !== null) faults.push(`${file}: ${target} ${fault}`)
    }
    for (const [, target] of html.matchAll(FETCHED)) {
      if (isElsewhere(target)) faults.push(`${file}: fetches ${target}`)
    }
  }
  for (const file of files) {
    if (!file.endsWith('.css')) continue
    for (const [, address, sheet] of readFileSync(at(OUTPUT, file), 'utf8').matchAll(FETCHED_BY_STYLE)) {
      if (isElsewhere(address ?? sheet)) faults.push(`${file}: fetches ${address ?? sheet}`)
    }
  }
  if (pages.size === 0) faults.push('There are no pages.')
  if (faults.length > 0) throw new Failure([...new Set(faults)].join('\n'))
  console.log(`${pages.size} pages, no dead links, nothing from other hosts`)
}

function isElsewhere(address) {
  return /^(?:https?:)?\/\//.test(address)
}

/** Why a link leads nowhere, or null. */
function linkFault(file, target, pages, files) {
  if (isElsewhere(target) || /^(?:mailto|data):/.test(target)) return null
  const [path, anchor] = target.split('#')
  const full = path === '' ? file : posix.join('/', dirname(file), path).slice(1)
  const wanted = path.startsWith('/') ? path.slice(1) : full
  const found = [wanted, `${wanted}.html`, posix.join(wanted, 'index.html')].find((name) => files.has(name))
  if (found === undefined) return 'leads nowhere'
  if (anchor === undefined || anchor === '') return null
  return pages.get(found)?.ids.has(decodeURIComponent(anchor)) ? null : 'has no such anchor'
}

function decode(attribute) {
  return attribute
    .replaceAll('&quot;', '"')
    .replaceAll('&lt;', '<')
    .replaceAll('&gt;', '>')
    .replaceAll('&amp;', '&')
}

if (isMain(import.meta.url)) {
  await main(() => {
    const { values } = parseArgs({
      options: { serve: { type: 'boolean' }, port: { type: 'string', default: '4173' } },
    })
    if (!values.serve || !existsSync(at(OUTPUT, 'index.html'))) buildDocs()
    if (!values.serve) {
      say(`The site is in ${OUTPUT}`)
      console.log('npm run docs -- --serve shows it at http://127.0.0.1:4173/')
      return
    }
    say('The site, until Ctrl-C')
    // Not `vitepress preview`, which listens for the whole network.
    const where = ['--outDir', at(OUTPUT), '--host', '127.0.0.1', '--port', values.port, '--strictPort']
    runDocsPackage('vite/bin/vite.js', ['preview', ...where])
  })
}
