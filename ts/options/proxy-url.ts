import type { ProxySettingsLiteral, ProxyType } from './proxy-settings.js'

const TYPES: Readonly<Record<string, ProxyType>> = {
  'http:': 'http',
  'socks:': 'socks5',
  'socks5:': 'socks5',
  'socks5h:': 'socks5',
  'socks4:': 'socks4',
  'socks4a:': 'socks4a',
}

/**
 * The proxy of a URL such as `http://proxy.example:3128` or `socks://user:password@proxy.example`.
 * @returns null if it is no URL of a proxy
 * @throws {URIError} user name or password are badly encoded
 */
export function proxyFromUrl(text: string): ProxySettingsLiteral | null {
  if (!URL.canParse(text)) return null
  const url = new URL(text)
  const proxyType = TYPES[url.protocol]
  if (proxyType === undefined || url.hostname === '') return null
  return {
    proxyType,
    proxyAddr: url.hostname.replace(/^\[(.*)\]$/, '$1'),
    proxyPort: url.port === '' ? null : Number(url.port),
    proxyUsername: url.username === '' ? null : decodeURIComponent(url.username),
    proxyPassword: url.password === '' ? null : decodeURIComponent(url.password),
  }
}
