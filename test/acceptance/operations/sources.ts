import {
  AddLayerVersionPermissionCommand,
  CreateCodeSigningConfigCommand,
  CreateEventSourceMappingCommand,
  DeleteCodeSigningConfigCommand,
  DeleteEventSourceMappingCommand,
  DeleteFunctionCodeSigningConfigCommand,
  DeleteLayerVersionCommand,
  GetCodeSigningConfigCommand,
  GetEventSourceMappingCommand,
  GetFunctionCodeSigningConfigCommand,
  GetLayerVersionByArnCommand,
  GetLayerVersionCommand,
  GetLayerVersionPolicyCommand,
  ListCodeSigningConfigsCommand,
  ListEventSourceMappingsCommand,
  ListFunctionsByCodeSigningConfigCommand,
  ListLayersCommand,
  ListLayerVersionsCommand,
  PublishLayerVersionCommand,
  PutFunctionCodeSigningConfigCommand,
  RemoveLayerVersionPermissionCommand,
  UpdateCodeSigningConfigCommand,
  UpdateEventSourceMappingCommand,
} from '@aws-sdk/client-lambda'
import {
  arnOf,
  BAD,
  badParameter,
  LAYER_PERMISSION,
  NO_SIGNING,
  NO_UUID,
  NOBODY,
  notFound,
  PUBLISHERS,
  QUEUE,
  refused,
  unmodelled,
  type Operation,
} from './operation.ts'

const NO_LAYER = { LayerName: 'none', VersionNumber: 1 }

