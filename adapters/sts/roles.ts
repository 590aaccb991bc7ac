/** A role as scripts made it. It grants nothing here: functions run with what the machine allows. */
export interface Role {
  readonly name: string
  readonly path: string
  readonly id: string
  readonly createdAtMs: number
  readonly description: string
  /** JSON, as it was given. */
  readonly assumePolicy: string
  /** Inline policies: JSON by name. */
  readonly policies: Map<string, string>
  /** ARNs of attached policies. */
  readonly attached: Set<string>
  readonly tags: Map<string, string>
}

/** Roles of one engine, until it stops. Bounded. */
export class Roles {
  readonly #roles = new Map<string, Role>()

  get(account: string, name: string): Role | undefined {
    return this.#roles.get(`${account}/${name}`)
  }

  /** False when there are too many. */
  add(account: string, role: Role): boolean {
    if (this.#roles.size >= MAX_ROLES) return false
    this.#roles.set(`${account}/${role.name}`, role)
    return true
  }

  delete(account: string, name: string): void {
    this.#roles.delete(`${account}/${name}`)
  }

  list(account: string): Role[] {
    return [...this.#roles].filter(([key]) => key.startsWith(`${account}/`)).map(([, role]) => role)
  }
}

const MAX_ROLES = 1000
