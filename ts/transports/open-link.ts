import { DirectLink } from './direct-link.js'
import { DuplexBridge } from './duplex-bridge.js'
import type { Link } from './link.js'
import type { Maker } from './node-socket.js'
import { Way } from './way.js'

/**
 * Makes a way to the broker, as far as it is made in JavaScript. What the native side can do alone it does: TCP, unix
 * sockets, and TLS unless it takes what only `node:tls` has. Anything else is a stream here.
 *
 * When the signal fires everything is destroyed, also what was made long before; when this rejects nothing is left
 * open.
 * @throws anything; `thrownFailure()` says what it means
 */
export async function openLink(maker: Maker): Promise<Link> {
  const way = await Way.for(maker)
  if (way.isDirect) return await DirectLink.to(maker.settings, way)
  return await DuplexBridge.over(await way.open(), way)
}
