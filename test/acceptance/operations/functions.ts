import {
  AddPermissionCommand,
  CreateAliasCommand,
  CreateFunctionCommand,
  DeleteAliasCommand,
  DeleteFunctionCommand,
  DeleteResourcePolicyCommand,
  GetAccountSettingsCommand,
  GetAliasCommand,
  GetFunctionCommand,
  GetFunctionConfigurationCommand,
  GetPolicyCommand,
  GetResourcePolicyCommand,
  InvokeAsyncCommand,
  InvokeCommand,
  InvokeWithResponseStreamCommand,
  ListAliasesCommand,
  ListFunctionsCommand,
  ListTagsCommand,
  ListVersionsByFunctionCommand,
  PublishVersionCommand,
  PutResourcePolicyCommand,
  RemovePermissionCommand,
  TagResourceCommand,
  UntagResourceCommand,
  UpdateAliasCommand,
  UpdateFunctionCodeCommand,
  UpdateFunctionConfigurationCommand,
} from '@aws-sdk/client-lambda'
import {
  ACCOUNT,
  arnOf,
  BAD,
  badParameter,
  notFound,
  NOBODY,
  PERMISSION,
  refused,
  unmodelled,
  type Operation,
} from './operation.ts'

const nobody = { FunctionName: NOBODY }
const bad = { FunctionName: BAD }
const POLICY = JSON.stringify({
  Version: '2012-10-17',
  Statement: [
    {
      Sid: 'one',
      Effect: 'Allow',
      Principal: { AWS: `arn:aws:iam::${ACCOUNT}:root` },
      Action: 'lambda:InvokeFunction',
      Resource: arnOf('function', NOBODY),
    },
  ],
})

