import { isIPv6 } from 'node:net'

/** Where a broker is. */
export interface Host {
  readonly hostname: string
  readonly port: number
}

/**
 * The brokers that a client may connect with, and in which order. An attempt goes to the one that worked last, because
 * that is where the session is; after it to the client's own, then to the further ones in the order given or in a
 * random one, which is another one each round.
 */
export class HostList {
  private readonly further: readonly Host[]
  /** Those left of this round. */
  private queue: Host[] = []
  private readonly excluded = new Set<string>()
  private last: Host

  /**
   * @param own the constructor's
   * @param random from 0 to below 1, as `Math.random()`; null for the order given
   */
  constructor(
    private own: Host,
    further: ReadonlyArray<readonly [hostname: string, port: number]>,
    private readonly random: (() => number) | null,
  ) {
    this.last = own
    this.further = further.map(([hostname, port]) => ({ hostname, port }))
  }

  /** A series of attempts begins. */
  begin(): void {
    this.excluded.clear()
    this.queue = [this.last]
    for (const host of this.round()) if (!isSame(host, this.last)) this.queue.push(host)
  }

  /** The next one of this round; null when it is over. */
  next(): Host | null {
    return this.queue.shift() ?? null
  }

  /** Another round begins, without those that were excluded. */
  again(): void {
    this.queue = this.round().filter((host) => !this.excluded.has(key(host)))
  }

  /** There is no use in trying this one again in this series of attempts. */
  exclude(host: Host): void {
    this.excluded.add(key(host))
    this.queue = this.queue.filter((waiting) => !isSame(waiting, host))
  }

  /** A connection was made. */
  succeeded(host: Host): void {
    if (this.round().some((known) => isSame(known, host))) this.last = host
  }

  /**
   * The broker wants its clients to go elsewhere: these are the next ones.
   * @param isPermanent from now on the first of them takes the place of the client's own
   */
  redirect(hosts: readonly Host[], isPermanent: boolean): void {
    const [first] = hosts
    if (isPermanent && first !== undefined) this.own = this.last = first
    this.queue.unshift(...hosts)
  }

  private round(): Host[] {
    return [this.own, ...(this.random === null ? this.further : shuffled(this.further, this.random))]
  }
}

/**
 * The hosts in a Server Reference (MQTT 5, 4.11): names or addresses, each with or without a port, between spaces.
 * @param port of those without one
 */
export function parseServerReference(text: string, port: number): Host[] {
  const hosts: Host[] = []
  for (const part of text.split(/\s+/)) {
    const match = /^(?:\[([^\]]+)\]|([^:[\]]+))(?::(\d{1,5}))?$/.exec(part)
    const hostname = match?.[1] ?? match?.[2] ?? (isIPv6(part) ? part : undefined)
    const ownPort = match?.[3] === undefined ? port : Number(match[3])
    if (hostname !== undefined && ownPort > 0 && ownPort <= 0xffff) hosts.push({ hostname, port: ownPort })
  }
  return hosts
}

function key({ hostname, port }: Host): string {
  return `${hostname} ${port}`
}

export function isSame(one: Host, other: Host): boolean {
  return key(one) === key(other)
}

/** Fisher and Yates. */
function shuffled<T>(list: readonly T[], random: () => number): T[] {
  const result = [...list]
  for (let last = result.length - 1; last > 0; last--) {
    const at = Math.floor(random() * (last + 1))
    const [a, b] = [result[at] as T, result[last] as T]
    result[at] = b
    result[last] = a
  }
  return result
}
