import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import {
  bySpecificity,
  matchPath,
  parsePattern,
  shapeOf,
  type RoutePattern,
} from '../../runtime/registry/route-pattern.ts'

const patterns = suite('route patterns')

const read = (key: string): RoutePattern => {
  const pattern = parsePattern(key)
  if (typeof pattern === 'string') throw new Error(`${key}: ${pattern}`)
  return pattern
}

/** The key that a request is routed by, of `keys` in any order. */
function chosen(keys: readonly string[], method: string, path: string): string | undefined {
  return keys
    .map(read)
    .toSorted(bySpecificity)
    .find(
      (one) =>
        (one.method === undefined || one.method === method) &&
        (one.parts === undefined || matchPath(one.parts, path.slice(1).split('/')) !== undefined),
    )?.key
}

patterns('are tried as API Gateway tries them', () => {
  // the example of its documentation
  const keys = ['$default', 'ANY /{proxy+}', 'GET /pets/{proxy+}', 'GET /pets/dog/{id}', 'GET /pets/dog/1']

  for (const order of [keys, keys.toReversed()]) {
    assert.is(chosen(order, 'GET', '/pets/dog/1'), 'GET /pets/dog/1')
    assert.is(chosen(order, 'GET', '/pets/dog/2'), 'GET /pets/dog/{id}')
    assert.is(chosen(order, 'GET', '/pets/cat/1'), 'GET /pets/{proxy+}')
    assert.is(chosen(order, 'POST', '/pets/dog/1'), 'ANY /{proxy+}')
    assert.is(chosen(order, 'POST', '/'), '$default')
  }
})

patterns('that match the whole path go before greedy ones, and a method before any', () => {
  assert.is(chosen(['GET /a/{proxy+}', 'GET /{x}/b'], 'GET', '/a/b'), 'GET /{x}/b')
  assert.is(chosen(['ANY /a', 'GET /{proxy+}'], 'GET', '/a'), 'ANY /a')
  assert.is(chosen(['ANY /a/{id}', 'GET /a/{name}'], 'GET', '/a/1'), 'GET /a/{name}')
  assert.is(chosen(['ANY /a/{id}', 'GET /a/{name}'], 'PUT', '/a/1'), 'ANY /a/{id}')
  assert.is(
    chosen(['GET /{proxy+}', 'GET /a/{proxy+}', 'GET /a/b/{proxy+}'], 'GET', '/a/b/c'),
    'GET /a/b/{proxy+}',
  )
})

patterns('match whole segments, a greedy parameter one at least', () => {
  const match = (key: string, path: string) => {
    const found = matchPath(read(key).parts ?? [], path.slice(1).split('/'))
    return found && { ...found }
  }

  assert.equal(match('GET /pets/{id}/toys/{toy}', '/pets/7/toys/ball'), { id: '7', toy: 'ball' })
  assert.equal(match('GET /files/{path+}', '/files/a/b%2Fc'), { path: 'a/b%2Fc' })
  assert.equal(match('GET /caf%C3%A9', '/caf%C3%A9'), {})
  assert.equal(match('GET /café', '/caf%C3%A9'), {})
  assert.equal(match('GET /a/{__proto__}', '/a/1')?.['__proto__'], '1')
  for (const [key, path] of [
    ['GET /pets/{id}', '/pets/'],
    ['GET /pets/{id}', '/pets/1/2'],
    ['GET /pets', '/pets/'],
    ['GET /files/{path+}', '/files'],
    ['GET /files/{path+}', '/files/'],
    ['GET /{proxy+}', '/'],
    ['GET /a', '/A'],
  ] as const)
    assert.is(match(key, path), undefined, `${key} ${path}`)
})

patterns('with a mistake say what it is', () => {
  for (const [key, text] of [
    ['/pets', /write "METHOD/],
    ['GET', /write "METHOD/],
    ['get /pets', /"get" is no method/],
    ['FETCH /pets', /"FETCH" is no method/],
    ['GET pets', /begins with/],
    ['GET /{proxy+}/more', /nothing may follow/],
    ['GET /{a}/{a}', /there twice/],
    ['GET /a{id}', /neither a text nor one parameter/],
    ['GET /a?b=c', /neither a text nor one parameter/],
    [`GET /${'a'.repeat(2000)}`, /at most 1024/],
  ] as const)
    assert.match(String(parsePattern(key)), text)
})

patterns('have the same shape when they match the same requests', () => {
  const shape = (key: string): string => shapeOf(read(key))

  assert.is(shape('GET /a/{id}'), shape('GET /a/{name}'))
  assert.is(shape('ANY /{proxy+}'), shape('ANY /{rest+}'))
  assert.is.not(shape('GET /a/{id}'), shape('GET /a/{id+}'))
  assert.is.not(shape('GET /a'), shape('ANY /a'))
  assert.is(shape('$default'), '$default')
})

patterns.run()
