import { EngineError } from '../errors.ts'

/** What a key may do. Each action but `invoke` and `read` holds the ones below it. */
export type Action = 'invoke' | 'read' | 'deploy' | 'admin'

/** One thing that a key may do: an action, on functions whose name fits a pattern. */
export interface Grant {
  readonly action: Action
  /** A name with `*` for any text; undefined: every function, and what belongs to none. */
  readonly functions: string | undefined
}

const ACTIONS: readonly Action[] = ['invoke', 'read', 'deploy', 'admin']
/** Who may deploy sees what is there; who administers may do everything. */
const HOLDS: Record<Action, readonly Action[]> = {
  invoke: ['invoke'],
  read: ['read'],
  deploy: ['deploy', 'read'],
  admin: ACTIONS,
}
const PATTERN = /^[A-Za-z0-9-_*]{1,140}$/

/**
 * Reads a grant as people write it: `invoke`, `deploy:team-*`, `read`, `admin`. Throws EngineError 'invalid'.
 */
export function parseGrant(text: string): Grant {
  const colon = text.indexOf(':')
  const action = (colon < 0 ? text : text.slice(0, colon)) as Action // checked in the next line
  const functions = colon < 0 ? undefined : text.slice(colon + 1)
  const isKnown = ACTIONS.includes(action) && (functions === undefined || PATTERN.test(functions))
  if (!isKnown || (action === 'admin' && functions !== undefined))
    throw new EngineError('invalid', `"${text.slice(0, 200)}" is no scope of a key.`, {
      hint: 'Scopes are invoke, read, deploy and admin; all but admin may name functions: invoke:orders-*',
    })
  return { action, functions }
}

/** A grant as people write it. */
export const formatGrant = ({ action, functions }: Grant): string =>
  functions === undefined ? action : `${action}:${functions}`

/** Whether `grants` allow `action` on a function; undefined: on what belongs to no single function. */
export const allows = (grants: readonly Grant[], action: Action, functionName: string | undefined): boolean =>
  grants.some(
    (grant) =>
      HOLDS[grant.action].includes(action) &&
      (grant.functions === undefined ||
        (functionName !== undefined && fitsPattern(grant.functions, functionName))),
  )

/** Whether `text` fits a pattern in which `*` stands for any text. Linear in the length of both. */
export function fitsPattern(pattern: string, text: string): boolean {
  const parts = pattern.split('*')
  const [first = '', ...rest] = parts
  const last = rest.pop()
  if (last === undefined) return pattern === text
  if (!text.startsWith(first) || !text.endsWith(last) || text.length < first.length + last.length)
    return false
  let from = first.length
  for (const part of rest) {
    const found = text.indexOf(part, from)
    if (found < 0 || found + part.length > text.length - last.length) return false
    from = found + part.length
  }
  return true
}
