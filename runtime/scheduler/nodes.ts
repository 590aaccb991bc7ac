import { EngineError, messageOf } from '../errors.ts'
import type { Log } from '../log.ts'
import { MILLI, milli } from '../resources.ts'
import { readNodeSettings } from '../store/nodes.ts'
import type { Store } from '../store/store.ts'
import { isName } from '../wish.ts'
import type { LocalCluster } from './local-cluster.ts'
import type { LocalNode, NodeSettings } from './local-node.ts'

/** What to change about a node; what is absent stays, null takes back what was changed before. */
export interface NodeChange {
  /** In plain units: `{ gpu: 2, memoryMb: 16000 }`. */
  readonly capacity?: Readonly<Record<string, number | null>> | undefined
  readonly labels?: Readonly<Record<string, string | null>> | undefined
  /** A draining node finishes what it runs and takes nothing new. */
  readonly drain?: boolean | undefined
}

const UNCHANGED: NodeSettings = { capacity: {}, labels: {}, drain: false }
const MOST = 1e9
const MOST_NAMES = 64
const MAX_LABEL_LENGTH = 256

/** What was changed about this machine's nodes: kept over a restart, by the name of the node. */
export class Nodes {
  readonly #cluster: LocalCluster
  readonly #store: Pick<Store, 'commit'>
  readonly #settings = new Map<string, NodeSettings>()

  /** Settings of nodes that are not there any more are kept for when they are. */
  constructor(cluster: LocalCluster, store: Pick<Store, 'commit' | 'reader'>, log: Log) {
    this.#cluster = cluster
    this.#store = store
    for (const row of readNodeSettings(store.reader))
      // the cast reads back what `change` stored
      this.#settings.set(row.name, JSON.parse(row.settings_json) as NodeSettings)
    // what gives up GPUs first: another one may have got them
    for (const node of cluster.nodes().toSorted((left, right) => this.#growth(left) - this.#growth(right))) {
      const settings = this.#settings.get(node.name)
      try {
        if (settings !== undefined) cluster.configure(node.name, settings)
      } catch (error) {
        log.warn('a node cannot be as it was set', { node: node.name, message: messageOf(error) })
      }
    }
  }

  /**
   * Changes a node; resolves when that is on disk. What is lowered under what is held takes effect as leases
   * end. Rejects with EngineError 'not-found' and 'invalid'.
   */
  async change(name: string, change: NodeChange): Promise<void> {
    const before = this.#settings.get(name) ?? UNCHANGED
    const after = changed(before, change)
    this.#cluster.configure(name, after)
    this.#settings.set(name, after)
    try {
      await this.#store.commit([['putNodeSettings', name, JSON.stringify(after)]])
    } catch (error) {
      if (this.#settings.get(name) === after) {
        this.#settings.set(name, before)
        this.#cluster.configure(name, before)
      }
      throw error
    }
  }

  #growth(node: LocalNode): number {
    const wanted = this.#settings.get(node.name)?.capacity['gpu']
    return wanted === undefined ? 0 : wanted - (node.capacity['gpu'] ?? 0)
  }
}

function changed(before: NodeSettings, { capacity = {}, labels = {}, drain }: NodeChange): NodeSettings {
  const amounts: Record<string, number> = { ...before.capacity }
  for (const [name, amount] of Object.entries(capacity)) {
    if (!isName(name) || name.startsWith('gpu:') || name === 'gpuMemoryMb')
      throw new EngineError('invalid', `A node has no capacity of "${name}" that could be set.`, {
        hint: 'Capacities are cpu, memoryMb, gpu and names of your own.',
      })
    if (amount === null) delete amounts[name]
    else amounts[name] = capacityOf(name, amount)
  }
  const texts: Record<string, string> = { ...before.labels }
  for (const [name, value] of Object.entries(labels)) {
    if (!isName(name) || name === 'node' || (value !== null && value.length > MAX_LABEL_LENGTH))
      throw new EngineError('invalid', `"${name}" cannot be set as a label.`, {
        hint: `A label has a name of letters, digits, dots, dashes, underscores and slashes, and up to ${MAX_LABEL_LENGTH} characters; node is the node’s own name.`,
      })
    if (value === null) delete texts[name]
    else texts[name] = value
  }
  if (Object.keys(amounts).length > MOST_NAMES || Object.keys(texts).length > MOST_NAMES)
    throw new EngineError('invalid', `A node has at most ${MOST_NAMES} capacities and labels of its own.`)
  return { capacity: amounts, labels: texts, drain: drain ?? before.drain }
}

function capacityOf(name: string, amount: number): number {
  const isGood =
    amount >= 0 && amount <= MOST && (name !== 'gpu' || (Number.isInteger(amount) && amount <= 1024))
  if (isGood) return name === 'gpu' ? amount * MILLI : milli(amount)
  throw new EngineError('invalid', `Capacity ${name} cannot be ${amount}.`, {
    hint: name === 'gpu' ? 'It takes a whole number of GPUs.' : 'It takes an amount of 0 or more.',
  })
}
