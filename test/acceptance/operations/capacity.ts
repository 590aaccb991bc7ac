import {
  CheckpointDurableExecutionCommand,
  CreateCapacityProviderCommand,
  DeleteCapacityProviderCommand,
  DeleteProvisionedConcurrencyConfigCommand,
  GetCapacityProviderCommand,
  GetDurableExecutionCommand,
  GetDurableExecutionHistoryCommand,
  GetDurableExecutionStateCommand,
  GetFunctionScalingConfigCommand,
  GetProvisionedConcurrencyConfigCommand,
  ListCapacityProvidersCommand,
  ListDurableExecutionsByFunctionCommand,
  ListFunctionVersionsByCapacityProviderCommand,
  ListProvisionedConcurrencyConfigsCommand,
  PutFunctionScalingConfigCommand,
  PutProvisionedConcurrencyConfigCommand,
  SendDurableExecutionCallbackFailureCommand,
  SendDurableExecutionCallbackHeartbeatCommand,
  SendDurableExecutionCallbackSuccessCommand,
  StopDurableExecutionCommand,
  UpdateCapacityProviderCommand,
} from '@aws-sdk/client-lambda'
import {
  arnOf,
  BAD,
  badParameter,
  NOBODY,
  notFound,
  PROVIDER,
  refused,
  unmodelled,
  type Operation,
} from './operation.ts'

const NO_EXECUTION = `${arnOf('function', NOBODY)}:1/durable-execution/name/id`
const NO_DURABLE = 'no function can be durable yet'
const TOKEN = 'dG9rZW4='
const FunctionScalingConfig = { MinExecutionEnvironments: 0, MaxExecutionEnvironments: 3 }

