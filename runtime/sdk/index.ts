import { contextOf } from './context.ts'
import { installedSdk } from './installed.ts'
import type { Context, ProjectConfig } from './types.ts'

export { parseDuration, type Duration } from './duration.ts'
export type { ResponseMetadata, ResponseStream, StreamingHandler } from './streaming.ts'
export type {
  Context,
  CorsConfig,
  FunctionConfig,
  GpuRequest,
  Handler,
  PlacementGroupConfig,
  ProjectConfig,
  ProjectFunction,
  Route,
  RouteConfig,
  ScheduleConfig,
  UrlConfig,
} from './types.ts'

/** Gives `lambent.config.ts` its types; returns what it is given. */
export const defineConfig = (config: ProjectConfig): ProjectConfig => config

/**
 * The context of the invocation that this code runs in, also behind awaits and in concurrent calls. Reading a
 * member outside of an invocation throws.
 */
export const context: Context = installedSdk()?.context ?? contextOf(() => undefined)
