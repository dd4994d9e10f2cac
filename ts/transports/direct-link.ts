import type { TlsRetry } from '../failures/finality.js'
import type { ClientSettings } from '../options/client-settings.js'
import type { Link, LinkFields } from './link.js'
import { lookUp } from './name-lookup.js'
import { socketFields } from './socket-options.js'
import type { Way } from './way.js'

/** A way that the native side makes all by itself: TCP or a unix socket, plain or with its own TLS. */
export class DirectLink implements Link {
  readonly failure = null
  readonly drained = null
  readonly held = 0

  private constructor(
    readonly where: string,
    private readonly options: LinkFields,
    readonly tlsRetry: TlsRetry,
  ) {}

  /** @throws {MqttError} the host cannot be found */
  static async to(settings: ClientSettings, { where, native, retry }: Way): Promise<DirectLink> {
    const { hostname, port, transport } = settings
    const options: LinkFields = {
      addresses: transport === 'unix' ? [[hostname, 0, 0]] : await lookUp(hostname, port),
      ...(await socketFields(settings)),
    }
    if (native !== null) options.tls = native
    return new DirectLink(where, options, retry)
  }

  get isSecure(): boolean {
    return this.options.tls !== undefined
  }

  fields(): LinkFields {
    return this.options
  }

  destroy(): void {}
}
