import type { NewKey } from './key-ring.ts'

/** A key as lines for a shell: the token for Lambent's own clients, id and secret for AWS's. */
export const shellLines = ({ keyId, secret, token }: NewKey): string =>
  [
    `export LAMBENT_KEY=${token}`,
    `export AWS_ACCESS_KEY_ID=${keyId}`,
    `export AWS_SECRET_ACCESS_KEY=${secret}`,
  ].join('\n')
