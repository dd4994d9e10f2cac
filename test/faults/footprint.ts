import { readdirSync } from 'node:fs'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { Client } from 'aiomqtt'
import { until } from '../helpers/deadline.js'

setFlagsFromString('--expose-gc')
const collectGarbage = runInNewContext('gc') as () => void

/** What a run may differ by. */
export interface FootprintOptions {
  /** What memory may grow by, in bytes a minute, in a run that is long enough to tell so little; 1 MiB. */
  mostGrowth?: number
  /** Minutes after which growth counts, because the process has reached its usual size by then; 1. */
  warmUp?: number
  /** What the size of a process goes up and down by without a leak, in bytes; 4 MiB. */
  unrest?: number
  /** How long sockets that are being closed may still be open, in milliseconds; 5,000. */
  patience?: number
}

/** Descriptors and memory of this process, from the start of a run, when its servers are there, to its end. */
export class Footprint {
  readonly #started = Date.now()
  readonly #descriptors = openDescriptors()
  readonly #sizes: Array<readonly [minute: number, bytes: number]> = []
  readonly #options: Required<FootprintOptions>

  private constructor(options: FootprintOptions) {
    this.#options = { mostGrowth: 1 << 20, warmUp: 1, unrest: 4 << 20, patience: 5_000, ...options }
  }

  /** Takes the first measure, after a connection with this broker: the engine comes with the first and does not go. */
  static async on(
    broker: { host: string; port: number },
    options: FootprintOptions = {},
  ): Promise<Footprint> {
    const client = await Client.connect(broker.host, broker.port)
    await client.disconnect()
    return new Footprint(options)
  }

  /** Measures memory, without the garbage; to be called again and again during the run. */
  sample(): void {
    const minute = (Date.now() - this.#started) / 60_000
    if (minute < this.#options.warmUp) return
    collectGarbage()
    this.#sizes.push([minute, process.memoryUsage().rss])
  }

  /** Bytes a minute by which memory grew after the warm-up; null where the samples are too few to tell. */
  get growth(): number | null {
    return this.#sizes.length >= 6 ? slopeOf(this.#sizes) : null
  }

  /** Minutes from the first sample to the last. */
  private get span(): number {
    const minutes = this.#sizes.map(([minute]) => minute)
    return Math.max(...minutes) - Math.min(...minutes)
  }

  /** What did not come back to where it was, a sentence each; to be asked when the run's clients are gone. */
  async faults(): Promise<string[]> {
    const faults: string[] = []
    const { mostGrowth, patience, unrest } = this.#options
    await until(patience, 'closing', () => openDescriptors() <= this.#descriptors).catch(() => {
      faults.push(`${this.#descriptors} descriptors have become ${openDescriptors()}`)
    })
    const { growth, span } = this
    if (growth !== null && growth > Math.max(mostGrowth, unrest / span)) {
      faults.push(`memory grew by ${Math.round(growth)} bytes a minute`)
    }
    return faults
  }
}

/** The descriptors that this process has open; 0 where the system does not tell. */
function openDescriptors(): number {
  try {
    return readdirSync('/proc/self/fd').length
  } catch {
    return 0
  }
}

/** The slope of the straight line that is nearest to these points. */
function slopeOf(points: ReadonlyArray<readonly [number, number]>): number {
  const mean = (values: number[]) => values.reduce((sum, value) => sum + value, 0) / values.length
  const x = mean(points.map(([first]) => first))
  const y = mean(points.map(([, second]) => second))
  const over = points.reduce((sum, [first, second]) => sum + (first - x) * (second - y), 0)
  return over / points.reduce((sum, [first]) => sum + (first - x) ** 2, 0)
}
