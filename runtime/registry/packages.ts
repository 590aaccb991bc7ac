import type { CodePackage } from './types.ts'

/** Code packages by content. Unzipping, hashing and copying of anything big happens on a worker thread. */
export interface CodePackages {
  /**
   * Verifies, unpacks and keeps a zip; the same bytes give the same package. Durable when it resolves.
   *
   * Rejects 'invalid' with detail 'bad-zip' (not a zip, unsafe names or links, case clashes), 'unzipped-too-large'
   * or 'zip-too-large'.
   */
  add(zip: Uint8Array): Promise<CodePackage>
  /** A package kept earlier, checked against its manifest. Rejects 'not-found', or 'internal' when it is damaged. */
  get(id: string): Promise<CodePackage>
  /** Puts the package's files into `directory` (exists, empty) by hard links, or copies where links cannot go. */
  link(codePackage: CodePackage, directory: string): Promise<void>
  /** Where the code cache for this Node version lies, once there is one. */
  codeCachePath(codePackage: CodePackage, nodeVersion: string): string | undefined
  saveCodeCache(codePackage: CodePackage, nodeVersion: string, bytes: Uint8Array): Promise<void>
  /** Removes packages that are not in `keep` and were added more than an hour ago, and left-over temporary folders. */
  sweep(keep: ReadonlySet<string>): Promise<void>
}
