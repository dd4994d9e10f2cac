import { type InspectOptions, inspect } from 'node:util'
import { checkNoCredentials, checkOptionalText, checkText } from '../mqtt/fields.js'
import { inspectFields } from '../support/inspection.js'
import {
  checkBoolean,
  checkInteger,
  checkKeys,
  describeType,
  rangeError,
  typeError,
} from '../support/validate.js'

/**
 * The kind of proxy, by name or by PySocks' number: 1 SOCKS4, which becomes SOCKS4a when `proxyRdns` wants that;
 * 2 SOCKS5; 3 HTTP CONNECT. `'socks4'` by name is SOCKS4 alone, which can only carry addresses.
 */
export type ProxyType = 1 | 2 | 3 | 'socks4' | 'socks4a' | 'socks5' | 'http'

/** Proxy settings as an object literal. */
export interface ProxySettingsLiteral {
  /** The kind of proxy. */
  proxyType: ProxyType
  /** Host name or address of the proxy. */
  proxyAddr: string
  /**
   * True when the proxy looks up the broker's name.
   * @defaultValue true
   */
  proxyRdns?: boolean | null | undefined
  /**
   * The user name for the proxy; the user identifier for SOCKS4.
   * @defaultValue none
   */
  proxyUsername?: string | null | undefined
  /**
   * The password for the proxy.
   * @defaultValue none
   */
  proxyPassword?: string | null | undefined
  /**
   * Port of the proxy, 1 to 65,535.
   * @defaultValue 1080, for HTTP 8080
   */
  proxyPort?: number | null | undefined
}

const KEYS = new Set(['proxyType', 'proxyAddr', 'proxyRdns', 'proxyUsername', 'proxyPassword', 'proxyPort'])
const TYPES: ReadonlySet<unknown> = new Set([1, 2, 3, 'socks4', 'socks4a', 'socks5', 'http'])

/** The proxy through which to reach the broker, as aiomqtt's `ProxySettings`. Frozen. */
export class ProxySettings {
  /** The kind of proxy. */
  readonly proxyType: ProxyType
  /** Host name or address of the proxy. */
  readonly proxyAddr: string
  /** Whether the proxy looks up the broker's name. */
  readonly proxyRdns: boolean
  /** Port of the proxy; null for the usual one of its kind. */
  readonly proxyPort: number | null
  // Private, so that no log ever shows them.
  readonly #proxyUsername: string | null
  readonly #proxyPassword: string | null

  /**
   * @throws TypeError for an unknown key or a wrong type; RangeError for a port out of range and
   *   `proxy_type and/or proxy_addr are invalid.`
   */
  constructor(settings: ProxySettingsLiteral) {
    checkKeys('ProxySettings()', settings, KEYS)
    const { proxyType, proxyAddr, proxyPort } = settings
    if (typeof proxyAddr !== 'string') {
      throw typeError(`proxyAddr must be a string, not ${describeType(proxyAddr)}`)
    }
    if (typeof proxyType !== 'number' && typeof proxyType !== 'string') {
      throw typeError(`proxyType must be a number or a string, not ${describeType(proxyType)}`)
    }
    if (!TYPES.has(proxyType) || proxyAddr === '') {
      throw rangeError('proxy_type and/or proxy_addr are invalid.')
    }
    this.proxyType = proxyType
    checkNoCredentials('proxyAddr', proxyAddr)
    this.proxyAddr = checkText('proxyAddr', proxyAddr)
    this.proxyRdns = checkBoolean('proxyRdns', settings.proxyRdns ?? true)
    this.#proxyUsername = checkOptionalText('proxyUsername', settings.proxyUsername)
    this.#proxyPassword = checkOptionalText('proxyPassword', settings.proxyPassword)
    this.proxyPort =
      proxyPort === undefined || proxyPort === null ? null : checkInteger('proxyPort', proxyPort, 1, 65535)
    Object.freeze(this)
  }

  /** The user name for the proxy; null for none. */
  get proxyUsername(): string | null {
    return this.#proxyUsername
  }

  /** The password for the proxy; null for none. */
  get proxyPassword(): string | null {
    return this.#proxyPassword
  }

  /** The fields, without what is secret. @internal */
  [inspect.custom](depth: number, options: InspectOptions): string {
    return inspectFields('ProxySettings', this, depth, options)
  }
}
