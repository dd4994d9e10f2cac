/** @param {number[]} sorted in ascending order */
export function quantile(sorted, share) {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))]
}

/** Median, extremes and the values of one figure over all rounds. */
export function summarize(rounds) {
  const sorted = [...rounds].sort((a, b) => a - b)
  const half = sorted.length >> 1
  const median = sorted.length % 2 === 1 ? sorted[half] : (sorted[half - 1] + sorted[half]) / 2
  return { median, min: sorted[0], max: sorted.at(-1), rounds }
}
