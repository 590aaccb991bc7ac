/** What XML holds: text, an element of elements, or `<member>`s. */
export type XmlValue = string | number | boolean | { readonly [name: string]: XmlValue | undefined } | XmlList

/** A list as the query protocol spells it: `<member>` after `<member>`. */
export interface XmlList extends ReadonlyArray<XmlValue> {}

const ESCAPES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&apos;',
}
/** Without what XML 1.0 cannot hold at all. */
function speakable(text: string): string {
  return Array.from(text)
    .filter((character) => character >= ' ' || '\t\n\r'.includes(character))
    .join('')
}

const escape = (text: string): string =>
  speakable(text).replaceAll(/[&<>"']/g, (character) => ESCAPES[character] ?? '')

/** The inside of an element. */
export function xml(value: XmlValue): string {
  if (typeof value !== 'object') return escape(String(value))
  if (isList(value)) return value.map((item) => `<member>${xml(item)}</member>`).join('')
  return Object.entries(value)
    .map(([name, inner]) => (inner === undefined ? '' : `<${name}>${xml(inner)}</${name}>`))
    .join('')
}

const isList = (value: object): value is XmlList => Array.isArray(value)
