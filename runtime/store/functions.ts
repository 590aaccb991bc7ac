/** Tables of functions and what belongs to them. */
export const functionsSchema = ''

/** Named writes of this family: name -> SQL. */
export const functionStatements = {} as const satisfies Record<string, string>
