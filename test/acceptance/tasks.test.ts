import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { startLambentProcess, type LambentProcess } from '../support/lambent-process.ts'
import { temporaryDirectory, type TemporaryDirectory } from '../support/temporary.ts'
import { until } from '../support/until.ts'
import { writeFiles } from '../support/write-files.ts'

/** Tasks of real processes, called from a handler and over HTTP. One engine for all tests of this file. */
const tasks = suite('tasks')

const WORK = `
import { appendFileSync, existsSync, readFileSync } from 'node:fs'
import { cancel, context, get, put, task, wait, type Handler } from 'lambent'

const process_ = Math.random()
const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms))
class Busy extends Error {}

export const add = task(async (a: number, b: number) => a + b)
export const total = task((numbers: Map<string, number>) => [...numbers.values()].reduce((a, b) => a + b, 0))
export const deep = task(async (n: number): Promise<number> => (n === 0 ? 0 : 1 + (await get(deep.remote(n - 1)))))
export const fails = task(async (text: string) => { throw new RangeError(text, { cause: new TypeError('inner') }) })
export const outer = task(async (text: string) => { await get(fails.remote(text)) })
export const dies = task(async (url: string, times: number) => {
  const count = Number(await (await fetch(url)).text())
  if (count <= times) process.kill(process.pid, 'SIGKILL')
  return count
}, { retries: 2 })
export const busy = task(async (path: string) => {
  appendFileSync(path, 'x')
  if (readFileSync(path, 'utf8').length < 3) throw new Busy('later')
  return 'done'
}, { retryOn: ['Busy'] })
export const slow = task(async (ms: number) => { await pause(ms); return ms })
export const limited = task(async () => { await pause(60_000) }, { timeout: '200ms' })
export const identity = task(async () => process_, { maxCalls: 2 })
export const squares = task(async function* (n: number) { for (let i = 0; i < n; i++) yield i * i })
export const endless = task(async function* () { for (let i = 0; ; i++) yield i })
export const polite = task(async (path: string) => {
  while (!context.signal.aborted) await pause(10)
  appendFileSync(path, 'aborted')
})
export const stubborn = task(async (path: string) => { appendFileSync(path, 'began'); while (true) await pause(10) })
export const parentOf = task(async (path: string) => { await get(polite.remote(path)) })
export const after = task(async (path: string, _value: number) => { appendFileSync(path, 'ran') })
export const has = task(async (path: string) => existsSync(path))
export const big = task(async () => 10n)
export const wide = task(async () => 1, { resources: { unobtainium: 1 } })

const failure = async (ref: unknown) => {
  try { return { value: await get(ref as never) } }
  catch (error) {
    const { name, message, cause, stack } = error as Error
    return { name, message, cause: (cause as Error | undefined)?.name, isRange: error instanceof RangeError, stack }
  }
}

export const handler: Handler<any> = async ({ what, n = 0, path = '', force = false }) => {
  switch (what) {
    case 'fan-out': return (await get(Array.from({ length: n }, (_, i) => add.remote(i, 1)))).reduce((a, b) => a + b, 0)
    case 'types': return await get(total.remote(new Map([['a', 1], ['b', 2]])))
    case 'refs': return await get(add.remote(add.remote(1, 2) as never, (await put(4)) as never))
    case 'deep': return await get(deep.remote(n))
    case 'fails': return await failure(fails.remote('bad'))
    case 'nested failure': return await failure(outer.remote('bad'))
    case 'dies': return await failure(dies.remote(path, n))
    case 'busy': return await get(busy.remote(path))
    case 'limited': return await failure(limited.remote())
    case 'wide': return await failure(wide.remote())
    case 'identity': { const seen = []; for (let i = 0; i < 4; i++) seen.push(await get(identity.remote())); return seen }
    case 'squares': { const seen = []; for await (const ref of squares.remote(n)) seen.push(await get(ref)); return seen }
    case 'endless': { const seen = []; for await (const ref of endless.remote()) { seen.push(await get(ref)); if (seen.length === 5) break } return seen }
    case 'wait': {
      const refs = [slow.remote(5000), slow.remote(1)]
      const { ready, pending } = await wait(refs, { count: 1 })
      return [ready.length, pending.length, ready[0] === refs[1]]
    }
    case 'cancel': {
      const ref = force ? stubborn.remote(path) : n === 1 ? parentOf.remote(path) : polite.remote(path)
      await pause(1500)
      await cancel(ref, { force })
      return await failure(ref)
    }
    case 'cancel waiting': {
      const first = slow.remote(1500)
      const second = after.remote(path, first as never)
      await pause(100)
      const startedAt = performance.now()
      await cancel(second)
      const { name } = (await failure(second)) as { name?: string }
      const took = performance.now() - startedAt
      return { name, took, first: await get(first), ran: await get(has.remote(path)) }
    }
    case 'leave': { slow.remote(300); void polite; return 'left' }
  }
}
`

