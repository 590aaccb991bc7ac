import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { systemClock } from '../../runtime/clock.ts'
import { createLog } from '../../runtime/log.ts'
import { MAX_ROUTES, Routes, type NewRoute } from '../../runtime/registry/routes.ts'
import { openStore } from '../../runtime/store/open.ts'
import { rejectsWith } from '../support/assert.ts'
import { temporaryDirectory } from '../support/temporary.ts'

const keeping = suite('kept routes')

const HERE = { account: '000000000000', region: 'us-east-1' }
const THERE = { account: '111122223333', region: 'eu-west-1' }
const route = (key: string, shape = key): NewRoute => ({
  key,
  shape,
  functionName: 'pets',
  qualifier: undefined,
  settings: { payload: '2.0' },
})
const open = (dataDirectory: string) =>
  openStore({
    dataDirectory,
    clock: systemClock,
    log: createLog({ level: 'silent', clock: systemClock, sink: () => {} }),
    inline: true,
  })
const keys = (routes: Routes, scope = HERE): string[] =>
  routes
    .list(scope)
    .map(({ source, key }) => `${source} ${key}`)
    .toSorted()

keeping('a source’s routes are replaced together and outlive a restart', async () => {
  using folder = temporaryDirectory()
  const first = await open(folder.path)
  const routes = new Routes(first)
  const before = routes.revision
  await routes.replace(HERE, 'a', [route('GET /1'), route('GET /2')])
  await routes.replace(HERE, 'b', [{ ...route('GET /3'), qualifier: 'live' }])
  await routes.replace(THERE, 'a', [route('GET /1')])
  await routes.replace(HERE, 'a', [route('GET /2')])
  await first.close()

  const second = await open(folder.path)
  const again = new Routes(second)

  assert.ok(routes.revision > before)
  assert.equal(keys(again), ['a GET /2', 'b GET /3'])
  assert.equal(keys(again, THERE), ['a GET /1'])
  assert.equal(
    again.list(HERE).find(({ key }) => key === 'GET /3'),
    { ...route('GET /3'), qualifier: 'live', scope: HERE, source: 'b' },
  )
  await again.replace(THERE, 'a', [])
  assert.equal(again.scopes(), [HERE])
  await second.close()
})

keeping('a route that another source declares moves to it; it is not in two', async () => {
  using folder = temporaryDirectory()
  const store = await open(folder.path)
  const routes = new Routes(store)

  await routes.replace(HERE, 'a', [route('GET /{id}', 'GET /{}'), route('GET /2')])
  await routes.replace(HERE, 'b', [route('GET /{name}', 'GET /{}')])

  assert.equal(keys(routes), ['a GET /2', 'b GET /{name}'])
  assert.equal(keys(new Routes(store)), ['a GET /2', 'b GET /{name}'])
  await store.close()
})

keeping('two routes of the same shape, or too many, are refused and nothing changes', async () => {
  using folder = temporaryDirectory()
  const store = await open(folder.path)
  const routes = new Routes(store)
  await routes.replace(HERE, 'a', [route('GET /1')])

  const twice = await rejectsWith(
    routes.replace(HERE, 'a', [route('GET /{a}', 'GET /{}'), route('GET /{b}', 'GET /{}')]),
    'invalid',
  )
  const many = Array.from({ length: MAX_ROUTES }, (_, index) => route(`GET /many/${index}`))
  await rejectsWith(routes.replace(HERE, 'b', many), 'invalid')

  assert.match(twice.message, '"GET /{a}" and "GET /{b}"')
  assert.equal(keys(routes), ['a GET /1'])
  assert.equal(keys(new Routes(store)), ['a GET /1'])
  await store.close()
})

keeping.run()
