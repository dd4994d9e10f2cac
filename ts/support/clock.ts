/**
 * Node's timers, ticks and clock, as they were when the package was loaded. Fake clocks (Jest, Vitest, Sinon) replace the
 * globals for a while: what is asked of the fakes then never comes, and must not leave a client that waits for it for ever.
 */
const { nextTick } = process
const { clearTimeout, queueMicrotask, setImmediate, setTimeout } = globalThis
const now: () => number = performance.now.bind(performance)

export { clearTimeout, nextTick, now, queueMicrotask, setImmediate, setTimeout }
