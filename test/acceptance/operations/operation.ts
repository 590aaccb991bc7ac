import {
  AddLayerVersionPermissionCommand,
  AddPermissionCommand,
  CreateAliasCommand,
  CreateCapacityProviderCommand,
  CreateCodeSigningConfigCommand,
  CreateEventSourceMappingCommand,
  CreateFunctionCommand,
  CreateFunctionUrlConfigCommand,
  LambdaClient,
  PublishLayerVersionCommand,
  PutFunctionCodeSigningConfigCommand,
  PutFunctionEventInvokeConfigCommand,
  PutProvisionedConcurrencyConfigCommand,
  type CreateFunctionCommandInput,
} from '@aws-sdk/client-lambda'
import { active, startLambent, zipOf, type RunningLambent } from '../../support/lambent.ts'

/** A command of the client; what `send` declares takes none of them by its general type. */
export interface Command {
  readonly input: object
  readonly middlewareStack: object
}

/** One call of an operation that is refused, and how. */
export interface Refused {
  readonly call: (world: World) => Command | Promise<Command>
  /** The name of the SDK's class where it has one. */
  readonly error: string
  readonly status: number
}

/** What an operation of the client answers: when all is well, when something is missing, when it is wrong. */
export interface Operation {
  readonly succeeds:
    | { readonly call: (world: World) => Command | Promise<Command>; readonly status: number }
    /** Why no call of it can succeed yet. */
    | string
  /** A reason where there is nothing that could be missing. */
  readonly missing: Refused | string
  /** A reason where there is nothing that could be invalid. */
  readonly invalid: Refused | string
}

export const ACCOUNT = '000000000000'
export const REGION = 'us-east-1'
export const ROLE = `arn:aws:iam::${ACCOUNT}:role/r`
/** A function that nobody made. */
export const NOBODY = 'nobody'
/** What no pattern of a name takes. */
export const BAD = 'no name!'

/** The ARN of something of this account. */
export const arnOf = (kind: string, name: string): string =>
  `arn:aws:lambda:${REGION}:${ACCOUNT}:${kind}:${name}`

/** A refusal with an exception of the model. */
export const refused = (error: string, status: number, call: Refused['call']): Refused => ({
  call,
  error,
  status,
})
export const notFound = (call: Refused['call']): Refused => refused('ResourceNotFoundException', 404, call)
/** The model's own constraints are checked before anything is looked up. */
export const unmodelled = (call: Refused['call']): Refused => refused('ValidationException', 400, call)
export const badParameter = (call: Refused['call']): Refused =>
  refused('InvalidParameterValueException', 400, call)

/** A running engine, a client of it, and what calls need to be there before them. */
export class World implements AsyncDisposable {
  readonly lambent: RunningLambent
  readonly client: LambdaClient
  #made = 0

  private constructor(lambent: RunningLambent) {
    this.lambent = lambent
    this.client = new LambdaClient({
      endpoint: lambent.url,
      region: REGION,
      credentials: { accessKeyId: 'test', secretAccessKey: 'test' },
      maxAttempts: 1,
    })
  }

  static async start(): Promise<World> {
    return new World(await startLambent())
  }

  /** A name that nothing has. */
  name(): string {
    this.#made += 1
    return `made-${this.#made}`
  }

  zip(): Promise<Buffer> {
    return zipOf({ 'index.js': `exports.handler = async (event) => event // ${this.#made}` })
  }

  async creation(more: Partial<CreateFunctionCommandInput> = {}): Promise<CreateFunctionCommandInput> {
    return {
      FunctionName: this.name(),
      Role: ROLE,
      Runtime: `nodejs${process.versions.node.split('.')[0]}.x` as 'nodejs20.x',
      Handler: 'index.handler',
      Code: { ZipFile: await this.zip() },
      ...more,
    }
  }

  /** An active function with version 1; gives its name. */
  async aFunction(more: Partial<CreateFunctionCommandInput> = {}): Promise<string> {
    const creation = await this.creation({ Publish: true, ...more })
    await this.client.send(new CreateFunctionCommand(creation))
    await active(this.lambent.url, creation.FunctionName ?? '')
    return creation.FunctionName ?? ''
  }

  /** A function whose alias `live` stands for version 1. */
  async anAlias(): Promise<string> {
    const FunctionName = await this.aFunction()
    await this.client.send(new CreateAliasCommand({ FunctionName, Name: 'live', FunctionVersion: '1' }))
    return FunctionName
  }

