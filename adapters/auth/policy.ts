import { fitsPattern } from '../../runtime/keys/grants.ts'
import type { PolicyStatement } from '../../runtime/registry/function-record.ts'

/** Who asks, as policies know it. */
export type PolicyPrincipal =
  | { readonly kind: 'identity'; readonly arn: string; readonly account: string }
  | { readonly kind: 'service'; readonly name: string }
  | { readonly kind: 'anonymous' }

/** What a policy says of a question; `unsaid`: nothing. */
export type PolicyVerdict = 'allowed' | 'denied' | 'unsaid'

/** A question to a resource policy. */
export interface PolicyQuestion {
  readonly principal: PolicyPrincipal
  /** `lambda:InvokeFunction`. */
  readonly action: string
  /** ARN of the function as it was named, with its qualifier. */
  readonly resource: string
  /** Condition keys in lower case; a key that is absent has no value. */
  readonly context: Readonly<Record<string, string | undefined>>
}

/**
 * What the statements of a resource policy say: any Deny wins, then any Allow. A condition that is not
 * understood holds back an Allow, and does not hold back a Deny.
 *
 * @see https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html
 */
export function evaluatePolicy(
  statements: readonly PolicyStatement[],
  question: PolicyQuestion,
): PolicyVerdict {
  let verdict: 'allowed' | 'unsaid' = 'unsaid'
  for (const statement of statements) {
    const denies = statement['Effect'] === 'Deny'
    if (!applies(statement, question, denies)) continue
    if (denies) return 'denied'
    if (statement['Effect'] === 'Allow') verdict = 'allowed'
  }
  return verdict
}

function applies(statement: PolicyStatement, question: PolicyQuestion, ifUnknown: boolean): boolean {
  const { Principal, Action, Resource, Condition } = statement
  return (
    texts(Action).some((pattern) => fitsPattern(pattern.toLowerCase(), question.action.toLowerCase())) &&
    (Resource === undefined || texts(Resource).some((pattern) => fitsPattern(pattern, question.resource))) &&
    meansPrincipal(Principal, question.principal) &&
    conditionsHold(Condition, question.context, ifUnknown)
  )
}

function meansPrincipal(given: unknown, principal: PolicyPrincipal): boolean {
  if (given === '*') return true
  if (!isRecord(given)) return false
  if (principal.kind === 'service') return texts(given['Service']).includes(principal.name)
  const identities = texts(given['AWS'])
  if (identities.includes('*')) return true
  if (principal.kind === 'anonymous') return false
  const { account, arn } = principal
  return identities.some((one) => one === arn || one === account || one === `arn:aws:iam::${account}:root`)
}

/** How one operator compares what a policy says with what is the case. */
type Operator = (expected: string, actual: string) => boolean

/** Each also with `Not` before its last word, and with `IfExists` behind it. */
const OPERATORS: Readonly<Record<string, Operator>> = {
  stringequals: (expected, actual) => expected === actual,
  stringequalsignorecase: (expected, actual) => expected.toLowerCase() === actual.toLowerCase(),
  stringlike: fitsPattern,
  arnequals: arnFits,
  arnlike: arnFits,
  bool: (expected, actual) => expected.toLowerCase() === actual.toLowerCase(),
}

function conditionsHold(condition: unknown, context: PolicyQuestion['context'], ifUnknown: boolean): boolean {
  if (condition === undefined) return true
  if (!isRecord(condition)) return ifUnknown
  return Object.entries(condition).every(([name, members]) => {
    const [, stem = '', not, ending = '', ifExists] =
      /^(string|arn|bool|null)(not)?(\w*?)(ifexists)?$/.exec(name.toLowerCase()) ?? []
    const operator = OPERATORS[stem + ending]
    if ((operator === undefined && stem !== 'null') || !isRecord(members)) return ifUnknown
    return Object.entries(members).every(([key, expected]) => {
      const actual = context[key.toLowerCase()]
      if (operator === undefined) return texts(expected).includes(String(actual === undefined))
      if (actual === undefined) return not !== undefined || ifExists !== undefined
      return texts(expected).some((one) => operator(one, actual)) === (not === undefined)
    })
  })
}

/** Compares segment by segment: a `*` in one never reaches over a colon, but in the last. */
function arnFits(pattern: string, arn: string): boolean {
  const [wanted, given] = [arnParts(pattern), arnParts(arn)]
  return wanted.length === given.length && wanted.every((part, at) => fitsPattern(part, given[at] ?? ''))
}

function arnParts(arn: string): string[] {
  const parts = arn.split(':')
  return [...parts.slice(0, 5), parts.slice(5).join(':')]
}

/** A text or a list of texts; a boolean is written as one. */
const texts = (value: unknown): string[] =>
  (Array.isArray(value) ? value : [value]).flatMap((one: unknown) =>
    typeof one === 'string' ? [one] : typeof one === 'boolean' ? [String(one)] : [],
  )

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
