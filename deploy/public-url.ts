import { callOrUndefined, type LambdaCall } from './lambda-client.ts'

/** Named as AWS's own console and tools name them. */
const GRANTS = [
  {
    StatementId: 'FunctionURLAllowPublicAccess',
    Action: 'lambda:InvokeFunctionUrl',
    FunctionUrlAuthType: 'NONE',
  },
  {
    StatementId: 'FunctionURLInvokeAllowPublicAccess',
    Action: 'lambda:InvokeFunction',
    InvokedViaFunctionUrl: true,
  },
]

/** Adds what is missing of the two statements that let everybody call a function by its URL. */
export async function grantPublicUrl(name: string, call: LambdaCall): Promise<void> {
  const path = `/2015-03-31/functions/${name}/policy`
  const held = String((await callOrUndefined(call, 'GET', path))?.Policy ?? '')
  for (const grant of GRANTS) {
    if (!held.includes(`"${grant.StatementId}"`)) await call('POST', path, { ...grant, Principal: '*' })
  }
}
