import {
  CreateFunctionUrlConfigCommand,
  DeleteFunctionConcurrencyCommand,
  DeleteFunctionEventInvokeConfigCommand,
  DeleteFunctionUrlConfigCommand,
  GetFunctionConcurrencyCommand,
  GetFunctionEventInvokeConfigCommand,
  GetFunctionRecursionConfigCommand,
  GetFunctionUrlConfigCommand,
  GetRuntimeManagementConfigCommand,
  ListFunctionEventInvokeConfigsCommand,
  ListFunctionUrlConfigsCommand,
  PutFunctionConcurrencyCommand,
  PutFunctionEventInvokeConfigCommand,
  PutFunctionRecursionConfigCommand,
  PutRuntimeManagementConfigCommand,
  UpdateFunctionEventInvokeConfigCommand,
  UpdateFunctionUrlConfigCommand,
} from '@aws-sdk/client-lambda'
import { BAD, badParameter, NOBODY, notFound, unmodelled, type Operation } from './operation.ts'

const nobody = { FunctionName: NOBODY }
const bad = { FunctionName: BAD }

/** What hangs on a function: its URL, how its events are handled, its share, its runtime. */
export const SETTING_OPERATIONS: Readonly<Record<string, Operation>> = {
  CreateFunctionUrlConfig: {
    succeeds: {
      status: 201,
      call: async (world) =>
        new CreateFunctionUrlConfigCommand({ FunctionName: await world.aFunction(), AuthType: 'NONE' }),
    },
    missing: notFound(() => new CreateFunctionUrlConfigCommand({ ...nobody, AuthType: 'NONE' })),
    invalid: unmodelled(
      async (world) =>
        new CreateFunctionUrlConfigCommand({
          FunctionName: await world.aFunction(),
          AuthType: 'SOME' as 'NONE',
        }),
    ),
  },
  GetFunctionUrlConfig: {
    succeeds: {
      status: 200,
      call: async (world) => new GetFunctionUrlConfigCommand({ FunctionName: await world.aUrl() }),
    },
    missing: notFound(
      async (world) => new GetFunctionUrlConfigCommand({ FunctionName: await world.aFunction() }),
    ),
    invalid: unmodelled(
      async (world) => new GetFunctionUrlConfigCommand({ FunctionName: await world.aUrl(), Qualifier: '1' }),
    ),
  },
  UpdateFunctionUrlConfig: {
    succeeds: {
      status: 200,
      call: async (world) =>
        new UpdateFunctionUrlConfigCommand({ FunctionName: await world.aUrl(), AuthType: 'AWS_IAM' }),
    },
    missing: notFound(() => new UpdateFunctionUrlConfigCommand({ ...nobody, AuthType: 'NONE' })),
    invalid: unmodelled(
      async (world) =>
        new UpdateFunctionUrlConfigCommand({
          FunctionName: await world.aUrl(),
          InvokeMode: 'SOME' as 'BUFFERED',
        }),
    ),
  },
  DeleteFunctionUrlConfig: {
    succeeds: {
      status: 204,
      call: async (world) => new DeleteFunctionUrlConfigCommand({ FunctionName: await world.aUrl() }),
    },
    missing: notFound(() => new DeleteFunctionUrlConfigCommand(nobody)),
    invalid: unmodelled(
      async (world) =>
        new DeleteFunctionUrlConfigCommand({ FunctionName: await world.aUrl(), Qualifier: '1' }),
    ),
  },
  ListFunctionUrlConfigs: {
    succeeds: {
      status: 200,
      call: async (world) => new ListFunctionUrlConfigsCommand({ FunctionName: await world.aUrl() }),
    },
    missing: notFound(() => new ListFunctionUrlConfigsCommand(nobody)),
    invalid: unmodelled(() => new ListFunctionUrlConfigsCommand(bad)),
  },
  PutFunctionEventInvokeConfig: {
    succeeds: {
      status: 200,
      call: async (world) =>
        new PutFunctionEventInvokeConfigCommand({
          FunctionName: await world.aFunction(),
          MaximumRetryAttempts: 1,
        }),
    },
    missing: notFound(() => new PutFunctionEventInvokeConfigCommand({ ...nobody, MaximumRetryAttempts: 1 })),
    invalid: unmodelled(
      async (world) =>
        new PutFunctionEventInvokeConfigCommand({
          FunctionName: await world.aFunction(),
          MaximumRetryAttempts: 3,
        }),
    ),
  },
  UpdateFunctionEventInvokeConfig: {
    succeeds: {
      status: 200,
      call: async (world) =>
        new UpdateFunctionEventInvokeConfigCommand({
          FunctionName: await world.eventSettings(),
          MaximumRetryAttempts: 2,
        }),
    },
    missing: notFound(
      async (world) =>
        new UpdateFunctionEventInvokeConfigCommand({
          FunctionName: await world.aFunction(),
          MaximumRetryAttempts: 2,
        }),
    ),
    invalid: unmodelled(
      async (world) =>
        new UpdateFunctionEventInvokeConfigCommand({
          FunctionName: await world.eventSettings(),
          MaximumEventAgeInSeconds: 1,
        }),
    ),
  },
  GetFunctionEventInvokeConfig: {
    succeeds: {
      status: 200,
      call: async (world) =>
        new GetFunctionEventInvokeConfigCommand({ FunctionName: await world.eventSettings() }),
    },
    missing: notFound(
      async (world) => new GetFunctionEventInvokeConfigCommand({ FunctionName: await world.aFunction() }),
    ),
    invalid: unmodelled(() => new GetFunctionEventInvokeConfigCommand(bad)),
  },
  DeleteFunctionEventInvokeConfig: {
    succeeds: {
      status: 204,
      call: async (world) =>
        new DeleteFunctionEventInvokeConfigCommand({ FunctionName: await world.eventSettings() }),
    },
    missing: notFound(
      async (world) => new DeleteFunctionEventInvokeConfigCommand({ FunctionName: await world.aFunction() }),
    ),
    invalid: unmodelled(() => new DeleteFunctionEventInvokeConfigCommand(bad)),
  },
  ListFunctionEventInvokeConfigs: {
    succeeds: {
      status: 200,
      call: async (world) =>
        new ListFunctionEventInvokeConfigsCommand({ FunctionName: await world.eventSettings() }),
    },
    missing: notFound(() => new ListFunctionEventInvokeConfigsCommand(nobody)),
    invalid: unmodelled(() => new ListFunctionEventInvokeConfigsCommand(bad)),
  },
  PutFunctionConcurrency: {
    succeeds: {
      status: 200,
      call: async (world) =>
        new PutFunctionConcurrencyCommand({
          FunctionName: await world.aFunction(),
          ReservedConcurrentExecutions: 1,
        }),
    },
    missing: notFound(
      () => new PutFunctionConcurrencyCommand({ ...nobody, ReservedConcurrentExecutions: 1 }),
    ),
    invalid: badParameter(
      async (world) =>
        new PutFunctionConcurrencyCommand({
          FunctionName: await world.aFunction(),
          ReservedConcurrentExecutions: 100_000,
        }),
    ),
  },
  GetFunctionConcurrency: {
    succeeds: {
      status: 200,
      call: async (world) => new GetFunctionConcurrencyCommand({ FunctionName: await world.aFunction() }),
    },
    missing: notFound(() => new GetFunctionConcurrencyCommand(nobody)),
    invalid: unmodelled(() => new GetFunctionConcurrencyCommand(bad)),
  },
  DeleteFunctionConcurrency: {
    succeeds: {
      status: 204,
      call: async (world) => new DeleteFunctionConcurrencyCommand({ FunctionName: await world.aFunction() }),
    },
    missing: notFound(() => new DeleteFunctionConcurrencyCommand(nobody)),
    invalid: unmodelled(() => new DeleteFunctionConcurrencyCommand(bad)),
  },
  GetFunctionRecursionConfig: {
    succeeds: {
      status: 200,
      call: async (world) => new GetFunctionRecursionConfigCommand({ FunctionName: await world.aFunction() }),
    },
    missing: notFound(() => new GetFunctionRecursionConfigCommand(nobody)),
    invalid: unmodelled(() => new GetFunctionRecursionConfigCommand(bad)),
  },
  PutFunctionRecursionConfig: {
    succeeds: {
      status: 200,
      call: async (world) =>
        new PutFunctionRecursionConfigCommand({
          FunctionName: await world.aFunction(),
          RecursiveLoop: 'Allow',
        }),
    },
    missing: notFound(() => new PutFunctionRecursionConfigCommand({ ...nobody, RecursiveLoop: 'Allow' })),
    invalid: unmodelled(
      async (world) =>
        new PutFunctionRecursionConfigCommand({
          FunctionName: await world.aFunction(),
          RecursiveLoop: 'Some' as 'Allow',
        }),
    ),
  },
  GetRuntimeManagementConfig: {
    succeeds: {
      status: 200,
      call: async (world) => new GetRuntimeManagementConfigCommand({ FunctionName: await world.aFunction() }),
    },
    missing: notFound(() => new GetRuntimeManagementConfigCommand(nobody)),
    invalid: unmodelled(() => new GetRuntimeManagementConfigCommand(bad)),
  },
  PutRuntimeManagementConfig: {
    succeeds: {
      status: 200,
      call: async (world) =>
        new PutRuntimeManagementConfigCommand({
          FunctionName: await world.aFunction(),
          UpdateRuntimeOn: 'Auto',
        }),
    },
    missing: notFound(() => new PutRuntimeManagementConfigCommand({ ...nobody, UpdateRuntimeOn: 'Auto' })),
    invalid: unmodelled(
      async (world) =>
        new PutRuntimeManagementConfigCommand({
          FunctionName: await world.aFunction(),
          UpdateRuntimeOn: 'Some' as 'Auto',
        }),
    ),
  },
}
