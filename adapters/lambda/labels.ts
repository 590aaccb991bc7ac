import { EngineError } from '../../runtime/errors.ts'
import type { Scope } from '../../runtime/store/journal.ts'
import { Constraints, pattern } from './constraints.ts'

/** What a function label means once it is taken apart. */
export interface FunctionLabel {
  readonly functionName: string
  readonly qualifier: string | undefined
}

/** Which of the model's two kinds of function name an operation takes. */
export type LabelKind = 'namespaced' | 'plain'

const BEFORE_NAME = String.raw`(arn:(aws[a-zA-Z-]*)?:lambda:)?((eusc-)?[a-z]{2}((-gov)|(-iso([a-z]?)))?-[a-z]+-\d{1}:)?(\d{12}:)?(function:)?`
const LABELS = {
  namespaced: {
    ...pattern(String.raw`${BEFORE_NAME}([a-zA-Z0-9-_\.]+)(:(\$LATEST(\.PUBLISHED)?|[a-zA-Z0-9-_]+))?`),
    maxLength: 256,
  },
  plain: {
    ...pattern(String.raw`${BEFORE_NAME}([a-zA-Z0-9-_]+)(:(\$LATEST|[a-zA-Z0-9-_]+))?`),
    maxLength: 140,
  },
}
/** Groups of the patterns above. */
const GROUP = { region: 3, account: 9, name: 11, qualifier: 13 }
const QUALIFIER = pattern(String.raw`\$(LATEST(\.PUBLISHED)?)|[a-zA-Z0-9-_$]+`)
const MAX_NAME_LENGTH = 64

/** A path segment decoded; one that is not valid percent-encoding stands for itself. */
export function decodeLabel(segment: string): string {
  if (!segment.includes('%')) return segment
  try {
    return decodeURIComponent(segment)
  } catch {
    return segment
  }
}

/**
 * Takes a function label apart: a name, a partial or full ARN, each with or without a qualifier. `rawSegment`
 * is one segment of the undecoded path, `queryQualifier` the decoded query parameter.
 *
 * Throws EngineError 'invalid' for what the model refuses and for two qualifiers that differ, 'not-found' for
 * another region, 'forbidden' for another account.
 */
export function parseFunctionLabel(
  rawSegment: string,
  queryQualifier: string | undefined,
  scope: Scope,
  kind: LabelKind = 'namespaced',
): FunctionLabel {
  if (queryQualifier === undefined && /^[A-Za-z0-9-_]{1,64}$/.test(rawSegment))
    return { functionName: rawSegment, qualifier: undefined }
  const label = decodeLabel(rawSegment)
  const constraints = new Constraints()
  constraints.length(queryQualifier, 'qualifier', 1, 128)
  constraints.pattern(queryQualifier, 'qualifier', QUALIFIER)
  const match = matchLabel(label, kind, scope, constraints)
  constraints.check()
  const own = match?.[GROUP.qualifier]
  checkPlace(match, scope)
  if (own !== undefined && queryQualifier !== undefined && own !== queryQualifier)
    throw new EngineError(
      'invalid',
      'The derived qualifier from the function name does not match the specified qualifier.',
    )
  return { functionName: match?.[GROUP.name] ?? label, qualifier: queryQualifier ?? own }
}

/** The name of a function to be made, from a label that may be an ARN. Throws as `parseFunctionLabel`. */
export function parseNewFunctionName(label: string, scope: Scope): string {
  const constraints = new Constraints()
  const match = matchLabel(label, 'plain', scope, constraints)
  constraints.check()
  const name = match?.[GROUP.name] ?? label
  if (name.length > MAX_NAME_LENGTH)
    throw new EngineError(
      'invalid',
      `1 validation error detected: Value '${name}' at 'functionName' failed to satisfy constraint: ` +
        `Member must have length less than or equal to ${MAX_NAME_LENGTH}`,
    )
  checkPlace(match, scope)
  return name
}

function matchLabel(
  label: string,
  kind: LabelKind,
  scope: Scope,
  constraints: Constraints,
): RegExpExecArray | null {
  const { maxLength, expression } = LABELS[kind]
  constraints.length(label, 'functionName', 1, maxLength)
  // a region of any name may be configured at a client, and its own ARNs must lead back here
  const home = `arn:aws:lambda:${scope.region}:${scope.account}:`
  const local = label.startsWith(home) ? label.slice(home.length) : label
  constraints.pattern(expression.test(local) ? local : label, 'functionName', LABELS[kind])
  return expression.exec(local)
}

function checkPlace(match: RegExpExecArray | null, scope: Scope): void {
  const region = match?.[GROUP.region]?.slice(0, -1)
  const account = match?.[GROUP.account]?.slice(0, -1)
  if (region !== undefined && region !== scope.region)
    throw new EngineError(
      'not-found',
      `Functions from '${region}' are not reachable in this region ('${scope.region}')`,
    )
  if (account !== undefined && account !== scope.account)
    throw new EngineError(
      'forbidden',
      `Account ${scope.account} is not authorized to access functions of account ${account}`,
    )
}

/**
 * The part of a path that names an operation, without what a base path puts before it or a slash after it.
 */
export function operationPath(path: string): string {
  const start = path.search(/\/20\d\d-\d\d-\d\d(\/|$)/)
  const operation = start > 0 ? path.slice(start) : path
  return operation.length > 1 && operation.endsWith('/') ? operation.slice(0, -1) : operation
}
