/** Where a record is. */
export interface Place {
  /** The number of its file. */
  readonly file: number
  readonly at: number
  /** Bytes in the file. */
  readonly size: number
  /** Bytes that it counts for. */
  readonly counted: number
}

/** Numbers of keys that share a page. */
const PAGE = 128
/** Of a page, for each number: its place; a size of 0 for none. */
const WORDS = 4
const FILE = 0
const AT = 1
const SIZE = 2
const COUNTED = 3

interface Page {
  readonly words: Uint32Array
  used: number
}

/** The keys that begin alike and end in as many digits. */
interface Family {
  readonly prefix: string
  readonly digits: number
  readonly pages: Map<number, Page>
}

/** More digits than these are no safe integer. */
const MOST_DIGITS = 15
const ZERO = 0x30
const NINE = 0x39

/**
 * Where each record is. The keys of messages are numbers in a row: of such keys none is kept, but 16 bytes each, in
 * pages that go when their last record does.
 */
export class RecordIndex {
  readonly #families = new Map<string, Family>()
  #size = 0

  /** How many records there are. */
  get size(): number {
    return this.#size
  }

  get(key: string): Place | null {
    const number = numberAt(key)
    const page = this.#families.get(familyOf(key, number))?.pages.get(Math.floor(number.value / PAGE))
    return page === undefined ? null : placeIn(page, number.value % PAGE)
  }

  /** @returns what was there before */
  set(key: string, { file, at, size, counted }: Place): Place | null {
    const number = numberAt(key)
    const name = familyOf(key, number)
    let family = this.#families.get(name)
    if (family === undefined) {
      family = { prefix: key.slice(0, number.start), digits: key.length - number.start, pages: new Map() }
      this.#families.set(name, family)
    }
    const at0 = Math.floor(number.value / PAGE)
    let page = family.pages.get(at0)
    if (page === undefined) {
      page = { words: new Uint32Array(PAGE * WORDS), used: 0 }
      family.pages.set(at0, page)
    }
    const slot = number.value % PAGE
    const before = placeIn(page, slot)
    if (before === null) {
      page.used++
      this.#size++
    }
    const { words } = page
    words[slot * WORDS + FILE] = file
    words[slot * WORDS + AT] = at
    words[slot * WORDS + SIZE] = size
    words[slot * WORDS + COUNTED] = counted
    return before
  }

  /** @returns what was there */
  delete(key: string): Place | null {
    const number = numberAt(key)
    const name = familyOf(key, number)
    const family = this.#families.get(name)
    const pageNumber = Math.floor(number.value / PAGE)
    const page = family?.pages.get(pageNumber)
    if (family === undefined || page === undefined) return null
    const slot = number.value % PAGE
    const before = placeIn(page, slot)
    if (before === null) return null
    page.words[slot * WORDS + SIZE] = 0
    this.#size--
    if (--page.used === 0) {
      family.pages.delete(pageNumber)
      if (family.pages.size === 0) this.#families.delete(name)
    }
    return before
  }

  /** How many records there are whose keys begin so: for prefixes that end before a key's digits. */
  count(prefix: string): number {
    let count = 0
    for (const family of this.#families.values()) {
      if (!family.prefix.startsWith(prefix)) continue
      for (const page of family.pages.values()) count += page.used
    }
    return count
  }

  /** The last of the keys that begin so; null if there is none. */
  last(prefix: string): string | null {
    let last: string | null = null
    const take = (key: string) => {
      if (key.startsWith(prefix) && (last === null || key > last)) last = key
    }
    for (const family of this.#families.values()) {
      if (family.prefix.startsWith(prefix)) take(lastOf(family))
      // The prefix ends among its digits.
      else if (prefix.startsWith(family.prefix)) for (const key of keysOf(family, '')) take(key)
    }
    return last
  }

  /**
   * Keys in their order; those that come or go meanwhile may be left out.
   * @param after only those behind this one
   */
  *keys(after = ''): Generator<string, void> {
    const sources = [...this.#families.values()].map((family) => keysOf(family, after))
    const heads = sources.map((source) => source.next())
    for (;;) {
      let least = -1
      for (const [index, head] of heads.entries()) {
        if (head.done) continue
        if (least < 0 || head.value < (heads[least] as IteratorResult<string>).value) least = index
      }
      if (least < 0) return
      yield (heads[least] as IteratorYieldResult<string>).value
      heads[least] = (sources[least] as Generator<string, void>).next()
    }
  }
}

function* keysOf(family: Family, after: string): Generator<string, void> {
  const { pages } = family
  const isBehind = (page: number) => keyOf(family, page * PAGE + PAGE - 1) > after
  for (const pageNumber of [...pages.keys()].filter(isBehind).sort((a, b) => a - b)) {
    for (let slot = 0; slot < PAGE; slot++) {
      const page = pages.get(pageNumber)
      if (page === undefined) break
      if (page.words[slot * WORDS + SIZE] === 0) continue
      const key = keyOf(family, pageNumber * PAGE + slot)
      if (key > after) yield key
    }
  }
}

/** The last key of a family, which is never empty. */
function lastOf(family: Family): string {
  let last = 0
  for (const pageNumber of family.pages.keys()) last = Math.max(last, pageNumber)
  const { words } = family.pages.get(last) as Page
  let slot = PAGE - 1
  while (words[slot * WORDS + SIZE] === 0) slot--
  return keyOf(family, last * PAGE + slot)
}

function keyOf({ prefix, digits }: Family, number: number): string {
  return digits === 0 ? prefix : prefix + String(number).padStart(digits, '0')
}

function placeIn({ words }: Page, slot: number): Place | null {
  const word = slot * WORDS
  const size = words[word + SIZE] as number
  if (size === 0) return null
  return {
    file: words[word + FILE] as number,
    at: words[word + AT] as number,
    size,
    counted: words[word + COUNTED] as number,
  }
}

/** The digits that a key ends in, and where they begin. */
function numberAt(key: string): { value: number; start: number } {
  let start = key.length
  const first = Math.max(0, start - MOST_DIGITS)
  while (start > first) {
    const code = key.charCodeAt(start - 1)
    if (code < ZERO || code > NINE) break
    start--
  }
  return { value: start === key.length ? 0 : Number(key.slice(start)), start }
}

/** A name that the keys of one family share, and no others. */
function familyOf(key: string, { start }: { start: number }): string {
  return `${key.length - start} ${key.slice(0, start)}`
}