let folder: TemporaryDirectory | undefined
let started: Promise<LambentProcess> | undefined
let lambent: LambentProcess | undefined

async function engine(): Promise<LambentProcess> {
  started ??= (async () => {
    folder = temporaryDirectory()
    writeFiles(folder, { 'work/index.ts': WORK })
    return startLambentProcess(['--deploy', folder.join('work')])
  })()
  return (lambent = await started)
}

async function ask<Answer>(event: object): Promise<Answer> {
  const { api } = await engine()
  const url = `${api}/2015-03-31/functions/work/invocations`
  const response = await fetch(url, { method: 'POST', body: JSON.stringify(event) })
  assert.is(response.headers.get('x-amz-function-error'), null)
  return (await response.json()) as Answer
}

async function begin(
  path: string,
  args: unknown = [],
): Promise<{ status: number; body: Record<string, never> }> {
  const { api } = await engine()
  const response = await fetch(`${api}/lambent/v1/tasks/${path}`, {
    method: 'POST',
    body: JSON.stringify(args),
  })
  return { status: response.status, body: (await response.json()) as Record<string, never> }
}

interface Failure {
  readonly name?: string
  readonly message?: string
  readonly cause?: string
  readonly isRange?: boolean
  readonly stack?: string
  readonly value?: unknown
}

/** A file that tasks write to: their own /tmp is not ours, so it is asked for through one of them. */
const place = (name: string): string => `/tmp/${name}-${Math.random().toString(36).slice(2)}`

/** Counts requests and answers how many there were: what processes cannot tell each other. */
async function startCounter(): Promise<
  AsyncDisposable & { readonly url: string; readonly count: number; reset(): void }
