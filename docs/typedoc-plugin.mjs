// Where the pages of the API reference are shorter, or say more, than typedoc-plugin-markdown makes them.

import { Converter } from 'typedoc'
import { MarkdownPageEvent } from 'typedoc-plugin-markdown'

/** @param {import('typedoc-plugin-markdown').MarkdownApplication} app */
export function load(app) {
  app.converter.on(Converter.EVENT_RESOLVE, (_context, reflection) => nameErrors(reflection.comment))
  app.renderer.on(MarkdownPageEvent.END, (page) => {
    page.contents = shortened(page.contents ?? '')
  })
}

/** `@throws {TypeError} …` shows its type. */
function nameErrors(comment) {
  for (const tag of comment?.getTags('@throws') ?? []) {
    if (tag.typeAnnotation === undefined) continue
    const types = tag.typeAnnotation.replace(/[{}]/g, '').split('|')
    const names = types.map((type) => `\`${type.trim()}\``).join(', ')
    tag.content.unshift({ kind: 'text', text: tag.content.length > 0 ? `${names}: ` : names })
    tag.typeAnnotation = undefined
  }
}

/** @param {string} markdown */
function shortened(markdown) {
  return (
    markdown
      .replace(/^# (?:Class|Interface|Type Alias|Variable): /m, '# ')
      // A default is a line, not a chapter.
      .replace(/#+ Default Value\n\n(?:```ts\n(.*)\n```|(.+))/g, (_, code, text) => {
        return `**Default:** ${text ?? (/^(true|false|\d+)$/.test(code) ? `\`${code}\`` : code)}`
      })
      .replace(/(#+ Throws\n\n[^#]+)(?:#+ Throws\n\n[^#]+)+/g, (all) => {
        const [heading, ...errors] = all.split(/(?<=#) Throws\n\n|\n#+ Throws\n\n/)
        return `${heading} Throws\n\n${errors.map((error) => `- ${error.trim()}\n`).join('')}\n`
      })
      // What is optional says so in its signature; so much for lines, too.
      .replace(/^(#+ \w+)\?$/gm, '$1')
      .replaceAll('> `optional` **', '> **')
      .replaceAll('\n***\n', '')
      .replace('## Implements\n\n- `AsyncDisposable`\n\n', '')
      // Whom a member comes from is of no use to a reader: it works the same.
      .replace(/#+ (?:Inherited from|Overrides|Implementation of)\n\n.+\n\n?/g, '')
      // The bases of Topic and Properties, under the names that are exported.
      .replaceAll('`TrustingWildcard`', '[`Wildcard`](Wildcard.md)')
      .replace('## Extends\n\n- `Members`\n\n', '')
      .replaceAll(' = `USUAL_THRESHOLD`', '')
      .replaceAll('| `undefined` |', '| |')
      .replaceAll('| - |', '| |')
  )
}
