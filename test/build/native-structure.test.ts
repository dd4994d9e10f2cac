// The folders of native/ stand in an order, and each includes only from those before it; no headers include each other
// in a circle. The engine, moreover, is handed its threads: only those who start it look it up.

import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import test from 'ava'
import { root } from './package-copy.js'

/** Folders that stand side by side do not include each other. */
const ORDER = [['platform'], ['mqtt'], ['streams', 'paho'], ['engine'], ['addon']]

/** They use the engine, and nothing uses them. */
const OUTSIDE = ['bench', 'fuzz', 'tests']

/** The text of each source below native/, by its path there. */
type Sources = Map<string, string>

function read(): Sources {
  const files = readdirSync(join(root, 'native'), { recursive: true, encoding: 'utf8' })
  const sources = files.filter((file) => /\.(cpp|h)$/.test(file)).map((file) => file.replaceAll('\\', '/'))
  return new Map(sources.map((file) => [file, readFileSync(join(root, 'native', file), 'utf8')]))
}

/** What a source includes of native/. */
function includes(text: string): string[] {
  return [...text.matchAll(/^\s*#\s*include\s+"([^"]+)"/gm)].map(([, path]) => path as string)
}

function place(path: string): number {
  const folder = path.split('/')[0] as string
  return OUTSIDE.includes(folder) ? ORDER.length : ORDER.findIndex((folders) => folders.includes(folder))
}

/** The includes that go against the order, as `from → to`. */
function breaches(sources: Sources): string[] {
  const found: string[] = []
  for (const [file, text] of sources) {
    for (const path of includes(text)) {
      const isWithin = path.split('/')[0] === file.split('/')[0]
      const isOutside = place(file) === ORDER.length
      if (!sources.has(path) || !(isWithin || isOutside || place(path) < place(file))) {
        found.push(`${file} → ${path}`)
      }
    }
  }
  return found
}

/** The first circle of includes, if there is one. */
function circle(sources: Sources): string[] | null {
  const done = new Set<string>()
  const visit = (file: string, way: readonly string[]): string[] | null => {
    if (way.includes(file)) return [...way.slice(way.indexOf(file)), file]
    if (done.has(file)) return null
    for (const path of includes(sources.get(file) ?? '')) {
      const found = visit(path, [...way, file])
      if (found !== null) return found
    }
    done.add(file)
    return null
  }
  for (const file of sources.keys()) {
    const found = visit(file, [])
    if (found !== null) return found
  }
  return null
}

/** The sources with one more line at the head of a file. */
function withLine(file: string, line: string): Sources {
  const sources = read()
  return sources.set(file, `${line}\n${sources.get(file)}`)
}

test('every folder of native/ has its place in the order', (t) => {
  const folders = new Set([...read().keys()].map((file) => file.split('/')[0]))
  t.deepEqual([...folders].sort(), [...ORDER.flat(), ...OUTSIDE].sort())
})

test('each folder of native/ includes from the left alone', (t) => {
  t.deepEqual(breaches(read()), [])
})

test('no headers of native/ include each other in a circle', (t) => {
  t.is(circle(read()), null)
})

test('Paho reaches the engine through one header', (t) => {
  const paho = [...read()].filter(([file]) => file.startsWith('engine/') || file.startsWith('addon/'))
  const used = new Set(paho.flatMap(([, text]) => includes(text).filter((path) => path.startsWith('paho/'))))
  t.deepEqual([...used].sort(), ['paho/hooks.h', 'paho/paho_client.h'])
})

test('the engine is looked up only where it is made and where an environment begins', (t) => {
  const lookers = [...read()].filter(
    ([file, text]) => place(file) < ORDER.length && text.includes('Engine::instance()'),
  )
  t.deepEqual(lookers.map(([file]) => file).sort(), ['addon/environment.h', 'engine/engine.cpp'])
})

test('a breach of each kind is found', (t) => {
  t.deepEqual(breaches(withLine('paho/sockets.cpp', '#include "engine/engine.h"')), [
    'paho/sockets.cpp → engine/engine.h',
  ])
  t.deepEqual(breaches(withLine('platform/socket.h', '#include "mqtt/wire.h"')), [
    'platform/socket.h → mqtt/wire.h',
  ])
  t.deepEqual(breaches(withLine('streams/stream.h', '#include "streams/gone.h"')), [
    'streams/stream.h → streams/gone.h',
  ])
  const found = circle(withLine('mqtt/wire.h', '#include "mqtt/properties.h"'))
  t.deepEqual([...new Set(found)].sort(), ['mqtt/properties.h', 'mqtt/wire.h'])
})