/** Functions, their versions and aliases, who may call them, their tags, and calling them. */
export const FUNCTION_OPERATIONS: Readonly<Record<string, Operation>> = {
  CreateFunction: {
    succeeds: { status: 201, call: async (world) => new CreateFunctionCommand(await world.creation()) },
    missing: badParameter(
      async (world) =>
        new CreateFunctionCommand(await world.creation({ Layers: [`${arnOf('layer', 'l')}:1`] })),
    ),
    invalid: unmodelled(async (world) => new CreateFunctionCommand(await world.creation({ Role: BAD }))),
  },
  GetFunction: {
    succeeds: {
      status: 200,
      call: async (world) => new GetFunctionCommand({ FunctionName: await world.aFunction() }),
    },
    missing: notFound(() => new GetFunctionCommand(nobody)),
    invalid: unmodelled(() => new GetFunctionCommand(bad)),
  },
  GetFunctionConfiguration: {
    succeeds: {
      status: 200,
      call: async (world) => new GetFunctionConfigurationCommand({ FunctionName: await world.aFunction() }),
    },
    missing: notFound(() => new GetFunctionConfigurationCommand(nobody)),
    invalid: unmodelled(() => new GetFunctionConfigurationCommand(bad)),
  },
  UpdateFunctionCode: {
    succeeds: {
      status: 200,
      call: async (world) =>
        new UpdateFunctionCodeCommand({ FunctionName: await world.aFunction(), ZipFile: await world.zip() }),
    },
    missing: notFound(
      async (world) => new UpdateFunctionCodeCommand({ ...nobody, ZipFile: await world.zip() }),
    ),
    invalid: badParameter(
      async (world) =>
        new UpdateFunctionCodeCommand({
          FunctionName: await world.aFunction(),
          ZipFile: Buffer.from('no zip'),
        }),
    ),
  },
  UpdateFunctionConfiguration: {
    succeeds: {
      status: 200,
      call: async (world) =>
        new UpdateFunctionConfigurationCommand({ FunctionName: await world.aFunction(), Timeout: 9 }),
    },
    missing: notFound(() => new UpdateFunctionConfigurationCommand({ ...nobody, Timeout: 9 })),
    invalid: unmodelled(
      async (world) =>
        new UpdateFunctionConfigurationCommand({ FunctionName: await world.aFunction(), Timeout: 0 }),
    ),
  },
  DeleteFunction: {
    succeeds: {
      status: 204,
      call: async (world) => new DeleteFunctionCommand({ FunctionName: await world.aFunction() }),
    },
    missing: notFound(() => new DeleteFunctionCommand(nobody)),
    invalid: badParameter(
      async (world) =>
        new DeleteFunctionCommand({ FunctionName: await world.aFunction(), Qualifier: '$LATEST' }),
    ),
  },
  ListFunctions: {
    succeeds: { status: 200, call: () => new ListFunctionsCommand({}) },
    missing: 'a list of nothing is empty',
    invalid: unmodelled(() => new ListFunctionsCommand({ MaxItems: 0 })),
  },
  Invoke: {
    succeeds: {
      status: 200,
      call: async (world) => new InvokeCommand({ FunctionName: await world.aFunction(), Payload: '{}' }),
    },
    missing: notFound(() => new InvokeCommand(nobody)),
    invalid: refused(
      'InvalidRequestContentException',
      400,
      async (world) => new InvokeCommand({ FunctionName: await world.aFunction(), Payload: '{' }),
    ),
  },
  InvokeAsync: {
    succeeds: {
      status: 202,
      call: async (world) =>
        new InvokeAsyncCommand({ FunctionName: await world.aFunction(), InvokeArgs: '{}' }),
    },
    missing: notFound(() => new InvokeAsyncCommand({ ...nobody, InvokeArgs: '{}' })),
    invalid: refused(
      'InvalidRequestContentException',
      400,
      async (world) => new InvokeAsyncCommand({ FunctionName: await world.aFunction(), InvokeArgs: '{' }),
    ),
  },
  InvokeWithResponseStream: {
    succeeds: {
      status: 200,
      call: async (world) => new InvokeWithResponseStreamCommand({ FunctionName: await world.aFunction() }),
    },
    missing: notFound(() => new InvokeWithResponseStreamCommand(nobody)),
    invalid: unmodelled(() => new InvokeWithResponseStreamCommand(bad)),
  },
  PublishVersion: {
    succeeds: {
      status: 201,
      call: async (world) => new PublishVersionCommand({ FunctionName: await world.aFunction() }),
    },
    missing: notFound(() => new PublishVersionCommand(nobody)),
    invalid: badParameter(
      async (world) => new PublishVersionCommand({ FunctionName: await world.aFunction(), CodeSha256: 'x' }),
    ),
  },
  ListVersionsByFunction: {
    succeeds: {
      status: 200,
      call: async (world) => new ListVersionsByFunctionCommand({ FunctionName: await world.aFunction() }),
    },
    missing: notFound(() => new ListVersionsByFunctionCommand(nobody)),
    invalid: unmodelled(() => new ListVersionsByFunctionCommand(bad)),
  },
  CreateAlias: {
    succeeds: {
      status: 201,
      call: async (world) =>
        new CreateAliasCommand({ FunctionName: await world.aFunction(), Name: 'a', FunctionVersion: '1' }),
    },
    missing: notFound(() => new CreateAliasCommand({ ...nobody, Name: 'a', FunctionVersion: '1' })),
    invalid: unmodelled(() => new CreateAliasCommand({ ...nobody, Name: '123', FunctionVersion: '1' })),
  },
  GetAlias: {
    succeeds: {
      status: 200,
      call: async (world) => new GetAliasCommand({ FunctionName: await world.anAlias(), Name: 'live' }),
    },
    missing: notFound(
      async (world) => new GetAliasCommand({ FunctionName: await world.aFunction(), Name: 'none' }),
    ),
    invalid: unmodelled(() => new GetAliasCommand({ ...bad, Name: 'live' })),
  },
  UpdateAlias: {
    succeeds: {
      status: 200,
      call: async (world) =>
        new UpdateAliasCommand({ FunctionName: await world.anAlias(), Name: 'live', Description: 'd' }),
    },
    missing: notFound(
      async (world) => new UpdateAliasCommand({ FunctionName: await world.aFunction(), Name: 'none' }),
    ),
    invalid: refused(
      'PreconditionFailedException',
      412,
      async (world) =>
        new UpdateAliasCommand({ FunctionName: await world.anAlias(), Name: 'live', RevisionId: 'old' }),
    ),
  },
  DeleteAlias: {
    succeeds: {
      status: 204,
      call: async (world) => new DeleteAliasCommand({ FunctionName: await world.anAlias(), Name: 'live' }),
    },
    missing: notFound(() => new DeleteAliasCommand({ ...nobody, Name: 'live' })),
    invalid: unmodelled(() => new DeleteAliasCommand({ ...bad, Name: 'live' })),
  },
  ListAliases: {
    succeeds: {
      status: 200,
      call: async (world) => new ListAliasesCommand({ FunctionName: await world.anAlias() }),
    },
    missing: notFound(() => new ListAliasesCommand(nobody)),
    invalid: unmodelled(() => new ListAliasesCommand({ ...nobody, FunctionVersion: 'one' })),
  },
  AddPermission: {
    succeeds: {
      status: 201,
      call: async (world) =>
        new AddPermissionCommand({ FunctionName: await world.aFunction(), ...PERMISSION }),
    },
    missing: notFound(() => new AddPermissionCommand({ ...nobody, ...PERMISSION })),
    invalid: unmodelled(() => new AddPermissionCommand({ ...nobody, ...PERMISSION, StatementId: BAD })),
  },
  GetPolicy: {
    succeeds: {
      status: 200,
      call: async (world) => new GetPolicyCommand({ FunctionName: await world.aPolicy() }),
    },
    missing: notFound(async (world) => new GetPolicyCommand({ FunctionName: await world.aFunction() })),
    invalid: badParameter(
      async (world) => new GetPolicyCommand({ FunctionName: await world.aPolicy(), Qualifier: '$LATEST' }),
    ),
  },
  RemovePermission: {
    succeeds: {
      status: 204,
      call: async (world) =>
        new RemovePermissionCommand({ FunctionName: await world.aPolicy(), StatementId: 's3' }),
    },
    missing: notFound(
      async (world) =>
        new RemovePermissionCommand({ FunctionName: await world.aPolicy(), StatementId: 'none' }),
    ),
    invalid: refused(
      'PreconditionFailedException',
      412,
      async (world) =>
        new RemovePermissionCommand({
          FunctionName: await world.aPolicy(),
          StatementId: 's3',
          RevisionId: 'old',
        }),
    ),
  },
  PutResourcePolicy: {
    succeeds: {
      status: 200,
      call: async (world) => {
        const ResourceArn = arnOf('function', await world.aFunction())
        const Policy = POLICY.replace(arnOf('function', NOBODY), ResourceArn)
        return new PutResourcePolicyCommand({ ResourceArn, Policy })
      },
    },
    missing: notFound(
      () => new PutResourcePolicyCommand({ ResourceArn: arnOf('function', NOBODY), Policy: POLICY }),
    ),
    invalid: badParameter(
      async (world) =>
        new PutResourcePolicyCommand({
          ResourceArn: arnOf('function', await world.aFunction()),
          Policy: '{',
        }),
    ),
  },
  GetResourcePolicy: {
    succeeds: {
      status: 200,
      call: async (world) =>
        new GetResourcePolicyCommand({ ResourceArn: arnOf('function', await world.aPolicy()) }),
    },
    missing: notFound(() => new GetResourcePolicyCommand({ ResourceArn: arnOf('function', NOBODY) })),
    invalid: unmodelled(() => new GetResourcePolicyCommand({ ResourceArn: BAD })),
  },
  DeleteResourcePolicy: {
    succeeds: {
      status: 204,
      call: async (world) =>
        new DeleteResourcePolicyCommand({ ResourceArn: arnOf('function', await world.aPolicy()) }),
    },
    missing: notFound(() => new DeleteResourcePolicyCommand({ ResourceArn: arnOf('function', NOBODY) })),
    invalid: unmodelled(() => new DeleteResourcePolicyCommand({ ResourceArn: BAD })),
  },
  ListTags: {
    succeeds: {
      status: 200,
      call: async (world) => new ListTagsCommand({ Resource: arnOf('function', await world.aFunction()) }),
    },
    missing: notFound(() => new ListTagsCommand({ Resource: arnOf('function', NOBODY) })),
    invalid: unmodelled(() => new ListTagsCommand({ Resource: 'arn:aws:something' })),
  },
  TagResource: {
    succeeds: {
      status: 204,
      call: async (world) =>
        new TagResourceCommand({ Resource: arnOf('function', await world.aFunction()), Tags: { a: 'b' } }),
    },
    missing: notFound(
      () => new TagResourceCommand({ Resource: arnOf('function', NOBODY), Tags: { a: 'b' } }),
    ),
    invalid: unmodelled(() => new TagResourceCommand({ Resource: 'arn:aws:something', Tags: { a: 'b' } })),
  },
  UntagResource: {
    succeeds: {
      status: 204,
      call: async (world) =>
        new UntagResourceCommand({ Resource: arnOf('function', await world.aFunction()), TagKeys: ['a'] }),
    },
    missing: notFound(
      () => new UntagResourceCommand({ Resource: arnOf('function', NOBODY), TagKeys: ['a'] }),
    ),
    invalid: unmodelled(
      async (world) =>
        new UntagResourceCommand({ Resource: arnOf('function', await world.aFunction()), TagKeys: [] }),
    ),
  },
  GetAccountSettings: {
    succeeds: { status: 200, call: () => new GetAccountSettingsCommand({}) },
    missing: 'an account is always there',
    invalid: 'nothing is given with it',
  },
}
