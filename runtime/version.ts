import { readFileSync } from 'node:fs'

/**
 * This package's version, from its own package.json: two folders up from dist's programs or one from the
 * sources.
 */
export function packageVersion(): string {
  for (const place of ['../package.json', '../../package.json']) {
    try {
      const manifest: unknown = JSON.parse(readFileSync(new URL(place, import.meta.url), 'utf8'))
      if (isOurs(manifest)) return manifest.version
    } catch {
      // the next place, then
    }
  }
  return 'unknown'
}

const isOurs = (value: unknown): value is { name: 'lambent'; version: string } =>
  typeof value === 'object' &&
  value !== null &&
  'name' in value &&
  value.name === 'lambent' &&
  'version' in value
