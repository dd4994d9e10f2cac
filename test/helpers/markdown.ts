import { readdirSync, readFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'

/** The repository's folder. */
export const root = fileURLToPath(new URL('../../..', import.meta.url))

/** What is made, or is somebody else's. */
const LEFT_OUT = new Set(['node_modules', 'build', 'dist', 'prebuilds', '.git', 'api'])

/** A fenced block of code. */
export interface Block {
  /** The Markdown file, from the repository's root. */
  readonly file: string
  /** The line of its first line, counted from 1. */
  readonly line: number
  readonly language: string
  readonly text: string
  /** How it is to be run: what `<!-- run -->` before it says after its colon. Null when it is not to be run. */
  readonly run: string | null
  /** What it prints: the text of the next block, if `<!-- prints -->` stands before that. */
  readonly prints: string | null
}

/** All Markdown files that people read, from the repository's root. */
export function markdownFiles(folder = ''): string[] {
  return readdirSync(join(root, folder), { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name)
    if (entry.isDirectory()) return LEFT_OUT.has(entry.name) ? [] : markdownFiles(path)
    return entry.name.endsWith('.md') ? [relative('.', path)] : []
  })
}

export function readMarkdown(file: string): string {
  return readFileSync(join(root, file), 'utf8')
}

/** The fenced blocks of a file. */
export function blocksOf(file: string): Block[] {
  const lines = readMarkdown(file).split('\n')
  const found: Array<Block & { mark: string }> = []
  for (let at = 0; at < lines.length; at++) {
    const fence = /^( *)```(\w*)/.exec(lines[at])
    if (fence === null) continue
    const end = lines.findIndex((line, index) => index > at && line.trim() === '```')
    const text = lines.slice(at + 1, end).map((line) => line.slice(fence[1].length))
    const mark = lines[at - 1] ?? ''
    const run = /^<!-- run(?:: (.+))? -->$/.exec(mark)
    found.push({
      ...{ file, line: at + 2, language: fence[2], text: text.join('\n'), mark, prints: null },
      run: run === null ? null : (run[1] ?? ''),
    })
    at = end
  }
  return found.map((block, index) => {
    const next = found[index + 1]
    return next?.mark === '<!-- prints -->' ? { ...block, prints: next.text } : block
  })
}

/** A file's text without its fenced blocks; lines stay where they are. */
export function proseOf(file: string): string {
  return readMarkdown(file).replace(/^( *)```[\s\S]*?^\1```$/gm, (block) => block.replace(/[^\n]+/g, ''))
}

/** The anchor of a heading, as GitHub makes it, and docs/.vitepress/markdown.mjs. */
export function anchorOf(heading: string): string {
  const text = heading.replace(/\[([^\]]*)\]\([^)]*\)/g, '$1').replaceAll('`', '')
  return text
    .trim()
    .toLowerCase()
    .replace(/[^\p{L}\p{N}\p{M}_\- ]/gu, '')
    .replaceAll(' ', '-')
}

/** All anchors of a file. */
export function anchorsOf(file: string): Set<string> {
  return new Set(Array.from(proseOf(file).matchAll(/^#+ (.+)$/gm), ([, heading]) => anchorOf(heading)))
}
