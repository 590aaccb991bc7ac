import type { NodeRuntimes } from './node-runtimes.ts'
import type { NodeBinary } from './starter.ts'

/**
 * The Node.js binaries that were asked for, by runtime identifier; the engine's own until another one is
 * there.
 */
export class NodeBinaries {
  readonly own: NodeBinary = { nodePath: process.execPath, version: process.version }
  readonly #runtimes: NodeRuntimes
  readonly #found = new Map<string, NodeBinary>()

  constructor(runtimes: NodeRuntimes) {
    this.#runtimes = runtimes
  }

  of(runtime: string): NodeBinary {
    return this.#found.get(runtime) ?? this.own
  }

  /** Undefined for what is not Node.js. */
  async load(runtime: string): Promise<NodeBinary | undefined> {
    if (!runtime.startsWith('nodejs')) return undefined
    const known = this.#found.get(runtime)
    if (known !== undefined) return known
    const { nodePath, version } = await this.#runtimes.resolve(runtime)
    const binary = nodePath === this.own.nodePath ? this.own : { nodePath, version }
    this.#found.set(runtime, binary)
    return binary
  }

  async loadAll(names: ReadonlySet<string>): Promise<void> {
    await Promise.all([...names].map((name) => this.load(name)))
  }
}
