import { Failure } from '../failures/failure.js'
import { ProxySettings } from '../options/proxy-settings.js'
import { proxyFromUrl } from '../options/proxy-url.js'

type Environment = Readonly<Record<string, string | undefined>>

/**
 * The proxy that the environment asks for, as paho does in Python: `mqtt_proxy` is a URL such as
 * `http://proxy.example:3128` or `socks://user:password@proxy.example`, and `no_proxy` has the hosts that are
 * reached without. Names in small letters come before those in capitals.
 * @returns null for none
 * @throws {MqttError} `mqtt_proxy` is no URL of a proxy
 */
export function environmentProxy(
  hostname: string,
  port: number,
  environment: Environment = process.env,
): ProxySettings | null {
  const url = variable(environment, 'mqtt_proxy')
  if (url === '' || isExempt(hostname, port, variable(environment, 'no_proxy'))) return null
  try {
    const proxy = proxyFromUrl(url)
    if (proxy !== null) return new ProxySettings(proxy)
  } catch {
    // Said below, without the text: there may be a password in it.
  }
  const text =
    'The environment variable mqtt_proxy must be a URL of a proxy, such as http://host:port or socks://host:port'
  throw new Failure({ kind: 'proxy', text, retry: 'never' }).error()
}

function variable(environment: Environment, name: string): string {
  return (environment[name] ?? environment[name.toUpperCase()] ?? '').trim()
}

/** urllib's `proxy_bypass_environment()`: `*`, or a list of hosts and domains, with or without a port. */
function isExempt(hostname: string, port: number, list: string): boolean {
  if (list === '*') return true
  const host = hostname.toLowerCase()
  return list
    .split(',')
    .map((entry) => entry.trim().toLowerCase().replace(/^\.+/, ''))
    .some((entry) => {
      if (entry === '') return false
      return [host, `${host}:${port}`].some((name) => name === entry || name.endsWith(`.${entry}`))
    })
}
