import type { Scope } from '../../runtime/store/journal.ts'

/** A place that a message can be delivered to. `scope` is the target's own account and region. */
export type TargetArn =
  | { readonly kind: 'queue'; readonly scope: Scope; readonly name: string; readonly fifo: boolean }
  | { readonly kind: 'topic'; readonly scope: Scope; readonly name: string; readonly fifo: boolean }
  | { readonly kind: 'event-bus'; readonly scope: Scope; readonly name: string }
  /** Buckets have no account and no region in their ARN. */
  | { readonly kind: 'bucket'; readonly name: string }
  | {
      readonly kind: 'function'
      readonly scope: Scope
      readonly functionName: string
      readonly qualifier: string | undefined
    }

const ARN = /^arn:aws[a-zA-Z-]*:([a-z0-9-]+):([a-z0-9-]*):(\d{12})?:(.+)$/

/** Takes an ARN apart; undefined for what is none, and for what nothing can be delivered to. */
export function parseTargetArn(arn: string): TargetArn | undefined {
  const [, service, region = '', account, resource = ''] = ARN.exec(arn) ?? []
  if (service === 's3')
    return region === '' && account === undefined && /^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/.test(resource)
      ? { kind: 'bucket', name: resource }
      : undefined
  if (service === undefined || region === '' || account === undefined) return undefined
  const scope = { account, region }
  if (service === 'sqs' || service === 'sns') {
    if (!/^[a-zA-Z0-9_-]+(\.fifo)?$/.test(resource)) return undefined
    const kind = service === 'sqs' ? 'queue' : 'topic'
    return { kind, scope, name: resource, fifo: resource.endsWith('.fifo') }
  }
  if (service === 'events') {
    const [, name] = /^event-bus\/([/.\w-]+)$/.exec(resource) ?? []
    return name === undefined ? undefined : { kind: 'event-bus', scope, name }
  }
  if (service !== 'lambda') return undefined
  const [, functionName, qualifier] = /^function:([a-zA-Z0-9-_]{1,64})(?::([$\w-]+))?$/.exec(resource) ?? []
  return functionName === undefined ? undefined : { kind: 'function', scope, functionName, qualifier }
}
