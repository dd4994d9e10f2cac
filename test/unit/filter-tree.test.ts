import { Topic, Wildcard } from 'aiomqtt'
import test from 'ava'
import { FilterTree } from './internals.js'

const levels = ['a', 'b', '', '$x', '+', '#', '$share']

/** All texts of one to `most` levels, of which those that `isGood` takes. */
function texts(most: number, isGood: (text: string) => boolean): string[] {
  let last = ['']
  const all: string[] = []
  for (let depth = 0; depth < most; depth++) {
    last = last.flatMap((text) => levels.map((level) => (depth === 0 ? level : `${text}/${level}`)))
    all.push(...last)
  }
  return all.filter(isGood)
}

function makes(make: (text: string) => unknown): (text: string) => boolean {
  return (text) => {
    try {
      make(text)
      return true
    } catch {
      return false
    }
  }
}

const filters = texts(
  4,
  makes((text) => new Wildcard(text)),
)
const topics = texts(
  4,
  makes((text) => new Topic(text)),
)

test('a tree of all filters of four levels finds for each topic what Topic.matches() says', (t) => {
  const tree = new FilterTree<string>()
  for (const filter of filters) tree.add(filter, filter)
  for (const value of topics) {
    const topic = new Topic(value)
    t.deepEqual(tree.match(value).sort(), filters.filter((filter) => topic.matches(filter)).sort(), value)
  }
})

test('what was deleted is not found, and what else belongs to the filter still is', (t) => {
  const tree = new FilterTree<number>()
  for (const filter of filters) {
    tree.add(filter, 1)
    tree.add(filter, 2)
  }
  for (const filter of filters) tree.delete(filter, 1)
  t.true(topics.every((topic) => !tree.match(topic).includes(1)))
  t.true(tree.match('a/b').includes(2))
  for (const filter of filters) tree.delete(filter, 2)
  t.true(topics.every((topic) => tree.match(topic).length === 0))
  t.deepEqual(tree, new FilterTree())
})

test('deleting what is not there changes nothing', (t) => {
  const tree = new FilterTree<number>()
  tree.add('a/+/b', 1)
  for (const filter of ['a', 'a/+', 'a/+/b/c', 'a/#', 'x/+', '$share']) tree.delete(filter, 1)
  tree.delete('a/+/b', 2)
  t.deepEqual(tree.match('a/x/b'), [1])
})