/** Event source mappings, layers, code signing. */
export const SOURCE_OPERATIONS: Readonly<Record<string, Operation>> = {
  CreateEventSourceMapping: {
    succeeds: {
      status: 202,
      call: async (world) =>
        new CreateEventSourceMappingCommand({
          FunctionName: await world.aFunction(),
          EventSourceArn: QUEUE,
          Enabled: false,
        }),
    },
    missing: badParameter(
      () => new CreateEventSourceMappingCommand({ FunctionName: NOBODY, EventSourceArn: QUEUE }),
    ),
    invalid: unmodelled(
      async (world) =>
        new CreateEventSourceMappingCommand({
          FunctionName: await world.aFunction(),
          EventSourceArn: QUEUE,
          BatchSize: 0,
        }),
    ),
  },
  GetEventSourceMapping: {
    succeeds: {
      status: 200,
      call: async (world) => new GetEventSourceMappingCommand({ UUID: await world.aMapping() }),
    },
    missing: notFound(() => new GetEventSourceMappingCommand({ UUID: NO_UUID })),
    invalid: 'any text may be an id: it is not found',
  },
  UpdateEventSourceMapping: {
    succeeds: {
      status: 202,
      call: async (world) =>
        new UpdateEventSourceMappingCommand({ UUID: await world.aMapping(), BatchSize: 5 }),
    },
    missing: notFound(() => new UpdateEventSourceMappingCommand({ UUID: NO_UUID, BatchSize: 5 })),
    invalid: unmodelled(
      async (world) => new UpdateEventSourceMappingCommand({ UUID: await world.aMapping(), BatchSize: 0 }),
    ),
  },
  DeleteEventSourceMapping: {
    succeeds: {
      status: 202,
      call: async (world) => new DeleteEventSourceMappingCommand({ UUID: await world.aMapping() }),
    },
    missing: notFound(() => new DeleteEventSourceMappingCommand({ UUID: NO_UUID })),
    invalid: 'any text may be an id: it is not found',
  },
  ListEventSourceMappings: {
    succeeds: { status: 200, call: () => new ListEventSourceMappingsCommand({}) },
    missing: 'a list of nothing is empty, of nobody too',
    invalid: unmodelled(() => new ListEventSourceMappingsCommand({ MaxItems: 0 })),
  },
  PublishLayerVersion: {
    succeeds: {
      status: 201,
      call: async (world) =>
        new PublishLayerVersionCommand({ LayerName: world.name(), Content: { ZipFile: await world.zip() } }),
    },
    missing: badParameter(
      () =>
        new PublishLayerVersionCommand({
          LayerName: 'l',
          Content: { S3Bucket: 'no-such-bucket', S3Key: 'none' },
        }),
    ),
    invalid: unmodelled(
      async (world) =>
        new PublishLayerVersionCommand({ LayerName: BAD, Content: { ZipFile: await world.zip() } }),
    ),
  },
  GetLayerVersion: {
    succeeds: {
      status: 200,
      call: async (world) =>
        new GetLayerVersionCommand({ LayerName: await world.aLayer(), VersionNumber: 1 }),
    },
    missing: notFound(() => new GetLayerVersionCommand(NO_LAYER)),
    invalid: badParameter(
      async (world) => new GetLayerVersionCommand({ LayerName: await world.aLayer(), VersionNumber: 0 }),
    ),
  },
  GetLayerVersionByArn: {
    succeeds: {
      status: 200,
      call: async (world) =>
        new GetLayerVersionByArnCommand({ Arn: `${arnOf('layer', await world.aLayer())}:1` }),
    },
    missing: notFound(() => new GetLayerVersionByArnCommand({ Arn: `${arnOf('layer', 'none')}:1` })),
    invalid: unmodelled(() => new GetLayerVersionByArnCommand({ Arn: BAD })),
  },
  DeleteLayerVersion: {
    succeeds: {
      status: 204,
      call: async (world) =>
        new DeleteLayerVersionCommand({ LayerName: await world.aLayer(), VersionNumber: 1 }),
    },
    missing: 'what is not there is deleted already: 204',
    invalid: badParameter(
      async (world) => new DeleteLayerVersionCommand({ LayerName: await world.aLayer(), VersionNumber: 0 }),
    ),
  },
  ListLayers: {
    succeeds: { status: 200, call: () => new ListLayersCommand({}) },
    missing: 'a list of nothing is empty',
    invalid: unmodelled(() => new ListLayersCommand({ CompatibleArchitecture: 'vax' as 'arm64' })),
  },
  ListLayerVersions: {
    succeeds: {
      status: 200,
      call: async (world) => new ListLayerVersionsCommand({ LayerName: await world.aLayer() }),
    },
    missing: 'a list of nothing is empty',
    invalid: unmodelled(() => new ListLayerVersionsCommand({ LayerName: BAD })),
  },
  AddLayerVersionPermission: {
    succeeds: {
      status: 201,
      call: async (world) =>
        new AddLayerVersionPermissionCommand({
          LayerName: await world.aLayer(),
          VersionNumber: 1,
          ...LAYER_PERMISSION,
        }),
    },
    missing: notFound(() => new AddLayerVersionPermissionCommand({ ...NO_LAYER, ...LAYER_PERMISSION })),
    invalid: unmodelled(
      async (world) =>
        new AddLayerVersionPermissionCommand({
          LayerName: await world.aLayer(),
          VersionNumber: 1,
          ...LAYER_PERMISSION,
          Action: 'lambda:Everything',
        }),
    ),
  },
  GetLayerVersionPolicy: {
    succeeds: {
      status: 200,
      call: async (world) =>
        new GetLayerVersionPolicyCommand({ LayerName: await world.aLayerPolicy(), VersionNumber: 1 }),
    },
    missing: notFound(
      async (world) =>
        new GetLayerVersionPolicyCommand({ LayerName: await world.aLayer(), VersionNumber: 1 }),
    ),
    invalid: unmodelled(() => new GetLayerVersionPolicyCommand({ LayerName: BAD, VersionNumber: 1 })),
  },
  RemoveLayerVersionPermission: {
    succeeds: {
      status: 204,
      call: async (world) =>
        new RemoveLayerVersionPermissionCommand({
          LayerName: await world.aLayerPolicy(),
          VersionNumber: 1,
          StatementId: 'all',
        }),
    },
    missing: notFound(
      async (world) =>
        new RemoveLayerVersionPermissionCommand({
          LayerName: await world.aLayerPolicy(),
          VersionNumber: 1,
          StatementId: 'none',
        }),
    ),
    invalid: refused(
      'PreconditionFailedException',
      412,
      async (world) =>
        new RemoveLayerVersionPermissionCommand({
          LayerName: await world.aLayerPolicy(),
          VersionNumber: 1,
          StatementId: 'all',
          RevisionId: 'old',
        }),
    ),
  },
  CreateCodeSigningConfig: {
    succeeds: {
      status: 201,
      call: () => new CreateCodeSigningConfigCommand({ AllowedPublishers: PUBLISHERS }),
    },
    missing: 'nothing has to be there before it',
    invalid: unmodelled(
      () =>
        new CreateCodeSigningConfigCommand({
          AllowedPublishers: PUBLISHERS,
          CodeSigningPolicies: { UntrustedArtifactOnDeployment: 'Some' as 'Warn' },
        }),
    ),
  },
  GetCodeSigningConfig: {
    succeeds: {
      status: 200,
      call: async (world) =>
        new GetCodeSigningConfigCommand({ CodeSigningConfigArn: await world.aSigning() }),
    },
    missing: notFound(() => new GetCodeSigningConfigCommand({ CodeSigningConfigArn: NO_SIGNING })),
    invalid: unmodelled(() => new GetCodeSigningConfigCommand({ CodeSigningConfigArn: BAD })),
  },
  UpdateCodeSigningConfig: {
    succeeds: {
      status: 200,
      call: async (world) =>
        new UpdateCodeSigningConfigCommand({
          CodeSigningConfigArn: await world.aSigning(),
          Description: 'd',
        }),
    },
    missing: notFound(() => new UpdateCodeSigningConfigCommand({ CodeSigningConfigArn: NO_SIGNING })),
    invalid: unmodelled(() => new UpdateCodeSigningConfigCommand({ CodeSigningConfigArn: BAD })),
  },
  DeleteCodeSigningConfig: {
    succeeds: {
      status: 204,
      call: async (world) =>
        new DeleteCodeSigningConfigCommand({ CodeSigningConfigArn: await world.aSigning() }),
    },
    missing: notFound(() => new DeleteCodeSigningConfigCommand({ CodeSigningConfigArn: NO_SIGNING })),
    invalid: unmodelled(() => new DeleteCodeSigningConfigCommand({ CodeSigningConfigArn: BAD })),
  },
  ListCodeSigningConfigs: {
    succeeds: { status: 200, call: () => new ListCodeSigningConfigsCommand({}) },
    missing: 'a list of nothing is empty',
    invalid: unmodelled(() => new ListCodeSigningConfigsCommand({ MaxItems: 0 })),
  },
  ListFunctionsByCodeSigningConfig: {
    succeeds: {
      status: 200,
      call: async (world) =>
        new ListFunctionsByCodeSigningConfigCommand({ CodeSigningConfigArn: await world.aSigning() }),
    },
    missing: notFound(
      () => new ListFunctionsByCodeSigningConfigCommand({ CodeSigningConfigArn: NO_SIGNING }),
    ),
    invalid: unmodelled(() => new ListFunctionsByCodeSigningConfigCommand({ CodeSigningConfigArn: BAD })),
  },
  PutFunctionCodeSigningConfig: {
    succeeds: {
      status: 200,
      call: async (world) =>
        new PutFunctionCodeSigningConfigCommand({
          FunctionName: await world.aFunction(),
          CodeSigningConfigArn: await world.aSigning(),
        }),
    },
    missing: refused(
      'CodeSigningConfigNotFoundException',
      404,
      async (world) =>
        new PutFunctionCodeSigningConfigCommand({
          FunctionName: await world.aFunction(),
          CodeSigningConfigArn: NO_SIGNING,
        }),
    ),
    invalid: unmodelled(
      () => new PutFunctionCodeSigningConfigCommand({ FunctionName: NOBODY, CodeSigningConfigArn: BAD }),
    ),
  },
  GetFunctionCodeSigningConfig: {
    succeeds: {
      status: 200,
      call: async (world) => new GetFunctionCodeSigningConfigCommand({ FunctionName: await world.signed() }),
    },
    missing: notFound(() => new GetFunctionCodeSigningConfigCommand({ FunctionName: NOBODY })),
    invalid: unmodelled(() => new GetFunctionCodeSigningConfigCommand({ FunctionName: BAD })),
  },
  DeleteFunctionCodeSigningConfig: {
    succeeds: {
      status: 204,
      call: async (world) =>
        new DeleteFunctionCodeSigningConfigCommand({ FunctionName: await world.signed() }),
    },
    missing: notFound(() => new DeleteFunctionCodeSigningConfigCommand({ FunctionName: NOBODY })),
    invalid: unmodelled(() => new DeleteFunctionCodeSigningConfigCommand({ FunctionName: BAD })),
  },
}
