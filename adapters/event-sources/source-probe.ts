import type { Scope } from '../../runtime/store/journal.ts'

/** Looks at a source before a mapping to it is made. */
export interface SourceProbe {
  /**
   * Resolves when the source is there and fits a function that runs for `functionTimeoutMs`, and when nobody
   * can be asked. `scope` is who asks. Rejects with EngineError 'invalid' and the service's text.
   */
  check(scope: Scope, sourceArn: string, functionTimeoutMs: number): Promise<void>
}
