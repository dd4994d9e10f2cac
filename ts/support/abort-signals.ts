/** A pending call that a signal can end. */
export interface Abortable {
  /** The signal fired; it is not listened to any longer. */
  abort(reason: unknown): void
}

/**
 * Calls that share a signal share one listener: Node warns of a leak when a signal gets its eleventh, and walks
 * through all that it has to add another.
 */
class Listener {
  readonly calls = new Set<Abortable>()

  constructor(private readonly signal: AbortSignal) {}

  handleEvent(): void {
    listeners.delete(this.signal)
    for (const call of this.calls) call.abort(this.signal.reason)
  }
}

const listeners = new WeakMap<AbortSignal, Listener>()

/** Has the signal, which has not fired yet, end the call. */
export function listen(signal: AbortSignal, call: Abortable): void {
  let listener = listeners.get(signal)
  if (listener === undefined) {
    listener = new Listener(signal)
    listeners.set(signal, listener)
    signal.addEventListener('abort', listener, { once: true })
  }
  listener.calls.add(call)
}

/** Undoes `listen()`. */
export function unlisten(signal: AbortSignal, call: Abortable): void {
  const listener = listeners.get(signal)
  if (listener === undefined || !listener.calls.delete(call) || listener.calls.size > 0) return
  listeners.delete(signal)
  signal.removeEventListener('abort', listener)
}
