import { TOPIC_LIMIT } from '../engine/boundary.js'
import type { Message, TopicName } from '../engine/message.js'
import type { MqttError } from '../mqtt/errors.js'
import { FilterTree } from '../mqtt/filter-tree.js'

/** Who gets the messages that match a filter. */
export interface Recipient {
  /** Whether a message that it gets goes to nobody else. */
  readonly takesAlone: boolean
  push(message: Message): void
  /** The connection is gone, for this reason if it was not a clean end. */
  end(cause: MqttError | null): void
}

/** Who of those who wait for messages apart from a queue gets which. */
export class FilterViews {
  private readonly tree = new FilterTree<Recipient>()
  private readonly filters = new Map<Recipient, string>()
  /** The recipients of topics that have come, until the filters change. */
  private remembered = new Map<TopicName, readonly Recipient[]>()

  get recipients(): Iterable<Recipient> {
    return this.filters.keys()
  }

  get isEmpty(): boolean {
    return this.filters.size === 0
  }

  add(filter: string, recipient: Recipient): void {
    this.tree.add(filter, recipient)
    this.filters.set(recipient, filter)
    this.remembered.clear()
  }

  delete(recipient: Recipient): void {
    const filter = this.filters.get(recipient)
    if (filter === undefined) return
    this.filters.delete(recipient)
    this.tree.delete(filter, recipient)
    this.remembered.clear()
  }

  /** @returns whether someone took the message */
  push(message: Message): boolean {
    const recipients = this.recipientsOf(message)
    if (recipients.length > 1) message.share(recipients.length)
    for (const recipient of recipients) recipient.push(message)
    return recipients.length > 0
  }

  private recipientsOf(message: Message): readonly Recipient[] {
    const name = message.topicName
    // A topic that comes for the first time, and perhaps never again.
    if (name === null) return this.search(message.topic.value)
    let recipients = this.remembered.get(name)
    if (recipients === undefined) {
      recipients = this.search(name.value)
      // As many as the engine has ids for.
      if (this.remembered.size === TOPIC_LIMIT) this.remembered.clear()
      this.remembered.set(name, recipients)
    }
    return recipients
  }

  private search(topic: string): readonly Recipient[] {
    const recipients = this.tree.match(topic)
    const alone = recipients.find((recipient) => recipient.takesAlone)
    return alone === undefined ? recipients : [alone]
  }
}
