/**
 * What of a package an invocation runs, as a line of its meta: nothing for the handler, otherwise
 *
 *     task/<export>[/again]              one call of a task; the payload is a TaskPayload (call-payload.ts).
 *                                        `again`: it may run a second time after a death
 *     actor/<Class>/<key>                one activation of an actor; it runs until the actor sleeps again
 *     describe                           answers with the package's manifest
 *
 * A key is percent-encoded, so that neither a slash nor a line feed of it can be mistaken.
 */
export type CallTarget =
  | { readonly kind: 'handler' }
  | { readonly kind: 'task'; readonly exportName: string; readonly again: boolean }
  | { readonly kind: 'actor'; readonly className: string; readonly key: string }
  | { readonly kind: 'describe' }

/** The line of an invocation's meta; undefined for the handler. */
export function encodeTarget(target: CallTarget): string | undefined {
  switch (target.kind) {
    case 'handler':
      return undefined
    case 'task':
      return `task/${target.exportName}${target.again ? '/again' : ''}`
    case 'actor':
      return `actor/${target.className}/${encodeURIComponent(target.key)}`
    case 'describe':
      return 'describe'
  }
}

/** Reads what `encodeTarget` wrote. Throws a RangeError for anything else. */
export function decodeTarget(text: string | undefined): CallTarget {
  if (text === undefined) return { kind: 'handler' }
  if (text === 'describe') return { kind: 'describe' }
  const [kind, name = '', key] = text.split('/')
  if (kind === 'task' && name !== '') return { kind, exportName: name, again: key === 'again' }
  if (kind === 'actor' && name !== '' && key !== undefined)
    return { kind, className: name, key: decodeURIComponent(key) }
  throw new RangeError(`Nothing of a package is called "${text}".`)
}
