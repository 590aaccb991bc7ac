import fs from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { taskFactory } from '../../sdk/task.ts'
import { packTask } from '../call-payload.ts'
import { encodeInvokeMeta } from '../frames.ts'
import { CallScope } from './call-scope.ts'
import { callingOf } from './calling.ts'
import { nextTurn } from './clock.ts'
import { CommonJsLoader, runtimeRequire } from './commonjs.ts'
import { Computing } from './computing/computing.ts'
import type { Connection } from './connection.ts'
import { toErrorJson } from './errors.ts'
import { Executor } from './executor.ts'
import { loadHandler } from './loader.ts'
import { LogOutput } from './log-output.ts'

const ROUNDS = 3
const FILE = 'index.js'
const FACTS = { functionName: '', functionVersion: '', memoryMb: 128, logGroup: '', logStream: '' }

/**
 * Loads and runs a function of our own, so that what happens on a cold start has happened once: the first
 * passage
 * through any code is several times slower than the next. Nothing of it stays behind, and nobody waits for
 * it.
 */
export async function rehearse(): Promise<void> {
  let folder: string | undefined
  try {
    folder = fs.mkdtempSync(join(tmpdir(), 'lambent-'))
    const file = join(folder, FILE)
    fs.writeFileSync(
      file,
      'exports.handler = async (event, context) => ({ event, id: context.awsRequestId })',
    )
    for (let round = 0; round < ROUNDS; round++) {
      await perform(folder)
      Reflect.deleteProperty(runtimeRequire.cache, file)
    }
    await performTask()
    toErrorJson(new Error('rehearsal'), 'callbacks')
  } catch {
    // A full or read-only /tmp makes cold starts slower, nothing else.
  } finally {
    process.removeAllListeners('beforeExit')
    if (folder !== undefined) fs.rmSync(folder, { recursive: true, force: true })
  }
}

async function perform(taskRoot: string): Promise<void> {
  const commonJs = new CommonJsLoader(taskRoot, undefined)
  const contract = 'callbacks'
  const runtime = await loadHandler({ taskRoot, handler: 'index.handler', contract, commonJs })
  const executor = new Executor({
    connection: NOWHERE,
    scope: new CallScope(1),
    output: new LogOutput(() => ''),
    contract,
    concurrency: 1,
    calling: callingOf(runtime, contract, FACTS, NOWHERE),
    logError: () => {},
  })
  const head = Buffer.from(encodeInvokeMeta(META))
  executor.accept(1, head.length, Buffer.concat([head, Buffer.from('{"a":[1,"b"]}')]))
  await new Promise<void>((resolve) => nextTurn(resolve))
}

/** One task that is called, and one that is run. */
async function performTask(): Promise<void> {
  const scope = new CallScope(1)
  const computing = new Computing({
    connection: NOWHERE,
    scope,
    facts: FACTS,
    refPrefix: 'r',
    lendsCpu: false,
  })
  const { sdkCalls, values, calls } = computing
  const task = taskFactory(sdkCalls)((event: object) => event)
  computing.scan({ task })
  const executor = new Executor({
    connection: NOWHERE,
    scope,
    output: new LogOutput(() => ''),
    contract: 'callbacks',
    concurrency: 1,
    calling: () => {},
    logError: () => {},
    work: { made: computing, make: () => computing },
  })
  const args = values.encode([{ text: 'a', list: [1, 2.5, null] }]).bytes
  const head = Buffer.from(encodeInvokeMeta({ ...META, target: 'task/task' }))
  executor.accept(1, head.length, Buffer.concat([head, packTask(args, [])]))
  const result = sdkCalls.get(task.remote({ text: 'a' }))
  calls.receive(1, 0, args)
  await result
  await new Promise<void>((resolve) => nextTurn(resolve))
}

const META = { requestId: 'r', deadlineMs: 1, invokedArn: '', traceId: '', clientContext: '', tenantId: '' }

/** Takes answers and drops them. It has all that an executor and a calling use of a connection. */
const NOWHERE = {
  send: () => true,
  post: () => {},
  scheduleFlush: () => {},
  beforeFlush: undefined,
  unsentBytes: 0,
  sendBody: () => true,
  whenFlushed: (callback: () => void) => callback(),
  gather: (write: () => void) => write(),
  hold: () => {},
} as unknown as Connection // a class with private members, of which these are the public ones in use
