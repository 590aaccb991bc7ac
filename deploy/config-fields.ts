import { z } from 'zod'
import { parseDuration } from '../runtime/sdk/index.ts'

/** Milliseconds, null where there is no limit. */
export const duration = z.unknown().transform((value, context): number | null => {
  try {
    return parseDuration(value)
  } catch (error) {
    context.addIssue({ code: 'custom', message: error instanceof Error ? error.message : String(error) })
    return z.NEVER
  }
})

/** Which pages of other origins may call. */
export const cors = z.strictObject({
  allowOrigins: z.array(z.string()).optional(),
  allowMethods: z.array(z.string()).optional(),
  allowHeaders: z.array(z.string()).optional(),
  exposeHeaders: z.array(z.string()).optional(),
  allowCredentials: z.boolean().optional(),
  maxAge: duration.optional(),
})
