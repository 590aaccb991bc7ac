/** Why a request of an extension is not granted, as it goes over the wire. */
export interface Refusal {
  readonly status: 400 | 403
  readonly errorType: string
  readonly errorMessage: string
}

/** A refusal of the Extensions API: 403 with one of its own types. */
export const forbidden = (errorType: string, errorMessage: string): Refusal => ({
  status: 403,
  errorType: `Extension.${errorType}`,
  errorMessage,
})

/** A request that cannot be read. */
export const malformed = (errorMessage: string): Refusal => ({
  status: 400,
  errorType: 'InvalidRequestFormat',
  errorMessage,
})
