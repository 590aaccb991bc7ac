/**
 * Compares an answer with a recorded one. Recorded values hold placeholders: `<uuid:1>` stands for one value
 * throughout a case, and `<uuid:2>` for another one; `<location>` for any; `date` for any time.
 */
export class Matching {
  readonly #bound = new Map<string, string>()

  /** What differs, one line each; nothing when the answer is exact. */
  differences(recorded: unknown, actual: unknown, path = ''): string[] {
    if (typeof recorded === 'string') return this.#text(recorded, actual, path)
    if (Array.isArray(recorded)) {
      if (!Array.isArray(actual)) return [`${path}: ${shown(actual)} is no list`]
      const lengths =
        recorded.length === actual.length ? [] : [`${path}: ${actual.length} items, not ${recorded.length}`]
      return [
        ...lengths,
        ...recorded.flatMap((one, index) =>
          index < actual.length ? this.differences(one, actual[index], `${path}[${index}]`) : [],
        ),
      ]
    }
    if (isRecord(recorded)) return this.#record(recorded, actual, path)
    return Object.is(recorded, actual) ? [] : [`${path}: ${shown(actual)}, not ${shown(recorded)}`]
  }

  #record(recorded: Readonly<Record<string, unknown>>, actual: unknown, path: string): string[] {
    // the recordings show JSON text as what it says
    if (typeof actual === 'string' && isJsonObject(actual))
      return this.#record(recorded, JSON.parse(actual), path)
    if (!isRecord(actual)) return [`${path}: ${shown(actual)}, not an object`]
    const missing = Object.keys(recorded).filter((name) => !(name in actual))
    const more = Object.keys(actual).filter((name) => !(name in recorded))
    return [
      ...missing.map((name) => `${path}.${name}: missing, not ${shown(recorded[name])}`),
      ...more.map((name) => `${path}.${name}: ${shown(actual[name])}, which is not recorded`),
      ...Object.entries(recorded).flatMap(([name, value]) =>
        name in actual ? this.differences(value, actual[name], `${path}.${name}`) : [],
      ),
    ]
  }

  #text(recorded: string, actual: unknown, path: string): string[] {
    if (isTime(recorded)) return isMoment(actual) ? [] : [`${path}: ${shown(actual)} is no time`]
    if (ANYTHING.has(recorded)) return actual === undefined ? [`${path}: missing`] : []
    if (/^<[^<>]+>$/.test(recorded) && typeof actual !== 'string') return []
    if (typeof actual !== 'string') return [`${path}: ${shown(actual)}, not ${shown(recorded)}`]
    const { expression, names } = patternOf(recorded)
    const match = expression.exec(actual)
    if (match === null) return [`${path}: ${shown(actual)}, not ${shown(recorded)}`]
    return names.flatMap((name, index) => this.#bind(name, match[index + 1] ?? '', path))
  }

  #bind(name: string, value: string, path: string): string[] {
    if (!/:\d+$/.test(name)) return []
    const before = this.#bound.get(name)
    if (before !== undefined) {
      return before === value ? [] : [`${path}: ${shown(value)}, but <${name}> was ${shown(before)}`]
    }
    const [kind] = name.split(':')
    const same = [...this.#bound].find(([other, bound]) => other.startsWith(`${kind}:`) && bound === value)
    this.#bound.set(name, value)
    // Two ids of one kind are two values: a revision that should have changed has not.
    if (same === undefined || kind !== 'uuid') return []
    return [`${path}: <${name}> is still <${same[0]}>`]
  }
}

const ANYTHING = new Set([
  'code-sha256',
  'function-url',
  'lambda-url',
  'sent-timestamp',
  'sender-id',
  'maximum-batching-window-in-seconds',
])
const isTime = (text: string): boolean =>
  text === 'date' || text === 'datetime' || text === 'timestamp' || /^<timestamp:[^<>]+>$/.test(text)
const isMoment = (value: unknown): boolean =>
  typeof value === 'number'
    ? value > 1.6e9
    : typeof value === 'string' && (/^\d{13}$/.test(value) || !Number.isNaN(Date.parse(value)))

const isJsonObject = (text: string): boolean => {
  try {
    return isRecord(JSON.parse(text))
  } catch {
    return false
  }
}

const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

const KNOWN: Readonly<Record<string, string>> = { partition: 'aws', region: 'us-east-1' }

/** Text with placeholders as an expression, and the placeholders in the order of its groups. */
function patternOf(recorded: string): { expression: RegExp; names: string[] } {
  const names: string[] = []
  // a recorder that replaced a placeholder's own text left one inside another
  const flat = recorded.replaceAll(/<<([\w-]+)>(:\d+)>/g, '<$1$2>')
  const parts = flat.split(/(<[\w: ()-]+>)/).map((part, index) => {
    if (index % 2 === 0) return escaped(part)
    const name = part.slice(1, -1)
    const repeated = /^(\w):len\((\d+)\)$/.exec(name)
    if (repeated !== null) return (repeated[1] ?? '').repeat(Number(repeated[2]))
    if (name in KNOWN) return escaped(KNOWN[name] ?? '')
    names.push(name)
    return '([^]+?)'
  })
  return { expression: new RegExp(`^${parts.join('')}$`), names }
}

const escaped = (text: string): string => text.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&')

/** A value on one line, cut where it gets long. */
function shown(value: unknown): string {
  const text = JSON.stringify(value) ?? 'undefined'
  return text.length > 160 ? `${text.slice(0, 157)}…` : text
}
