/** Which records of a batch a function says have failed. */
export type BatchVerdict =
  | { readonly kind: 'succeeded' }
  | { readonly kind: 'failed' }
  /** These and no others, by message id or sequence number. */
  | { readonly kind: 'partly-failed'; readonly ids: ReadonlySet<string> }

const SUCCEEDED: BatchVerdict = { kind: 'succeeded' }
const FAILED: BatchVerdict = { kind: 'failed' }

/**
 * Reads `{"batchItemFailures":[{"itemIdentifier":"…"}]}`. Nothing, an empty value and an empty list mean that
 * all succeeded; what cannot be understood, and an id that is not in the batch, that all failed.
 *
 * @see https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html
 */
export function verdictOf(answer: Buffer, batchIds: ReadonlySet<string>): BatchVerdict {
  let value: unknown
  try {
    value = answer.length === 0 ? null : JSON.parse(answer.toString('utf8'))
  } catch {
    return FAILED
  }
  if (value === null || value === '' || (Array.isArray(value) && value.length === 0)) return SUCCEEDED
  if (typeof value !== 'object' || Array.isArray(value)) return FAILED
  const failures = 'batchItemFailures' in value ? value.batchItemFailures : undefined
  if (failures === undefined || failures === null) return SUCCEEDED
  if (!Array.isArray(failures)) return FAILED
  const ids = new Set<string>()
  for (const failure of failures as unknown[]) {
    const id = identifierOf(failure)
    if (id === undefined || !batchIds.has(id)) return FAILED
    ids.add(id)
  }
  return ids.size === 0 ? SUCCEEDED : { kind: 'partly-failed', ids }
}

function identifierOf(failure: unknown): string | undefined {
  if (typeof failure !== 'object' || failure === null || !('itemIdentifier' in failure)) return undefined
  const { itemIdentifier } = failure
  return typeof itemIdentifier === 'string' && itemIdentifier !== '' ? itemIdentifier : undefined
}