/** What is kept ready for functions, where they run, and executions that last. */
export const CAPACITY_OPERATIONS: Readonly<Record<string, Operation>> = {
  PutProvisionedConcurrencyConfig: {
    succeeds: {
      status: 202,
      call: async (world) =>
        new PutProvisionedConcurrencyConfigCommand({
          FunctionName: await world.aFunction(),
          Qualifier: '1',
          ProvisionedConcurrentExecutions: 1,
        }),
    },
    missing: notFound(
      () =>
        new PutProvisionedConcurrencyConfigCommand({
          FunctionName: NOBODY,
          Qualifier: '1',
          ProvisionedConcurrentExecutions: 1,
        }),
    ),
    invalid: unmodelled(
      async (world) =>
        new PutProvisionedConcurrencyConfigCommand({
          FunctionName: await world.aFunction(),
          Qualifier: '1',
          ProvisionedConcurrentExecutions: 0,
        }),
    ),
  },
  GetProvisionedConcurrencyConfig: {
    succeeds: {
      status: 200,
      call: async (world) =>
        new GetProvisionedConcurrencyConfigCommand({
          FunctionName: await world.provisioned(),
          Qualifier: '1',
        }),
    },
    missing: refused(
      'ProvisionedConcurrencyConfigNotFoundException',
      404,
      async (world) =>
        new GetProvisionedConcurrencyConfigCommand({ FunctionName: await world.aFunction(), Qualifier: '1' }),
    ),
    invalid: badParameter(
      async (world) =>
        new GetProvisionedConcurrencyConfigCommand({
          FunctionName: await world.aFunction(),
          Qualifier: '$LATEST',
        }),
    ),
  },
  DeleteProvisionedConcurrencyConfig: {
    succeeds: {
      status: 204,
      call: async (world) =>
        new DeleteProvisionedConcurrencyConfigCommand({
          FunctionName: await world.provisioned(),
          Qualifier: '1',
        }),
    },
    missing: notFound(
      () => new DeleteProvisionedConcurrencyConfigCommand({ FunctionName: NOBODY, Qualifier: '1' }),
    ),
    invalid: unmodelled(
      () => new DeleteProvisionedConcurrencyConfigCommand({ FunctionName: BAD, Qualifier: '1' }),
    ),
  },
  ListProvisionedConcurrencyConfigs: {
    succeeds: {
      status: 200,
      call: async (world) =>
        new ListProvisionedConcurrencyConfigsCommand({ FunctionName: await world.provisioned() }),
    },
    missing: notFound(() => new ListProvisionedConcurrencyConfigsCommand({ FunctionName: NOBODY })),
    invalid: unmodelled(
      async (world) =>
        new ListProvisionedConcurrencyConfigsCommand({
          FunctionName: await world.aFunction(),
          MaxItems: 51,
        }),
    ),
  },
  CreateCapacityProvider: {
    succeeds: {
      status: 202,
      call: (world) => new CreateCapacityProviderCommand({ CapacityProviderName: world.name(), ...PROVIDER }),
    },
    missing: 'nothing has to be there before it',
    invalid: unmodelled(() => new CreateCapacityProviderCommand({ CapacityProviderName: BAD, ...PROVIDER })),
  },
  GetCapacityProvider: {
    succeeds: {
      status: 200,
      call: async (world) =>
        new GetCapacityProviderCommand({ CapacityProviderName: await world.aProvider() }),
    },
    missing: notFound(() => new GetCapacityProviderCommand({ CapacityProviderName: NOBODY })),
    invalid: unmodelled(() => new GetCapacityProviderCommand({ CapacityProviderName: BAD })),
  },
  UpdateCapacityProvider: {
    succeeds: {
      status: 202,
      call: async (world) =>
        new UpdateCapacityProviderCommand({
          CapacityProviderName: await world.aProvider(),
          CapacityProviderScalingConfig: { MaxVCpuCount: 4 },
        }),
    },
    missing: notFound(() => new UpdateCapacityProviderCommand({ CapacityProviderName: NOBODY })),
    invalid: unmodelled(
      async (world) =>
        new UpdateCapacityProviderCommand({
          CapacityProviderName: await world.aProvider(),
          CapacityProviderScalingConfig: { MaxVCpuCount: 1 },
        }),
    ),
  },
  DeleteCapacityProvider: {
    succeeds: {
      status: 202,
      call: async (world) =>
        new DeleteCapacityProviderCommand({ CapacityProviderName: await world.aProvider() }),
    },
    missing: notFound(() => new DeleteCapacityProviderCommand({ CapacityProviderName: NOBODY })),
    invalid: unmodelled(() => new DeleteCapacityProviderCommand({ CapacityProviderName: BAD })),
  },
  ListCapacityProviders: {
    succeeds: { status: 200, call: () => new ListCapacityProvidersCommand({}) },
    missing: 'a list of nothing is empty',
    invalid: unmodelled(() => new ListCapacityProvidersCommand({ State: 'Some' as 'Active' })),
  },
  ListFunctionVersionsByCapacityProvider: {
    succeeds: {
      status: 200,
      call: async (world) =>
        new ListFunctionVersionsByCapacityProviderCommand({ CapacityProviderName: await world.aProvider() }),
    },
    missing: notFound(
      () => new ListFunctionVersionsByCapacityProviderCommand({ CapacityProviderName: NOBODY }),
    ),
    invalid: unmodelled(
      () => new ListFunctionVersionsByCapacityProviderCommand({ CapacityProviderName: BAD }),
    ),
  },
  PutFunctionScalingConfig: {
    succeeds: {
      status: 202,
      call: async (world) =>
        new PutFunctionScalingConfigCommand({
          FunctionName: await world.inProvider(),
          Qualifier: '1',
          FunctionScalingConfig,
        }),
    },
    missing: notFound(
      () =>
        new PutFunctionScalingConfigCommand({ FunctionName: NOBODY, Qualifier: '1', FunctionScalingConfig }),
    ),
    invalid: unmodelled(
      () =>
        new PutFunctionScalingConfigCommand({
          FunctionName: NOBODY,
          Qualifier: '1',
          FunctionScalingConfig: { MaxExecutionEnvironments: 15_001 },
        }),
    ),
  },
  GetFunctionScalingConfig: {
    succeeds: {
      status: 200,
      call: async (world) =>
        new GetFunctionScalingConfigCommand({ FunctionName: await world.inProvider(), Qualifier: '1' }),
    },
    missing: notFound(() => new GetFunctionScalingConfigCommand({ FunctionName: NOBODY, Qualifier: '1' })),
    invalid: unmodelled(
      () => new GetFunctionScalingConfigCommand({ FunctionName: NOBODY, Qualifier: 'live' }),
    ),
  },
  CheckpointDurableExecution: {
    succeeds: NO_DURABLE,
    missing: badParameter(
      () =>
        new CheckpointDurableExecutionCommand({ DurableExecutionArn: NO_EXECUTION, CheckpointToken: TOKEN }),
    ),
    invalid: unmodelled(
      () =>
        new CheckpointDurableExecutionCommand({ DurableExecutionArn: NO_EXECUTION, CheckpointToken: 'a-b' }),
    ),
  },
  GetDurableExecutionState: {
    succeeds: NO_DURABLE,
    missing: badParameter(
      () =>
        new GetDurableExecutionStateCommand({ DurableExecutionArn: NO_EXECUTION, CheckpointToken: TOKEN }),
    ),
    invalid: unmodelled(
      () =>
        new GetDurableExecutionStateCommand({
          DurableExecutionArn: NO_EXECUTION,
          CheckpointToken: TOKEN,
          MaxItems: 1001,
        }),
    ),
  },
  GetDurableExecution: {
    succeeds: NO_DURABLE,
    missing: notFound(() => new GetDurableExecutionCommand({ DurableExecutionArn: NO_EXECUTION })),
    invalid: unmodelled(() => new GetDurableExecutionCommand({ DurableExecutionArn: BAD })),
  },
  GetDurableExecutionHistory: {
    succeeds: NO_DURABLE,
    missing: notFound(() => new GetDurableExecutionHistoryCommand({ DurableExecutionArn: NO_EXECUTION })),
    invalid: unmodelled(() => new GetDurableExecutionHistoryCommand({ DurableExecutionArn: BAD })),
  },
  StopDurableExecution: {
    succeeds: NO_DURABLE,
    missing: notFound(() => new StopDurableExecutionCommand({ DurableExecutionArn: NO_EXECUTION })),
    invalid: unmodelled(() => new StopDurableExecutionCommand({ DurableExecutionArn: BAD })),
  },
  ListDurableExecutionsByFunction: {
    succeeds: {
      status: 200,
      call: async (world) =>
        new ListDurableExecutionsByFunctionCommand({ FunctionName: await world.aFunction() }),
    },
    missing: notFound(() => new ListDurableExecutionsByFunctionCommand({ FunctionName: NOBODY })),
    invalid: unmodelled(
      async (world) =>
        new ListDurableExecutionsByFunctionCommand({
          FunctionName: await world.aFunction(),
          Statuses: ['SOME' as 'RUNNING'],
        }),
    ),
  },
  SendDurableExecutionCallbackSuccess: {
    succeeds: NO_DURABLE,
    missing: notFound(() => new SendDurableExecutionCallbackSuccessCommand({ CallbackId: TOKEN })),
    invalid: unmodelled(() => new SendDurableExecutionCallbackSuccessCommand({ CallbackId: 'a-b' })),
  },
  SendDurableExecutionCallbackFailure: {
    succeeds: NO_DURABLE,
    missing: notFound(() => new SendDurableExecutionCallbackFailureCommand({ CallbackId: TOKEN })),
    invalid: unmodelled(() => new SendDurableExecutionCallbackFailureCommand({ CallbackId: 'a-b' })),
  },
  SendDurableExecutionCallbackHeartbeat: {
    succeeds: NO_DURABLE,
    missing: notFound(() => new SendDurableExecutionCallbackHeartbeatCommand({ CallbackId: TOKEN })),
    invalid: unmodelled(() => new SendDurableExecutionCallbackHeartbeatCommand({ CallbackId: 'a-b' })),
  },
}
