import type { Manifest } from '../environments/frames.ts'
import { EngineError } from '../errors.ts'
import type { FunctionVersion } from '../registry/types.ts'
import { readOptions, taskShape, type TaskShape } from './task-shape.ts'

/** Shapes that are remembered of one version; a program may make up new options for every call. */
const MAX_SHAPES = 1000

/** The shapes of tasks by version, export and options: what is called often is read once. */
export class TaskShapes {
  readonly #known = new WeakMap<FunctionVersion, Map<string, TaskShape>>()
  /** What versions that tasks run as were made of. */
  readonly #bases = new WeakMap<FunctionVersion, FunctionVersion>()

  /**
   * Of a task of `version`; `options` are complete. It leases from the placement group `within`, that of its
   * caller, unless they say otherwise. Throws EngineError 'invalid'.
   */
  own(version: FunctionVersion, exportName: string, options: string, within: string | undefined): TaskShape {
    const base = this.#bases.get(version) ?? version
    let shapes = this.#known.get(base)
    if (shapes === undefined) this.#known.set(base, (shapes = new Map()))
    const key = `${exportName}\n${options}\n${within ?? ''}`
    const known = shapes.get(key)
    if (known !== undefined) return known
    if (shapes.size >= MAX_SHAPES) shapes.clear()
    const shape = taskShape(base, exportName, readOptions(options), within)
    shapes.set(key, shape)
    this.#bases.set(shape.version, base)
    return shape
  }

  /**
   * Of a task of `version` as its package declares it, with `options` over what it declares. Throws
   * EngineError 'not-found' and 'invalid'.
   */
  declared(
    version: FunctionVersion,
    exportName: string,
    manifest: Manifest,
    options: Readonly<Record<string, unknown>>,
    within: string | undefined,
  ): TaskShape {
    if (!Object.hasOwn(manifest.tasks, exportName)) {
      const names = Object.keys(manifest.tasks)
      const there = names.length === 0 ? 'It exports no tasks.' : `It exports ${names.join(', ')}.`
      throw new EngineError('not-found', `Function "${version.functionName}" has no task "${exportName}".`, {
        hint: there,
      })
    }
    return this.own(
      version,
      exportName,
      JSON.stringify({ ...manifest.tasks[exportName], ...options }),
      within,
    )
  }
}
