import { EngineError } from '../../runtime/errors.ts'

/** A value as Lambda's own validation prints it. */
export type Shown = string | number | boolean | readonly string[] | null

/**
 * Violations of the service's model, collected so that one answer names them all:
 * `2 validation errors detected: Value 'x' at 'name' failed to satisfy constraint: …; Value …`.
 */
export class Constraints {
  readonly #found: string[] = []

  add(value: Shown, at: string, constraint: string): void {
    const shown =
      value === null ? 'null' : Array.isArray(value) ? `'[${value.join(', ')}]'` : `'${String(value)}'`
    this.#found.push(`Value ${shown} at '${at}' failed to satisfy constraint: ${constraint}`)
  }

  required(value: unknown, at: string): void {
    if (value === undefined || value === null) this.add(null, at, 'Member must not be null')
  }

  oneOf(value: string | undefined, at: string, allowed: readonly string[]): void {
    if (value !== undefined && !allowed.includes(value))
      this.add(value, at, `Member must satisfy enum value set: [${allowed.join(', ')}]`)
  }

  length(value: string | undefined, at: string, low: number, high: number): void {
    if (value === undefined) return
    if (value.length > high) this.add(value, at, `Member must have length less than or equal to ${high}`)
    if (value.length < low) this.add(value, at, `Member must have length greater than or equal to ${low}`)
  }

  pattern(value: string | undefined, at: string, pattern: Pattern): void {
    if (value !== undefined && !pattern.expression.test(value))
      this.add(value, at, `Member must satisfy regular expression pattern: ${pattern.source}`)
  }

  range(value: number | undefined, at: string, low: number, high = Number.POSITIVE_INFINITY): void {
    if (value === undefined) return
    if (value > high) this.add(value, at, `Member must have value less than or equal to ${high}`)
    if (value < low) this.add(value, at, `Member must have value greater than or equal to ${low}`)
  }

  /** Throws EngineError 'invalid' with detail 'constraint' when anything was found. */
  check(): void {
    const count = this.#found.length
    if (count === 0) return
    throw new EngineError(
      'invalid',
      `${count} validation error${count === 1 ? '' : 's'} detected: ${this.#found.join('; ')}`,
      { detail: 'constraint' },
    )
  }
}

/** A pattern of the model: the text that errors quote, and what it matches from end to end. */
export interface Pattern {
  readonly source: string
  readonly expression: RegExp
}

/** A pattern from its text in the model. */
export const pattern = (source: string): Pattern => ({ source, expression: new RegExp(`^(?:${source})$`) })
