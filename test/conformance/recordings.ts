import { readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** What a case recorded: entries by the names that it gave them, in their order. */
export type Recording = Readonly<Record<string, unknown>>

const FILES = ['lambda-api', 'lambda-common', 'lambda', 'lambda-destinations', 'lambda-runtimes'] as const
/** Cases that lead through event sources. */
export const SOURCE_FILES = [
  'lambda-integration-sqs',
  'lambda-integration-kinesis',
  'lambda-integration-dynamodbstreams',
] as const
const folder = join(dirname(fileURLToPath(import.meta.url)), 'recordings')

/** All recorded cases by `file::Class::case[parameter]`, without those that recorded nothing. */
export function readRecordings(files: readonly string[] = FILES): ReadonlyMap<string, Recording> {
  const recordings = new Map<string, Recording>()
  for (const file of files) {
    const text = readFileSync(join(folder, `${file}.json`), 'utf8')
    // A copy of what NOTICE names; its shape does not change.
    const all = JSON.parse(text) as Record<string, { readonly 'recorded-content': Recording }>
    for (const [name, { 'recorded-content': content }] of Object.entries(all)) {
      const short = name.replace(
        /^(?:event_source_mapping\/)?test_lambda(?:_integration_)?(\w*)\.py::/,
        (all, part: string) => (all.includes('integration') ? `${part}::` : `lambda${part}::`),
      )
      if (Object.keys(content).length > 0) recordings.set(short, content)
    }
  }
  return recordings
}
