import { inspect } from 'node:util'
import { TLSParameters, type TLSParametersLiteral } from 'aiomqtt'
import test from 'ava'

test('TLS parameters are null unless given, and frozen', (t) => {
  const parameters = new TLSParameters()
  const { caCerts, certfile, keyfile, certReqs, tlsVersion, ciphers, keyfilePassword } = parameters
  for (const value of [caCerts, certfile, keyfile, certReqs, tlsVersion, ciphers, keyfilePassword])
    t.is(value, null)
  t.true(Object.isFrozen(parameters))
})

test('TLS parameters keep what they were given', (t) => {
  const given: TLSParametersLiteral = {
    caCerts: 'ca.pem',
    certfile: 'cert.pem',
    keyfile: 'key.pem',
    certReqs: 'optional',
    tlsVersion: ['TLSv1.2', 'TLSv1.3'],
    ciphers: 'HIGH',
    keyfilePassword: 'secret',
  }
  const parameters = new TLSParameters(given)
  for (const name of Object.keys(given) as Array<keyof TLSParametersLiteral>)
    t.deepEqual(parameters[name], given[name])
  t.is(new TLSParameters({ tlsVersion: 'TLSv1.2', certReqs: 0 }).tlsVersion, 'TLSv1.2')
})

test('the password of a key is never shown', (t) => {
  const parameters = new TLSParameters({ keyfilePassword: 'secret' })
  t.false(inspect(parameters, { showHidden: true, getters: true }).includes('secret'))
  t.false(JSON.stringify(parameters).includes('secret'))
})

const wrong: Array<[parameters: object, error: typeof TypeError | typeof RangeError, message: string]> = [
  [{ caCerts: 5 }, TypeError, 'caCerts must be a string, not number'],
  [{ ciphers: {} }, TypeError, 'ciphers must be a string, not object'],
  [{ certReqs: 3 }, RangeError, "certReqs must be 0, 1, 2, 'none', 'optional' or 'required', not 3"],
  [{ certReqs: true }, TypeError, 'certReqs must be a number or a string, not boolean'],
  [{ tlsVersion: 'SSLv3' }, RangeError, 'tlsVersion must be of TLSv1, TLSv1.1, TLSv1.2, TLSv1.3, not SSLv3'],
  [
    { tlsVersion: ['TLSv1.2'] },
    RangeError,
    'tlsVersion must be one version of TLS or the least and the greatest',
  ],
  [
    { tlsVersion: ['TLSv1.3', 'TLSv1.2'] },
    RangeError,
    'tlsVersion must not have TLSv1.3 as the least and TLSv1.2 as the greatest',
  ],
  [{ tlsVersion: 5 }, TypeError, 'tlsVersion must be a string or a pair of strings, not number'],
  [{ keyfilePassword: 5 }, TypeError, 'keyfilePassword must be a string or a Uint8Array, not number'],
  [
    { ca_certs: 'ca.pem' },
    TypeError,
    "TLSParameters() got an unexpected keyword argument 'ca_certs'. Did you mean 'caCerts'?",
  ],
]

for (const [parameters, instanceOf, message] of wrong) {
  test(`the TLS parameters ${JSON.stringify(parameters)} are refused`, (t) => {
    t.throws(() => new TLSParameters(parameters), { instanceOf, message })
  })
}
