import { askCaller } from '../caller.ts'
import type { Session } from '../session.ts'
import { EXIT, type ExitCode } from '../exit-codes.ts'

/** How ids of Lambent's own keys begin. */
const OWN_KEY = /^LKIA/

/**
 * `lambent env`: `eval "$(lambent env)"` points AWS's SDKs, CLI and Terraform here. An open engine takes any
 * keys, so dummies are set, which every client insists on. Where keys are asked for, those of the environment
 * stay as they are.
 */
export async function env({ api, out, environment }: Session): Promise<ExitCode> {
  const caller = await askCaller(api)
  const asksForKeys = caller === 'refused' || (caller !== 'unreachable' && caller.auth !== 'open')
  const variables: Record<string, string> = {
    AWS_ENDPOINT_URL_LAMBDA: api.endpoint,
    AWS_ENDPOINT_URL_STS: api.endpoint,
    AWS_ENDPOINT_URL_IAM: api.endpoint,
    ...(asksForKeys ? {} : { AWS_ACCESS_KEY_ID: 'test', AWS_SECRET_ACCESS_KEY: 'test' }),
    AWS_REGION: 'us-east-1',
    AWS_DEFAULT_REGION: 'us-east-1',
  }
  if (asksForKeys && !OWN_KEY.test(environment.AWS_ACCESS_KEY_ID ?? ''))
    out.note('This engine asks for a key. To make one and set it: eval "$(lambent key create)"')
  if (api.endpoint.startsWith('https:') && out.isTerminal)
    out.note(
      'Clients must trust its certificate: AWS_CA_BUNDLE for the AWS CLI, NODE_EXTRA_CA_CERTS for Node.js.',
    )
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
