import {
  CallbackContext,
  PromiseContext,
  streamingCallbackContext,
  type Completion,
  type FunctionFacts,
} from './context.ts'
import type { Connection } from './connection.ts'
import type { HandlerContract } from './contract.ts'
import type { Calling, Executor } from './executor.ts'
import type { Invocation } from './invocation.ts'
import type { Runtime } from './loader.ts'
import { ResponseStream } from './stream.ts'

/** How this environment's handler is called, by its style and the contract of its runtime. */
export function callingOf(
  runtime: Runtime,
  contract: HandlerContract,
  facts: FunctionFacts,
  connection: Connection,
): Calling {
  if (runtime.streaming) return callStreaming(runtime, facts, connection)
  return contract === 'promises' ? callWithPromise(runtime, facts) : callWithCallback(runtime, facts)
}

/**
 * From nodejs24.x on: the value, or what the promise becomes, is the result. It is sent in the next turn of
 * the event loop, so that a rejection nobody handles ends the process before it.
 */
function callWithPromise(runtime: Runtime, facts: FunctionFacts): Calling {
  return (executor, invocation, event) => {
    const succeed = (result: unknown): void => executor.later(() => executor.succeed(invocation, result))
    const fail = (thrown: unknown): void => executor.later(() => executor.fail(invocation, thrown))
    const context = new PromiseContext(invocation, facts)
    invocation.context = context
    try {
      const result = runtime.handler(event, context)
      if (isThenable(result)) result.then(succeed, fail)
      else succeed(result)
    } catch (error) {
      fail(error)
    }
  }
}

/**
 * Up to nodejs22.x: the first of callback, context method and promise answers. A callback's answer waits
 * until the event loop is empty unless the handler said otherwise; without any answer it is null then.
 */
function callWithCallback(runtime: Runtime, facts: FunctionFacts): Calling {
  return (executor, invocation, event) => {
    let finished = false
    /** Only the first counts, but one that throws (into the handler) leaves the way open for its failure. */
    const once =
      (finish: (...parameters: unknown[]) => void) =>
      (...parameters: unknown[]): void => {
        if (finished) return
        finish(...parameters)
        finished = true
      }
    const complete = (result: unknown): void => {
      if (invocation.state === 'answered') console.error(ALREADY_DONE)
      else executor.succeed(invocation, result)
    }
    const done = (error: unknown, result: unknown): void => {
      if (error === undefined || error === null) complete(result)
      else executor.fail(invocation, error)
    }
    const callback = once((error, result) => {
      if (error !== undefined && error !== null) executor.fail(invocation, error)
      else if (context.callbackWaitsForEmptyEventLoop && invocation.state === 'running')
        invocation.onEmptyLoop = () => complete(result)
      else complete(result)
    })
    const completion: Completion = {
      succeed: once((result) => done(null, result)),
      fail: once((error) => done(error ?? 'handled', null)),
      done: once(done),
    }
    const context = new CallbackContext(invocation, facts, completion)
    invocation.context = context
    invocation.onEmptyLoop = () => executor.succeed(invocation, null)
    try {
      const result = runtime.handler(event, context, callback)
      if (isThenable(result)) result.then(completion.succeed, completion.fail)
    } catch (error) {
      callback(error)
    }
  }
}

/** A streaming handler: the invocation ends when its promise has settled and the stream has ended. */
function callStreaming(runtime: Runtime, facts: FunctionFacts, connection: Connection): Calling {
  return (executor, invocation, event) => {
    const stream = new ResponseStream(connection, invocation.id, {
      highWaterMark: runtime.highWaterMark,
      onBlocked: () => executor.updateHold(),
    })
    invocation.stream = stream
    const context =
      executor.contract === 'promises'
        ? new PromiseContext(invocation, facts)
        : streamingCallbackContext(invocation, facts)
    invocation.context = context
    const fail = failureOfStream(executor, invocation, stream)
    invocation.onEmptyLoop = () => fail(asReason('Response stream is not finished.', executor.contract))
    try {
      const result = runtime.handler(event, stream, context)
      if (isThenable(result))
        result.then((value) => finishStream(executor, invocation, stream, value, fail), fail)
      else fail(asReason('Streaming does not support non-async handlers.', executor.contract))
    } catch (error) {
      fail(error)
    }
  }
}

/** A failure once everything is out changes nothing for the reader, who has had the whole response. */
function failureOfStream(
  executor: Executor,
  invocation: Invocation,
  stream: ResponseStream,
): (thrown: unknown) => void {
  return (thrown) =>
    executor.later(() => {
      if (stream.writableFinished && invocation.state === 'running') {
        executor.logLateError(thrown)
        executor.endStream(invocation)
      } else executor.fail(invocation, thrown)
    })
}

function finishStream(
  executor: Executor,
  invocation: Invocation,
  stream: ResponseStream,
  value: unknown,
  fail: (thrown: unknown) => void,
): void {
  if (value !== undefined) console.warn('Streaming handlers ignore return values.')
  if (stream.writableFinished) executor.endStream(invocation)
  else if (stream.destroyed) fail(asReason('Response stream is not finished.', executor.contract))
  else {
    // Something still writes: the handler did not wait for its own pipe.
    stream.once('finish', () => executor.endStream(invocation))
    stream.once('close', () => {
      if (!stream.writableFinished) fail(asReason('Response stream is not finished.', executor.contract))
    })
  }
}

const ALREADY_DONE =
  'Invocation has already been reported as done. Cannot call complete more than once per invocation.'

/** The older of AWS's clients fails with bare text here, which shows in the error's type. */
const asReason = (text: string, contract: HandlerContract): unknown =>
  contract === 'promises' ? new Error(text) : text

const isThenable = (value: unknown): value is PromiseLike<unknown> =>
  Boolean(value) && typeof (value as { then?: unknown }).then === 'function' // any value can be asked for a member
