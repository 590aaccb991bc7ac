/** One call of the script: an operation by its name in the model and its input. Bytes stand for blobs. */
export interface ScriptedCall {
  readonly operation: string
  readonly input: Readonly<Record<string, unknown>>
  /** The error it must end with; absent: it succeeds. */
  readonly error?: string
  /** Wait until the function is Active and updated first. */
  readonly settled?: true
}

/** Blobs by name: the zip before and after an update, and a layer's. */
export type Blobs = Readonly<Record<'first' | 'second' | 'layer', Buffer>>

/** In an input, stands for one of the blobs; drivers put the bytes in as their client takes them. */
export const blob = (name: keyof Blobs): string => `blob:${name}`

const FunctionName = 'forty'
const named = { FunctionName }

/** What every client does, in this order, in an account of its own. `account` makes the ARNs. */
export function fortyCalls(account: string): ScriptedCall[] {
  const arn = `arn:aws:lambda:us-east-1:${account}:function:${FunctionName}`
  const creation = {
    FunctionName,
    Role: `arn:aws:iam::${account}:role/forty`,
    Runtime: 'nodejs22.x',
    Handler: 'index.handler',
    Code: { ZipFile: blob('first') },
    Environment: { Variables: { STAGE: 'test' } },
    Tags: { team: 'a' },
  }
  return [
    { operation: 'CreateFunction', input: creation },
    { operation: 'CreateFunction', input: creation, error: 'ResourceConflictException' },
    { operation: 'GetFunction', input: named, settled: true },
    { operation: 'GetFunction', input: { FunctionName: 'nobody' }, error: 'ResourceNotFoundException' },
    { operation: 'Invoke', input: { ...named, Payload: '{"a":1}' } },
    { operation: 'Invoke', input: { ...named, Payload: '{"fail":"boom"}' } },
    { operation: 'Invoke', input: { ...named, InvocationType: 'DryRun' } },
    { operation: 'Invoke', input: { ...named, InvocationType: 'Event', Payload: '{"a":2}' } },
    { operation: 'Invoke', input: { ...named, Payload: '{' }, error: 'InvalidRequestContentException' },
    {
      operation: 'UpdateFunctionConfiguration',
      input: { ...named, Timeout: 9, Description: 'nine', Environment: { Variables: { STAGE: 'two' } } },
    },
    { operation: 'UpdateFunctionCode', input: { ...named, ZipFile: blob('second') }, settled: true },
    { operation: 'PublishVersion', input: { ...named, Description: 'one' }, settled: true },
    { operation: 'ListVersionsByFunction', input: named },
    { operation: 'CreateAlias', input: { ...named, Name: 'live', FunctionVersion: '1' } },
    { operation: 'GetAlias', input: { ...named, Name: 'live' } },
    { operation: 'UpdateAlias', input: { ...named, Name: 'live', Description: 'the live one' } },
    { operation: 'ListAliases', input: named },
    { operation: 'Invoke', input: { ...named, Qualifier: 'live', Payload: '{"a":3}' }, settled: true },
    {
      operation: 'AddPermission',
      input: {
        ...named,
        StatementId: 's3',
        Action: 'lambda:InvokeFunction',
        Principal: 's3.amazonaws.com',
        SourceArn: 'arn:aws:s3:::bucket',
      },
    },
    { operation: 'GetPolicy', input: named },
    { operation: 'RemovePermission', input: { ...named, StatementId: 's3' } },
    { operation: 'GetPolicy', input: named, error: 'ResourceNotFoundException' },
    { operation: 'TagResource', input: { Resource: arn, Tags: { stage: 'b' } } },
    { operation: 'UntagResource', input: { Resource: arn, TagKeys: ['team'] } },
    { operation: 'ListTags', input: { Resource: arn } },
    { operation: 'PutFunctionConcurrency', input: { ...named, ReservedConcurrentExecutions: 3 } },
    { operation: 'GetFunctionConcurrency', input: named },
    { operation: 'DeleteFunctionConcurrency', input: named },
    { operation: 'CreateFunctionUrlConfig', input: { ...named, AuthType: 'NONE' } },
    { operation: 'GetFunctionUrlConfig', input: named },
    { operation: 'DeleteFunctionUrlConfig', input: named },
    { operation: 'PutFunctionEventInvokeConfig', input: { ...named, MaximumRetryAttempts: 1 } },
    { operation: 'GetFunctionEventInvokeConfig', input: named },
    { operation: 'DeleteFunctionEventInvokeConfig', input: named },
    { operation: 'GetFunctionCodeSigningConfig', input: named },
    { operation: 'PublishLayerVersion', input: { LayerName: 'forty', Content: { ZipFile: blob('layer') } } },
    { operation: 'ListLayerVersions', input: { LayerName: 'forty' } },
    { operation: 'DeleteLayerVersion', input: { LayerName: 'forty', VersionNumber: 1 } },
    { operation: 'PutFunctionRecursionConfig', input: { ...named, RecursiveLoop: 'Allow' } },
    { operation: 'GetRuntimeManagementConfig', input: named },
    {
      operation: 'CreateEventSourceMapping',
      input: {
        ...named,
        EventSourceArn: `arn:aws:sqs:us-east-1:${account}:orders`,
        BatchSize: 3,
        Enabled: false,
      },
    },
    { operation: 'ListEventSourceMappings', input: named },
    {
      operation: 'GetProvisionedConcurrencyConfig',
      input: { ...named, Qualifier: 'live' },
      error: 'ProvisionedConcurrencyConfigNotFoundException',
    },
    { operation: 'GetAccountSettings', input: {} },
    { operation: 'ListFunctions', input: { MaxItems: 10 } },
    {
      operation: 'UpdateFunctionConfiguration',
      input: { ...named, Runtime: 'cobol' },
      error: 'InvalidParameterValueException',
    },
    { operation: 'DeleteAlias', input: { ...named, Name: 'live' } },
    { operation: 'DeleteFunction', input: { ...named, Qualifier: '1' } },
    { operation: 'DeleteFunction', input: named },
    { operation: 'GetFunction', input: named, error: 'ResourceNotFoundException' },
  ]
}
