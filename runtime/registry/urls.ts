import { EngineError } from '../errors.ts'
import type { Rng } from '../rng.ts'
import {
  arnOf,
  withEntry,
  type CorsSettings,
  type Edit,
  type FunctionRecord,
  type UrlRecord,
} from './function-record.ts'
import { deleteUrl as deleteUrlRow, putUrl } from './rows.ts'
import type { Making } from './running.ts'

/** A function URL to be made. */
export interface NewUrl {
  /** An alias, or '' for the function itself. */
  readonly qualifier: string
  readonly auth: UrlRecord['auth']
  readonly invokeMode: UrlRecord['invokeMode']
  readonly cors: CorsSettings | null
}

/** A change of a function URL; members that are absent stay as they are. */
export type UrlUpdate = Partial<Omit<NewUrl, 'qualifier'>>

/** Throws EngineError 'not-found' for the alias, 'already-exists'. */
export function createUrl(
  record: FunctionRecord,
  input: NewUrl,
  urlId: string,
  making: Making,
): Edit<UrlRecord> {
  if (input.qualifier !== '' && !record.aliases.has(input.qualifier))
    throw new EngineError('not-found', 'Function does not exist')
  if (record.urls.has(input.qualifier))
    throw new EngineError(
      'already-exists',
      `Failed to create function url config for [functionArn = ${arnOf(record, input.qualifier)}]. ` +
        'Error message:  FunctionUrlConfig exists for this Lambda function',
    )
  return put(record, { ...input, urlId, createdAtMs: making.nowMs, modifiedAtMs: making.nowMs })
}

/** Throws EngineError 'not-found'. */
export function updateUrl(
  record: FunctionRecord,
  qualifier: string,
  update: UrlUpdate,
  making: Making,
): Edit<UrlRecord> {
  return put(record, { ...urlOf(record, qualifier), ...update, modifiedAtMs: making.nowMs })
}

/** Throws EngineError 'not-found'. */
export function deleteUrl(record: FunctionRecord, qualifier: string): Edit<undefined> {
  const { urlId } = urlOf(record, qualifier)
  return {
    changes: [deleteUrlRow(urlId)],
    record: { ...record, urls: withEntry(record.urls, qualifier, undefined) },
    events: [],
    result: undefined,
  }
}

/** Throws EngineError 'not-found'. */
export function urlOf(record: FunctionRecord, qualifier: string): UrlRecord {
  const url = record.urls.get(qualifier)
  if (url === undefined) throw new EngineError('not-found', 'The resource you requested does not exist.')
  return url
}

const URL_ID_LENGTH = 32
const ALPHABET = 'abcdefghijklmnopqrstuvwxyz0123456789'

/** 32 characters of [a-z0-9], each equally likely. */
export function newUrlId(rng: Rng): string {
  let id = ''
  while (id.length < URL_ID_LENGTH)
    for (const byte of rng.bytes(URL_ID_LENGTH))
      // 252 is the largest multiple of 36 in a byte: what lies above would favour the first letters
      if (byte < 252 && id.length < URL_ID_LENGTH) id += ALPHABET[byte % ALPHABET.length]
  return id
}

const put = (record: FunctionRecord, url: UrlRecord): Edit<UrlRecord> => ({
  changes: [putUrl(record.functionId, url)],
  record: { ...record, urls: withEntry(record.urls, url.qualifier, url) },
  events: [],
  result: url,
})
