/** The package has no types of its own. */
declare module 'nlp-corpus' {
  /** Every sentence of every document. */
  export function all(): string[]
}
