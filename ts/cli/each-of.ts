/** Clients that connect at the same time. */
const AT_A_TIME = 50

/** Runs an action for each client or device, from the first one on, so many at a time. Rejects with the first failure. */
export async function eachOf<T extends object>(
  all: readonly T[],
  action: (one: T) => Promise<void>,
): Promise<void> {
  const left = all.values()
  const worker = async () => {
    for (const one of left) await action(one)
  }
  await Promise.all(Array.from({ length: AT_A_TIME }, worker))
}
