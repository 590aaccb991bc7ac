import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { get, put, task, wait, type ObjectRef, type RefStream, type TaskHandle } from 'lambent'
import { ObjectRef as OwnRef } from '../../runtime/sdk/object-ref.ts'
import { DeclaredTask, plainOptions, Task, taskFactory, type TaskCall } from '../../runtime/sdk/task.ts'

const tasks = suite('the task function')

const count = async (text: string, by = ' '): Promise<number> => text.split(by).length

/** What a host was asked to run. */
function hosted(): { calls: TaskCall[]; make: ReturnType<typeof taskFactory> } {
  const calls: TaskCall[] = []
  const make = taskFactory({
    submit(call) {
      calls.push(call)
      return new OwnRef({ id: `o1-${calls.length}`, release() {} })
    },
  })
  return { calls, make }
}

/** Gives tasks the names of their exports, as loading a package does. */
function exported(exports: Record<string, unknown>): void {
  for (const [name, value] of Object.entries(exports)) {
    const declared = Task.declared(value)
    if (declared !== undefined) declared.exportName = name
  }
}

tasks('outside of an engine a task can be called as a function, for tests', async () => {
  const words = task(count)

  assert.is(await words.local('a b c'), 3)
  assert.throws(() => words.remote('a'), /no engine here.*\.local/)
})

tasks('the rest of the SDK says outside of an engine what to use there', () => {
  assert.throws(() => put(1), /connect\(\) of lambent\/client/)
})

tasks('options of a call lie over those of the task, which stays as it is', () => {
  const { calls, make } = hosted()
  const words = make(count, { cpu: 2, retries: 1 })
  exported({ words })

  words.options({ retries: 0, timeout: '2h' }).remote('a')
  words.remote('a')

  assert.equal(
    calls.map(({ options }) => JSON.parse(options)),
    [
      { cpu: 2, retries: 0, timeout: '2h' },
      { cpu: 2, retries: 1 },
    ],
  )
})

tasks('what is the same for each call of a handle is made once', () => {
  const { calls, make } = hosted()
  const words = make(count)
  exported({ words })

  words.remote('a')
  words.remote('b')

  assert.is(calls[0], calls[1])
  assert.equal(calls[0], { functionName: '', exportName: 'words', options: '' })
})

tasks('groups travel by name, errors by the names of their classes', () => {
  class Flaky extends Error {}
  const group = {
    name: 'gang',
    ready: () => Promise.resolve(),
    remove: () => Promise.resolve(),
    state: () => Promise.reject(new Error('not asked')),
  }

  assert.equal(plainOptions({ placementGroup: group, retryOn: [Flaky, 'Other'], cpu: undefined as never }), {
    placementGroup: 'gang',
    retryOn: ['Flaky', 'Other'],
  })
})

tasks('a name leads to another function, with or without a version', () => {
  const { calls, make } = hosted()

  make<typeof count>('word-count/count').remote('a')
  make<TaskHandle<[string], number>>('word-count:live/count', { cpu: 4 }).remote('a')

  assert.equal(calls, [
    { functionName: 'word-count', exportName: 'count', options: '' },
    { functionName: 'word-count:live', exportName: 'count', options: '{"cpu":4}' },
  ])
  assert.throws(() => make('word-count/count').local(), /not in this package/)
})

for (const name of ['count', '/count', 'word-count/', 'a b/c', 'f/a/b', 'f/a\nb'])
  tasks(`${JSON.stringify(name)} names no task`, () => {
    assert.throws(() => taskFactory(undefined)(name), /'word-count\/countWords'/)
  })

tasks('options that are none are refused at once', () => {
  assert.throws(() => task(count, 5 as never), /such as \{ cpu: 2/)
  assert.throws(() => task(count).options(null as never), /such as \{ cpu: 2/)
})

tasks('a value that is no handle declares no task', () => {
  assert.is(Task.declared({ remote() {} }), undefined)
  assert.instance(Task.declared(task(count)), DeclaredTask)
})

/** Never called: that it compiles is what is tested, and `npm run typecheck` tests it. */
export async function types(): Promise<void> {
  const words = task(count, {
    cpu: 1,
    gpu: ['h100:2', 'a100:2'],
    timeout: '2h',
    retryOn: [RangeError, 'Other'],
  })
  const ref: ObjectRef<number> = words.remote('a b')
  const text: ObjectRef<string> = await put('a')
  const fromRef: ObjectRef<number> = words.remote(text, ',')
  const value: number = await get(ref)
  const [one, other]: [number, string] = await get([ref, text])
  const list: number[] = await get(['a', 'b'].map((each) => words.remote(each)))
  const { ready, pending } = await wait([ref, fromRef], { count: 1, timeout: '1s' })
  const items: RefStream<number> = task(async function* () {
    yield 1
  }).remote()
  for await (const item of items) await get(item)
  const there = task<typeof words>('word-count/words').remote('a')
  // @ts-expect-error: an argument of another type
  words.remote(1)
  // @ts-expect-error: a ref to a value of another type
  words.remote(ref)
  // @ts-expect-error: there is no such option
  task(count, { cpus: 1 })
  // @ts-expect-error: a ref is no promise, so there is nothing to await
  const never: number = await ref
  return void [value, one, other, list, ready, pending, there, never]
}

tasks.run()
