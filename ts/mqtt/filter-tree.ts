import { countedFilter } from './topic.js'

/** The levels of all filters, those that begin alike together: what follows one way from the root. */
class Level<T> {
  /** By the next level's text; `+` for any. */
  readonly next = new Map<string, Level<T>>()
  /** What belongs to the filters that end here. */
  readonly here = new Set<T>()
  /** What belongs to the filters that have a `#` as their next level. */
  readonly below = new Set<T>()

  get isEmpty(): boolean {
    return this.next.size === 0 && this.here.size === 0 && this.below.size === 0
  }
}

/**
 * Topic filters and what belongs to each, so that a topic finds all of its own at once, however many there are. It
 * matches as `Topic.matches()` does.
 */
export class FilterTree<T> {
  private readonly root = new Level<T>()

  add(filter: string, value: T): void {
    const levels = levelsOf(filter)
    if (levels === null) return
    let level = this.root
    for (const text of levels.path) {
      let next = level.next.get(text)
      if (next === undefined) {
        next = new Level()
        level.next.set(text, next)
      }
      level = next
    }
    ;(levels.hasHash ? level.below : level.here).add(value)
  }

  /** Undoes `add()`. */
  delete(filter: string, value: T): void {
    const levels = levelsOf(filter)
    if (levels !== null) prune(this.root, levels.path, 0, levels.hasHash, value)
  }

  /** What belongs to the filters that match this topic. */
  match(topic: string): T[] {
    const found: T[] = []
    collect(this.root, topic.split('/'), 0, found)
    return found
  }
}

/** @returns null for a filter that no topic matches: a shared subscription that lacks its name or its filter */
function levelsOf(filter: string): { path: string[]; hasHash: boolean } | null {
  const counted = countedFilter(filter)
  if (counted === null) return null
  const path = counted.split('/')
  const hasHash = path.at(-1) === '#'
  if (hasHash) path.pop()
  return { path, hasHash }
}

function collect<T>(level: Level<T>, topic: readonly string[], depth: number, found: T[]): void {
  // Also at the topic's end: the parent level belongs to a multi-level wildcard (MQTT 5, 4.7.1.2).
  for (const value of level.below) found.push(value)
  if (depth === topic.length) {
    for (const value of level.here) found.push(value)
    return
  }
  const next = level.next.get(topic[depth] as string)
  if (next !== undefined) collect(next, topic, depth + 1, found)
  const any = level.next.get('+')
  if (any !== undefined) collect(any, topic, depth + 1, found)
}

function prune<T>(level: Level<T>, path: readonly string[], depth: number, hasHash: boolean, value: T): void {
  if (depth === path.length) {
    ;(hasHash ? level.below : level.here).delete(value)
    return
  }
  const text = path[depth] as string
  const next = level.next.get(text)
  if (next === undefined) return
  prune(next, path, depth + 1, hasHash, value)
  if (next.isEmpty) level.next.delete(text)
}
