import { inspect } from 'node:util'
import { ProxySettings, type ProxySettingsLiteral } from 'aiomqtt'
import test from 'ava'

test('proxy settings have the defaults of aiomqtt, and are frozen', (t) => {
  const settings = new ProxySettings({ proxyType: 2, proxyAddr: 'proxy' })
  t.is(settings.proxyType, 2)
  t.is(settings.proxyAddr, 'proxy')
  t.true(settings.proxyRdns)
  t.is(settings.proxyUsername, null)
  t.is(settings.proxyPassword, null)
  t.is(settings.proxyPort, null)
  t.true(Object.isFrozen(settings))
})

test('proxy settings keep what they were given', (t) => {
  const given: ProxySettingsLiteral = {
    proxyType: 'http',
    proxyAddr: '::1',
    proxyRdns: false,
    proxyUsername: 'user',
    proxyPassword: 'secret',
    proxyPort: 8080,
  }
  const settings = new ProxySettings(given)
  for (const name of Object.keys(given) as Array<keyof ProxySettingsLiteral>)
    t.is(settings[name] as unknown, given[name])
})

test('what a proxy is logged in with is never shown', (t) => {
  const settings = new ProxySettings({
    proxyType: 'socks5',
    proxyAddr: 'proxy',
    proxyUsername: 'secret user',
    proxyPassword: 'secret',
  })
  t.false(inspect(settings, { showHidden: true, getters: true }).includes('secret'))
  t.false(JSON.stringify(settings).includes('secret'))
})

const wrong: Array<[settings: object, error: typeof TypeError | typeof RangeError, message: string]> = [
  [{ proxyType: 9, proxyAddr: 'x' }, RangeError, 'proxy_type and/or proxy_addr are invalid.'],
  [{ proxyType: 'ftp', proxyAddr: 'x' }, RangeError, 'proxy_type and/or proxy_addr are invalid.'],
  [{ proxyType: 1, proxyAddr: '' }, RangeError, 'proxy_type and/or proxy_addr are invalid.'],
  [{ proxyType: 1 }, TypeError, 'proxyAddr must be a string, not undefined'],
  [{ proxyAddr: 'x' }, TypeError, 'proxyType must be a number or a string, not undefined'],
  [
    { proxyType: 1, proxyAddr: 'x', proxyPort: 70000 },
    RangeError,
    'proxyPort must be an integer from 1 to 65535, not 70000',
  ],
  [{ proxyType: 1, proxyAddr: 'x', proxyPort: '80' }, TypeError, 'proxyPort must be a number, not string'],
  [{ proxyType: 1, proxyAddr: 'x', proxyRdns: 1 }, TypeError, 'proxyRdns must be a boolean, not number'],
  [
    { proxyType: 1, proxyAddr: 'x', proxyPassword: 5 },
    TypeError,
    'proxyPassword must be a string, not number',
  ],
  [
    { proxy_type: 1, proxyAddr: 'x' },
    TypeError,
    "ProxySettings() got an unexpected keyword argument 'proxy_type'. Did you mean 'proxyType'?",
  ],
]

for (const [settings, instanceOf, message] of wrong) {
  test(`the proxy settings ${JSON.stringify(settings)} are refused`, (t) => {
    t.throws(() => new ProxySettings(settings as ProxySettingsLiteral), { instanceOf, message })
  })
}
