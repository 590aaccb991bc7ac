import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { requirementOf } from '../../../adapters/auth/requirement.ts'

const requirements = suite('what a request needs')

const asked = (method: string, url: string, headers: readonly string[] = []) => {
  const { operation, action, label, wire } = requirementOf({ method, url, rawHeaders: headers })
  return { operation, action, label, wire }
}

/** Every operation of the SDK that is installed: name, method and path, as its model has them. */
function operationsOfSdk(): [name: string, method: string, path: string][] {
  const text = readFileSync(createRequire(import.meta.url).resolve('@aws-sdk/client-lambda'), 'utf8')
  const found = text.matchAll(/var (\w+)\$ = \[9, n0, \w+,\s*\{ \[_h\]: \["(\w+)", "([^"]+)"/g)
  return [...found].map(([, name = '', method = '', path = '']) => [name, method, path])
}

requirements('every operation of Lambda’s API is known, and reads as what it is', () => {
  const operations = operationsOfSdk()

  assert.is(operations.length, 88)
  for (const [name, method, path] of operations) {
    const { operation, action } = asked(method, path.replaceAll(/\{\w+\}/g, 'x'))
    const reads = /^(Get|List)/.test(name) && name !== 'GetDurableExecutionState'
    assert.is(action === 'read', reads, name)
    assert.ok(operation.startsWith('lambda:') && operation !== `lambda:${method}`, name)
  }
})

requirements('the function is read from the path as the operation reads it', () => {
  assert.is(asked('GET', '/base/2015-03-31/functions/orders:live/configuration').label, 'orders:live')
  assert.is(asked('POST', '/2015-03-31/functions/a%3Ab/invocations?Qualifier=1').label, 'a%3Ab')
  assert.is(asked('POST', '/2014-11-13/functions/orders/invoke-async/').action, 'invoke')
  assert.is(asked('GET', '/lambent/v1/functions/orders/logs').label, 'orders')
  assert.is(asked('GET', '/lambent/v1/runs?function=orders').label, 'orders')
})

requirements('nothing is reached by writing a path in another way', () => {
  const invoke = '/2015-03-31/functions/secret/invocations'
  for (const url of [invoke, `/2015-03-31/functions/open/x${invoke}`, `/metrics${invoke}`, `/tags${invoke}`])
    assert.equal([asked('POST', url).action, asked('POST', url).label], ['invoke', 'secret'], url)
  const target = ['X-Amz-Target', 'Logs_20140328.GetLogEvents']
  assert.is(asked('POST', invoke, target).action, 'invoke')
  assert.is(asked('DELETE', '/2015-03-31/functions/secret', target).action, 'deploy')
  assert.is(asked('GET', '/lambent/v1/%6beys').action, 'admin')
  assert.is(asked('GET', '/lambent/v1/keys').action, 'admin')
  assert.is(asked('GET', '/lambent/v1/keys/').action, 'admin')
  assert.is(asked('POST', `/lambent/v1${invoke}`).action, 'admin')
})

requirements('what nobody knows needs the most that its method can mean', () => {
  assert.is(asked('POST', '/2099-01-01/anything').action, 'deploy')
  assert.is(asked('GET', '/2099-01-01/anything').action, 'read')
  assert.is(asked('PATCH', '/lambent/v1/nodes/local').action, 'admin')
  assert.is(asked('POST', '/', ['X-Amz-Target', 'Logs_20140328.PutLogEvents']).action, 'deploy')
  assert.is(asked('POST', '/', ['X-Amz-Target', 'Logs_20140328.FilterLogEvents']).action, 'read')
})

requirements.run()
