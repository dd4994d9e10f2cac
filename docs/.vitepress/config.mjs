import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { defineConfig } from 'vitepress'
import { markdownPlugins, slugOf } from './markdown.mjs'

const docs = fileURLToPath(new URL('..', import.meta.url))

/** The guide: groups of pages, each by its name in docs/ and by what the sidebar calls it. */
const GUIDE = [
  [
    'Start here',
    [
      ['introduction', 'Introduction'],
      ['connecting', 'Connecting'],
      ['publishing', 'Publishing'],
      ['subscribing', 'Subscribing'],
      ['errors', 'Errors'],
      ['faq', 'Questions and answers'],
    ],
  ],
  [
    'Losing nothing',
    [
      ['acknowledgement', 'Acknowledgement'],
      ['backpressure', 'Backpressure'],
      ['sessions', 'Reconnection and sessions'],
      ['store', 'The durable store'],
      ['promises', 'What is promised'],
    ],
  ],
  [
    'In production',
    [
      ['brokers', 'Brokers'],
      ['transports', 'TLS and transports'],
      ['deployment', 'Deployment'],
      ['observing', 'Logs, metrics, diagnostics'],
      ['metrics', 'Prometheus, OpenTelemetry'],
      ['performance', 'Performance'],
      ['scale', 'Worker threads and scale'],
      ['ingest-cluster', 'Processes and PostgreSQL'],
      ['command-line', 'Command line'],
    ],
  ],
  [
    'Recipes',
    [
      ['cloud-brokers', 'AWS, Azure, HiveMQ, EMQX'],
      ['frameworks', 'Fastify and NestJS'],
      ['sparkplug', 'Sparkplug B'],
      ['testing', 'Testing your service'],
    ],
  ],
  [
    'Coming from elsewhere',
    [
      ['from-mqtt-js', 'From MQTT.js'],
      ['from-aiomqtt', 'From aiomqtt in Python'],
    ],
  ],
  [
    'How it is made',
    [
      ['architecture', 'Architecture'],
      ['conformance', 'What a broker may send'],
      ['changelog', 'Changelog'],
    ],
  ],
]

const guide = GUIDE.map(([text, pages]) => ({
  text,
  items: pages
    .filter(([page]) => existsSync(join(docs, `${page}.md`)))
    .map(([page, title]) => ({ text: title, link: `/${page}` })),
}))

/** The API reference's pages, which typedoc made, in the order of the alphabet. */
function reference(module, folder) {
  const below = join(docs, 'api', module, folder)
  if (!existsSync(below)) return []
  return readdirSync(below)
    .sort((a, b) => a.localeCompare(b))
    .map((file) => basename(file, '.md'))
    .map((name) => ({ text: name, link: `/api/${module}/${folder}/${name}` }))
}

const api = [
  { text: 'Classes', items: reference('aiomqtt', 'classes') },
  { text: 'Options and other objects', items: reference('aiomqtt', 'interfaces') },
  { text: 'Types', collapsed: true, items: reference('aiomqtt', 'type-aliases') },
  { text: 'Constants', items: reference('aiomqtt', 'variables') },
  {
    text: 'aiomqtt/store',
    items: [...reference('aiomqtt/store', 'classes'), ...reference('aiomqtt/store', 'interfaces')],
  },
]

const { version } = JSON.parse(readFileSync(join(docs, '..', 'package.json'), 'utf8'))

export default defineConfig({
  title: 'aiomqtt for Node.js',
  description: 'The MQTT client aiomqtt for Node.js: its guide and its API reference',
  lang: 'en',
  head: [['link', { rel: 'icon', href: '/icon.svg' }]],
  outDir: join(docs, '../build/docs'),
  cacheDir: join(docs, '../build/docs-cache'),
  srcExclude: ['node_modules/**'],
  markdown: {
    theme: { light: 'github-light', dark: 'github-dark' },
    anchor: { slugify: slugOf },
    config: (md) => markdownPlugins(md, docs),
  },
  vite: { build: { chunkSizeWarningLimit: 2_000 } },
  themeConfig: {
    nav: [
      { text: 'Guide', link: '/introduction', activeMatch: '^/(?!api/|$)' },
      { text: 'API reference', link: '/api/aiomqtt/', activeMatch: '^/api/' },
      { text: `v${version}`, link: '/changelog' },
    ],
    sidebar: { '/': guide, '/api/': api },
    outline: { level: [2, 3] },
    search: { provider: 'local' },
    externalLinkIcon: true,
    docFooter: { prev: 'Before', next: 'Next' },
  },
})
