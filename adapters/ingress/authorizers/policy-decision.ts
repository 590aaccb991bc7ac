import { isObject } from '../reply.ts'

/** What a policy says about one method of an API. */
export type PolicyDecision = 'allowed' | 'denied' | 'not-mentioned' | 'malformed'

/**
 * Whether an authorizer's IAM policy lets a caller invoke `arn`. A denial wins; what nothing allows is not
 * allowed.
 */
export function decide(policyDocument: unknown, arn: string): PolicyDecision {
  if (!isObject(policyDocument)) return 'malformed'
  const statements = listOf(policyDocument.Statement)
  let allowed = false
  for (const statement of statements) {
    if (!isObject(statement)) return 'malformed'
    const { Effect } = statement
    if (Effect !== 'Allow' && Effect !== 'Deny') return 'malformed'
    if (!covers(statement, arn)) continue
    if (Effect === 'Deny') return 'denied'
    allowed = true
  }
  return allowed ? 'allowed' : 'not-mentioned'
}

function covers({ Action, NotAction, Resource, NotResource }: Record<string, unknown>, arn: string): boolean {
  const acts = Action === undefined ? !some(NotAction, INVOKE, true) : some(Action, INVOKE, true)
  return acts && (Resource === undefined ? !some(NotResource, arn, false) : some(Resource, arn, false))
}

const INVOKE = 'execute-api:Invoke'

const some = (patterns: unknown, text: string, anyCase: boolean): boolean =>
  listOf(patterns).some((pattern) => typeof pattern === 'string' && isLike(pattern, text, anyCase))

/** `*` stands for any text, `?` for one character. Linear, whatever the pattern. */
function isLike(pattern: string, text: string, anyCase: boolean): boolean {
  const [wanted, given] = anyCase ? [pattern.toLowerCase(), text.toLowerCase()] : [pattern, text]
  let [at, star, resume] = [0, -1, 0]
  for (let index = 0; index < given.length;) {
    if (wanted[at] === '*') {
      star = at++
      resume = index
    } else if (at < wanted.length && (wanted[at] === '?' || wanted[at] === given[index])) {
      at++
      index++
    } else if (star >= 0) {
      at = star + 1
      index = ++resume
    } else return false
  }
  while (wanted[at] === '*') at++
  return at === wanted.length
}

const listOf = (value: unknown): readonly unknown[] =>
  Array.isArray(value) ? (value as readonly unknown[]) : value === undefined ? [] : [value]
