import { Operation, type OperationOwner } from '../calls/operation.js'
import type { FiltersCall } from '../calls/subscribe-arguments.js'
import type { CallSite } from '../support/call-site.js'
import type { Suspect } from './suspicion.js'

/** A SUBSCRIBE or UNSUBSCRIBE; one without a caller renews a subscription. */
export class FilterCall extends Operation implements Suspect {
  /** The packet identifier; 0 until it is sent, and always where the engine chooses it. */
  identifier = 0
  /** The connection whose limits it keeps to. */
  checkedFor = 0
  losses = 0

  constructor(
    owner: OperationOwner,
    number: number,
    kind: number,
    timeout: number,
    readonly call: FiltersCall,
    site: CallSite | null,
  ) {
    super(owner, number, kind, 0, timeout, call.signal, site)
  }

  override get rejectsRefusal(): boolean {
    return this.call.isOwn === true
  }
}