  async aPolicy(): Promise<string> {
    const FunctionName = await this.aFunction()
    await this.client.send(new AddPermissionCommand({ FunctionName, ...PERMISSION }))
    return FunctionName
  }

  async aUrl(): Promise<string> {
    const FunctionName = await this.aFunction()
    await this.client.send(new CreateFunctionUrlConfigCommand({ FunctionName, AuthType: 'NONE' }))
    return FunctionName
  }

  async eventSettings(): Promise<string> {
    const FunctionName = await this.aFunction()
    await this.client.send(new PutFunctionEventInvokeConfigCommand({ FunctionName, MaximumRetryAttempts: 1 }))
    return FunctionName
  }

  async provisioned(): Promise<string> {
    const FunctionName = await this.aFunction()
    const put = { FunctionName, Qualifier: '1', ProvisionedConcurrentExecutions: 1 }
    await this.client.send(new PutProvisionedConcurrencyConfigCommand(put))
    return FunctionName
  }

  /** A mapping that polls nothing; gives its id. */
  async aMapping(): Promise<string> {
    const FunctionName = await this.aFunction()
    const { UUID } = await this.client.send(
      new CreateEventSourceMappingCommand({ FunctionName, EventSourceArn: QUEUE, Enabled: false }),
    )
    return UUID ?? ''
  }

  /** A layer with version 1; gives its name. */
  async aLayer(): Promise<string> {
    const LayerName = this.name()
    await this.client.send(
      new PublishLayerVersionCommand({ LayerName, Content: { ZipFile: await this.zip() } }),
    )
    return LayerName
  }

  async aLayerPolicy(): Promise<string> {
    const LayerName = await this.aLayer()
    await this.client.send(
      new AddLayerVersionPermissionCommand({ LayerName, VersionNumber: 1, ...LAYER_PERMISSION }),
    )
    return LayerName
  }

  /** Gives the ARN of a new code signing configuration. */
  async aSigning(): Promise<string> {
    const { CodeSigningConfig } = await this.client.send(
      new CreateCodeSigningConfigCommand({ AllowedPublishers: PUBLISHERS }),
    )
    return CodeSigningConfig?.CodeSigningConfigArn ?? ''
  }

  /** A function with a code signing configuration. */
  async signed(): Promise<string> {
    const FunctionName = await this.aFunction()
    const CodeSigningConfigArn = await this.aSigning()
    await this.client.send(new PutFunctionCodeSigningConfigCommand({ FunctionName, CodeSigningConfigArn }))
    return FunctionName
  }

  /** Gives the name of a new capacity provider. */
  async aProvider(): Promise<string> {
    const CapacityProviderName = this.name()
    await this.client.send(new CreateCapacityProviderCommand({ CapacityProviderName, ...PROVIDER }))
    return CapacityProviderName
  }

  /** A function with version 1 in a capacity provider. */
  async inProvider(): Promise<string> {
    const CapacityProviderArn = arnOf('capacity-provider', await this.aProvider())
    return await this.aFunction({
      MemorySize: 128,
      CapacityProviderConfig: { LambdaManagedInstancesCapacityProviderConfig: { CapacityProviderArn } },
    })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.client.destroy()
    await this.lambent[Symbol.asyncDispose]()
  }
}

export const QUEUE = `arn:aws:sqs:${REGION}:${ACCOUNT}:queue`
export const PERMISSION = {
  StatementId: 's3',
  Action: 'lambda:InvokeFunction',
  Principal: 's3.amazonaws.com',
} as const
export const LAYER_PERMISSION = {
  StatementId: 'all',
  Action: 'lambda:GetLayerVersion',
  Principal: '*',
} as const
export const PUBLISHERS = {
  SigningProfileVersionArns: [`arn:aws:signer:${REGION}:${ACCOUNT}:/signing-profiles/p/abcdefghij`],
}
export const PROVIDER = {
  VpcConfig: { SubnetIds: ['subnet-1'], SecurityGroupIds: ['sg-1'] },
  PermissionsConfig: { CapacityProviderOperatorRoleArn: ROLE },
}
/** Shaped as one, and nobody's. */
export const NO_SIGNING = arnOf('code-signing-config', 'csc-0123456789abcdef0')
export const NO_UUID = '01234567-89ab-cdef-0123-456789abcdef'