> {
  let count = 0
  const server = createServer((_request, response) => response.end(String(++count)))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo // it listens on TCP
  return {
    url: `http://127.0.0.1:${port}/`,
    get count() {
      return count
    },
    reset: () => void (count = 0),
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

tasks('a hundred at once are all there', async () => {
  assert.is(await ask({ what: 'fan-out', n: 100 }), 5050)
})

tasks('values keep their types', async () => {
  assert.is(await ask({ what: 'types' }), 3)
})

tasks('refs among the arguments are replaced by their values', async () => {
  assert.is(await ask({ what: 'refs' }), 7)
})

tasks('two hundred tasks within each other end', async () => {
  assert.is(await ask({ what: 'deep', n: 200 }), 200)
})

tasks('an error keeps its class, its cause and where it happened', async () => {
  const error = await ask<Failure>({ what: 'fails' })

  assert.is(error.name, 'RangeError')
  assert.is(error.isRange, true)
  assert.is(error.cause, 'TypeError')
  assert.match(error.stack ?? '', 'index.ts')
})

tasks('an error goes through tasks in between', async () => {
  const error = await ask<Failure>({ what: 'nested failure' })

  assert.is(error.isRange, true)
  assert.is(error.message, 'bad')
})

tasks('a killed process costs an attempt, and too many cost the task', async () => {
  await using counter = await startCounter()
  assert.is((await ask<Failure>({ what: 'dies', path: counter.url, n: 2 })).value, 3)
  counter.reset()
  const error = await ask<Failure>({ what: 'dies', path: counter.url, n: 1000 })

  assert.is(error.name, 'TaskCrashed')
  assert.match(error.message ?? '', 'tried 3 times')
  assert.is(counter.count, 3)
})

tasks('errors that are named run again', async () => {
  assert.is(await ask({ what: 'busy', path: place('busy') }), 'done')
})

tasks('a timeout ends a task', async () => {
  assert.is((await ask<Failure>({ what: 'limited' })).name, 'TimeoutError')
})

tasks('what no node has is refused with what is missing', async () => {
  const error = await ask<Failure>({ what: 'wide' })

  assert.is(error.name, 'Infeasible')
  assert.match(error.message ?? '', 'unobtainium')
})

tasks('a process ends after as many calls as it may run', async () => {
  const [first, second, third, fourth] = await ask<number[]>({ what: 'identity' })

  assert.is(first, second)
  assert.is.not(second, third)
  assert.is(third, fourth)
})

tasks('a generator streams more items than may be on their way', async () => {
  const squares = Array.from({ length: 40 }, (_, index) => index * index)

  assert.equal(await ask({ what: 'squares', n: 40 }), squares)
})

tasks('a generator without end stops with its reader', async () => {
  assert.equal(await ask({ what: 'endless' }), [0, 1, 2, 3, 4])
  await idle('endless')
})

tasks('wait answers with what is there', async () => {
  assert.equal(await ask({ what: 'wait' }), [1, 1, true])
})

tasks('cancelling aborts the signal, of children, too; force ends the process', async () => {
  assert.is((await ask<Failure>({ what: 'cancel', path: place('polite') })).name, 'TaskCancelled')
  await idle('polite')
  assert.is((await ask<Failure>({ what: 'cancel', path: place('parent'), n: 1 })).name, 'TaskCancelled')
  await idle('polite')
  assert.is(
    (await ask<Failure>({ what: 'cancel', path: place('stubborn'), force: true })).name,
    'TaskCancelled',
  )
  await idle('stubborn')
})

tasks(
  'one that waits for its arguments is cancelled at once and never runs; what it waited for goes on',
  async () => {
    const cancelled = await ask<{ name: string; took: number; first: number; ran: boolean }>({
      what: 'cancel waiting',
      path: place('after'),
    })

    assert.is(cancelled.name, 'TaskCancelled')
    assert.ok(cancelled.took < 1000, `it took ${cancelled.took} ms`)
    assert.equal([cancelled.first, cancelled.ran], [1500, false])
    await idle('after')
  },
)

tasks('over HTTP: an id, or the bare value, or why there is none', async () => {
  const accepted = await begin('work/add', [1, 2])
  assert.is(accepted.status, 202)
  assert.type(accepted.body['objectId'], 'string')
  assert.equal(await begin('work/add?wait=30s', [1, 2]), { status: 200, body: 3 })
  const failed = await begin('work/fails?wait=30s', ['bad'])
  assert.is(failed.status, 500)
  const { error } = failed.body as unknown as { error: Record<string, string> }
  assert.is(error['code'], 'FunctionError')
  assert.is(error['type'], 'RangeError')
  assert.match(error['stack'] ?? '', 'index.ts')
  assert.is((await begin('work/nothing?wait=30s')).status, 404)
  assert.is((await begin('nobody/add?wait=30s')).status, 404)
  assert.is((await begin('work/slow?wait=50ms', [3000])).status, 504)
  assert.is((await begin('work/big?wait=30s')).status, 422)
  const wide = await begin('work/wide?wait=30s')
  assert.is(wide.status, 400)
  assert.is((wide.body as unknown as { error: { code: string } }).error.code, 'Infeasible')
})

tasks('tasks are runs', async () => {
  const { api } = await engine()
  await ask({ what: 'fails' })

  const run = await until('the failed task is written down', async () => {
    const response = await fetch(`${api}/lambent/v1/runs?kind=task&status=failed`)
    const { runs } = (await response.json()) as { runs: Record<string, unknown>[] }
    return runs.find((one) => one['qualifier'] === 'fails')
  })

  assert.is(run['errorType'], 'RangeError')
  assert.is(run['functionName'], 'work')
})

tasks('a task that nobody waits for goes on', async () => {
  assert.is(await ask({ what: 'leave' }), 'left')
  const { api } = await engine()
  const listed = await fetch(`${api}/lambent/v1/tasks`)

  const { tasks: open } = (await listed.json()) as { tasks: unknown[] }

  assert.ok(open.length > 0)
  await idle('slow')
})

/** Resolves when no task of that name is left. */
async function idle(name: string): Promise<void> {
  const { api } = await engine()
  await until(`no ${name} is left`, async () => {
    const response = await fetch(`${api}/lambent/v1/tasks`)
    const text = await response.text()
    return text.includes(`"${name}"`) ? undefined : true
  })
}

tasks.after(async () => {
  await lambent?.end('SIGTERM')
  await lambent?.[Symbol.asyncDispose]()
  folder?.[Symbol.dispose]()
})

tasks.run()
