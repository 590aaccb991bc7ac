import fs from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { encodeInvokeMeta } from '../frames.ts'
import { CallScope } from './call-scope.ts'
import { callingOf } from './calling.ts'
import { nextTurn } from './clock.ts'
import { CommonJsLoader, runtimeRequire } from './commonjs.ts'
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
  const meta = { requestId: 'r', deadlineMs: 1, invokedArn: '', traceId: '', clientContext: '', tenantId: '' }
  const head = Buffer.from(encodeInvokeMeta(meta))
  executor.accept(1, head.length, Buffer.concat([head, Buffer.from('{"a":[1,"b"]}')]))
  await new Promise<void>((resolve) => nextTurn(resolve))
}

/** Takes answers and drops them. It has all that an executor and a calling use of a connection. */
const NOWHERE = {
  send: () => true,
  sendBody: () => true,
  whenFlushed: (callback: () => void) => callback(),
  gather: (write: () => void) => write(),
  hold: () => {},
} as unknown as Connection // a class with private members, of which these are the public ones in use
