import type { Session } from '../session.ts'
import { EXIT, type ExitCode } from '../exit-codes.ts'

/**
 * `lambent env`: `eval "$(lambent env)"` points AWS's SDKs, CLI and Terraform here. The keys are dummies that
 * every client insists on; the engine takes any in --auth open.
 */
export async function env({ api, out }: Session): Promise<ExitCode> {
  const variables = {
    AWS_ENDPOINT_URL_LAMBDA: api.endpoint,
    AWS_ENDPOINT_URL_STS: api.endpoint,
    AWS_ENDPOINT_URL_IAM: api.endpoint,
    AWS_ACCESS_KEY_ID: 'test',
    AWS_SECRET_ACCESS_KEY: 'test',
    AWS_REGION: 'us-east-1',
    AWS_DEFAULT_REGION: 'us-east-1',
  }
  await out.answer(variables, () =>
    [
      ...Object.entries(variables).map(([name, value]) => `export ${name}=${quote(value)}`),
      // A profile or a session of a real account would win over the keys above.
      'unset AWS_PROFILE AWS_SESSION_TOKEN',
    ].join('\n'),
  )
  return EXIT.ok
}

const quote = (value: string): string =>
  /^[\w:/.@-]+$/.test(value) ? value : `'${value.replaceAll("'", `'\\''`)}'`
