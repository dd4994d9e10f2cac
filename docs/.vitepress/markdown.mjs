// What the site's Markdown can do beyond VitePress: headings have GitHub's anchors, so that links work there as well;
// SVG pictures stand in the page itself, where the theme's colours reach them; tables that are too wide scroll by
// themselves; links work in pages that are files of other folders, too; and code that names something of the API is a link
// to its reference.

import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { basename, dirname, join, posix } from 'node:path'

/** The anchor of a heading, as GitHub makes it. */
export function slugOf(heading) {
  return heading
    .trim()
    .toLowerCase()
    .replace(/[^\p{L}\p{N}\p{M}_\- ]/gu, '')
    .replaceAll(' ', '-')
}

/**
 * @param {import('markdown-it').default} md
 * @param {string} docs the folder of the pages
 */
export function markdownPlugins(md, docs) {
  inlinePictures(md, docs)
  md.renderer.rules.table_open = () => '<div class="wide" tabindex="0"><table>\n'
  md.renderer.rules.table_close = () => '</table></div>\n'
  linkAcross(md, docs)
  linkApi(md, join(docs, 'api'))
}

function inlinePictures(md, docs) {
  const usual = md.renderer.rules.image
  md.renderer.rules.image = (tokens, index, options, env, self) => {
    const source = tokens[index].attrGet('src') ?? ''
    if (!/^\.\/.*\.svg$/.test(source)) return usual(tokens, index, options, env, self)
    const page = join(docs, dirname(env.relativePath))
    return readFileSync(join(page, source), 'utf8').replace('<svg ', '<svg v-pre class="picture" ')
  }
}

/**
 * A page whose frontmatter has a `source` includes this file of the repository. Links in it begin where the file is; links
 * to it lead to the page. What is no page of the site is on readers' disks, or where they found the repository: its name
 * stays, without a link.
 */
function linkAcross(md, docs) {
  const pages = new Map()
  for (const page of readdirSync(docs).filter((file) => file.endsWith('.md'))) {
    const [, source] = /^---\nsource: (.+)\n---/.exec(readFileSync(join(docs, page), 'utf8')) ?? []
    pages.set(source ?? `docs/${page}`, `/${page.replace(/(?:index)?\.md$/, '')}`)
  }
  md.core.ruler.push('link-across', ({ tokens, env }) => {
    if (env.relativePath?.startsWith('api/')) return
    const folder = posix.dirname(env.frontmatter?.source ?? `docs/${env.relativePath}`)
    for (const { type, children } of tokens) {
      if (type === 'inline') linkFrom(folder, children, pages)
    }
  })
}

function linkFrom(folder, children, pages) {
  let isDropped = false
  for (const token of children) {
    if (token.type === 'link_open') {
      const [path, anchor] = token.attrGet('href').split('#')
      isDropped = false
      if (path === '' || /^(?:\/|[a-z]+:)/.test(path)) continue
      const page = pages.get(posix.join(folder, path))
      isDropped = page === undefined
      if (!isDropped) token.attrSet('href', anchor === undefined ? page : `${page}#${anchor}`)
    }
    if (isDropped && /^link_(?:open|close)$/.test(token.type)) Object.assign(token, { type: 'text', tag: '' })
  }
}

/** Links `Client`, `client.publish()` and `maxInflightMessages`, but not in headings and in the reference itself. */
function linkApi(md, folder) {
  const pages = apiPages(folder)
  md.core.ruler.push('link-api', (state) => {
    if (state.env.relativePath?.startsWith('api/')) return
    for (const [index, token] of state.tokens.entries()) {
      if (token.type !== 'inline' || state.tokens[index - 1]?.type === 'heading_open') continue
      token.children = linked(token.children, pages, state.Token)
    }
  })
}

function linked(children, pages, Token) {
  let depth = 0
  return children.flatMap((child) => {
    if (child.type === 'link_open') depth++
    if (child.type === 'link_close') depth--
    const page = child.type === 'code_inline' && depth === 0 ? pages.get(child.content) : undefined
    if (page === undefined) return [child]
    const open = new Token('link_open', 'a', 1)
    open.attrs = [
      ['href', page],
      ['class', 'api'],
    ]
    return [open, child, new Token('link_close', 'a', -1)]
  })
}

/** Where what is written in code is explained. */
function apiPages(folder) {
  const pages = new Map()
  if (!existsSync(folder)) return pages
  const files = readdirSync(folder, { recursive: true }).filter((file) => /[/\\][A-Z]\w+\.md$/.test(file))
  for (const file of files) {
    const name = basename(file, '.md')
    pages.set(name, `/api/${file.replaceAll('\\', '/').replace(/\.md$/, '')}`)
  }
  for (const [owner, shown] of [
    ['Client', (member) => `client.${member}`],
    ['Message', (member) => `message.${member}`],
    ['MessagesIterator', (member) => `messages.${member}`],
    ['ClientOptions', (member) => member],
    ['ReconnectOptions', (member) => member],
  ]) {
    const page = pages.get(owner)
    if (page === undefined) continue
    const text = readFileSync(join(folder, `${page.slice('/api/'.length)}.md`), 'utf8')
    for (const [, member] of text.matchAll(/^### (\w+(?:\(\))?)$/gm)) {
      const code = shown(member)
      // A name of one word means too many things.
      if (/[A-Z.]/.test(code) && !pages.has(code)) pages.set(code, `${page}#${slugOf(member)}`)
    }
  }
  return pages
}
