import { PacketTypes } from '../mqtt/packet-types.js'
import { Properties } from '../mqtt/properties.js'
import { withoutPrefix } from '../mqtt/property-codec.js'

/** The encoded properties of a publish without a topic alias, which is good for one connection only; null for none. */
export function withoutAlias(encoded: Uint8Array): Uint8Array | null {
  const bare = withoutPrefix(encoded)
  if (bare === null) return encoded
  const properties = Properties.decode(PacketTypes.PUBLISH, Buffer.from(bare))
  if (properties.topicAlias === undefined) return encoded
  properties.topicAlias = undefined
  return properties.isEmpty() ? null : properties.encode()
}

/** The topic aliases that the client has bound on the present connection (MQTT 5, 3.3.2.3.4). */
export class BoundAliases {
  private connection = 0
  private readonly aliases = new Set<number>()

  /** A publish with a topic binds its alias. */
  bind(connection: number, alias: number): void {
    this.follow(connection)
    this.aliases.add(alias)
  }

  has(connection: number, alias: number): boolean {
    this.follow(connection)
    return this.aliases.has(alias)
  }

  private follow(connection: number): void {
    if (this.connection === connection) return
    this.connection = connection
    this.aliases.clear()
  }
}
