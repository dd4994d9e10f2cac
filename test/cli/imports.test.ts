// What a service loads when it imports the library: nothing of the command line, and none of its packages.

import { existsSync, readFileSync, statSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import test from 'ava'

const dist = new URL('../../../dist/', import.meta.url)

/** All modules of the package that a module loads, now or later, and the names of the packages that it asks for. */
function loadedBy(module: URL, modules = new Set<string>(), packages = new Set<string>()) {
  modules.add(module.pathname)
  const text = readFileSync(module, 'utf8')
  for (const [, name] of text.matchAll(/(?:^(?!\s*\*).*from |import\(|^import )'([^']+)'/gm)) {
    if (!name.startsWith('.')) packages.add(name)
    else if (!modules.has(new URL(name, module).pathname)) loadedBy(new URL(name, module), modules, packages)
  }
  return { modules: [...modules], packages: [...packages] }
}

for (const entry of ['index.js', 'store/index.js']) {
  test(`${entry} loads nothing of the command line`, (t) => {
    const { modules, packages } = loadedBy(new URL(entry, dist))
    t.true(modules.length > 3)
    t.deepEqual(
      modules.filter((path) => path.includes('/cli/')),
      [],
    )
    t.deepEqual(
      packages.filter((name) => !name.startsWith('node:') && name !== 'socks' && name !== 'ws'),
      [],
    )
  })
}

test('the command line does load them', (t) => {
  const { modules, packages } = loadedBy(new URL('cli/main.js', dist))
  t.true(modules.some((path) => path.endsWith('/cli/sub.js')))
  t.true(packages.includes('commander'))
})

test('npx can start the command', (t) => {
  const { bin } = JSON.parse(readFileSync(new URL('../package.json', dist), 'utf8')) as {
    bin: Record<string, string>
  }
  const main = fileURLToPath(new URL(`../${bin.aiomqtt}`, dist))
  t.true(existsSync(main))
  t.regex(readFileSync(main, 'utf8'), /^#!\/usr\/bin\/env node\n/)
  if (process.platform !== 'win32') t.is(statSync(main).mode & 0o111, 0o111)
})
