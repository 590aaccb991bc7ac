/** The part of yazl 3.3 that bundle-zip.ts uses; the package ships no types of its own. */
declare module 'yazl' {
  export interface EntryOptions {
    readonly mtime: Date
    readonly mode: number
    readonly compress: boolean
    readonly compressionLevel?: number
    readonly forceDosTimestamp: boolean
  }
  export class ZipFile {
    readonly outputStream: NodeJS.ReadableStream
    addBuffer(content: Buffer, path: string, options: EntryOptions): void
    end(): void
    on(event: 'error', listener: (error: Error) => void): this
  }
}
