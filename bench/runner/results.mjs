import { summarize } from './statistics.mjs'

/** All figures of a run: by scenario, client and metric, one value a round. */
export class Results {
  /** What went wrong: the first message for each scenario and client. */
  failures = []
  #figures = new Map()

  add(scenario, client, figures) {
    const key = JSON.stringify([scenario, client])
    if (!this.#figures.has(key)) this.#figures.set(key, { scenario, client, metrics: {} })
    const { metrics } = this.#figures.get(key)
    for (const [metric, value] of Object.entries(figures)) {
      metrics[metric] ??= []
      metrics[metric].push(value)
    }
  }

  fail(scenario, client, message) {
    const isKnown = this.failures.some((one) => one.scenario === scenario && one.client === client)
    if (!isKnown) this.failures.push({ scenario, client, message })
  }

  /** The summaries of one metric of a scenario, by client. */
  of(scenario, metric) {
    const summaries = {}
    for (const one of this.#figures.values()) {
      if (one.scenario === scenario && metric in one.metrics) {
        summaries[one.client] = summarize(one.metrics[metric])
      }
    }
    return summaries
  }

  /** The number of values of a metric, over everything, for which `isCounted` holds. */
  count(metric, isCounted) {
    const values = [...this.#figures.values()].flatMap(({ metrics }) => metrics[metric] ?? [])
    return values.filter(isCounted).length
  }

  toJSON() {
    return [...this.#figures.values()]
  }
}
