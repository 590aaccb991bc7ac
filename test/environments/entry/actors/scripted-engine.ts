import {
  packError,
  unpackLed,
  packValue,
  errorNameOf,
} from '../../../../runtime/environments/call-payload.ts'
import {
  callMeta,
  unpackWrites,
  type ActivationStart,
  type ActorCallKind,
  type ActorWrite,
  type CallMessage,
} from '../../../../runtime/environments/actor-messages.ts'
import { CallScope } from '../../../../runtime/environments/entry/call-scope.ts'
import { Activation } from '../../../../runtime/environments/entry/actors/activation.ts'
import { callCodec } from '../../../../runtime/environments/entry/actors/call-codec.ts'
import { Values } from '../../../../runtime/environments/entry/computing/values.ts'
import { PromiseContext } from '../../../../runtime/environments/entry/context.ts'
import { Invocation } from '../../../../runtime/environments/entry/invocation.ts'
import { FLAG } from '../../../../runtime/environments/frames.ts'
import type { ActorClass } from '../../../../runtime/sdk/actor.ts'
import { decode } from '../../../../runtime/sdk/codec/decode.ts'
import { encode } from '../../../../runtime/sdk/codec/encode.ts'
import type { Context } from '../../../../runtime/sdk/types.ts'
import { until } from '../../../support/until.ts'

/** What an activation said. */
export interface Said {
  readonly operation: string
  readonly fields: readonly string[]
  readonly payload: Buffer
  readonly flags: number
}

/** A reply, read. */
export interface Reply {
  readonly writes: ActorWrite[]
  readonly value: unknown
  readonly isError: boolean
  readonly errorName: string
}

export const codec = callCodec(new Values((id) => ({ id, release() {} })), {
  refsSeen: 0,
  withValues: (args) => args,
})

/** The bytes of a value as it is stored and called with. */
export const bytesOf = (value: unknown): Buffer => packValue([], encode(value).head)
export const valueOf = (bytes: Buffer): unknown => decode(unpackLed(bytes).encoded)

/** The engine's side of one activation in this process, message by message. */
export class ScriptedEngine {
  readonly said: Said[] = []
  readonly errors: string[] = []
  ended: { payload: Buffer; isError: boolean } | undefined
  readonly activation: Activation
  #calls = 0

  constructor(
    Class: ActorClass,
    start: Partial<ActivationStart> & { stored?: Record<string, unknown> } = {},
  ) {
    const { stored = {}, ...rest } = start
    const rows = Object.entries(stored).map(([key, value]) => ({ key, value: bytesOf(value) }))
    const meta = {
      requestId: 'request-1',
      deadlineMs: 0,
      invokedArn: 'arn',
      traceId: '',
      clientContext: '',
      tenantId: '',
    }
    const facts = { functionName: 'f', functionVersion: '1', memoryMb: 128, logGroup: 'g', logStream: 's' }
    this.activation = new Activation({
      Class,
      key: 'one',
      start: { epoch: 1, complete: true, sockets: '', rows, ...rest },
      invocation: new Invocation(7, meta, Buffer.alloc(0)),
      scope: new CallScope(64),
      codec,
      port: {
        say: (line, payload, flags = 0) => {
          const [operation = '', ...fields] = line.split('\n')
          this.said.push({ operation, fields, payload: Buffer.concat(payload), flags })
        },
        end: (payload, isError) => (this.ended = { payload, isError }),
      },
      contextOf: (invocation) => new PromiseContext(invocation, facts) as unknown as Context, // as the host
      logError: (label, error) => this.errors.push(`${label}: ${String(error)}`),
    })
    this.activation.begin()
  }

  /** Sends a call; the result is its number. */
  send(name: string, args: unknown[] = [], more: Partial<CallMessage> = {}): number {
    return this.deliver('method', name, bytesOf(args), more)
  }

  deliver(kind: ActorCallKind, name: string, payload: Buffer, more: Partial<CallMessage> = {}): number {
    const id = ++this.#calls
    const message = { id, kind, mode: 'turn', outer: 0, flags: 0, name, ...more } as const
    this.tell(callMeta(message), payload)
    return id
  }

  tell(meta: string, payload: Buffer = Buffer.alloc(0)): void {
    const [operation = '', ...fields] = meta.split('\n')
    this.activation.receive(operation, fields, payload)
  }

  /** What was said of this operation, once it has been. */
  heard(operation: string, first?: string): Promise<Said> {
    return until(`the actor says ${operation} ${first ?? ''}`, () => this.find(operation, first))
  }

  find(operation: string, first?: string): Said | undefined {
    return this.said.find(
      (one) => one.operation === operation && (first === undefined || one.fields[0] === first),
    )
  }

  async reply(id: number): Promise<Reply> {
    const { fields, payload, flags } = await this.heard('reply', String(id))
    const writesBytes = Number(fields[1])
    const result = payload.subarray(writesBytes)
    const isError = (flags & FLAG.error) !== 0
    return {
      writes: unpackWrites(payload.subarray(0, writesBytes)),
      value: valueOf(result),
      isError,
      errorName: isError ? errorNameOf(result) : '',
    }
  }

  async call(name: string, ...args: unknown[]): Promise<Reply> {
    return this.reply(this.send(name, args))
  }
}

/** An error as the engine would pass it on. */
export const errorBytes = (error: Error): Buffer => packError(error.name, encode(error).head)
