/** The part of yauzl 3.4 that zip.ts uses; the package ships no types of its own. */
declare module 'yauzl' {
  export interface Entry {
    readonly fileNameRaw: Buffer
    readonly extraFields: readonly { readonly id: number; readonly data: Buffer }[]
    readonly versionMadeBy: number
    readonly generalPurposeBitFlag: number
    readonly compressionMethod: number
    readonly compressedSize: number
    readonly uncompressedSize: number
    readonly crc32: number
    readonly externalFileAttributes: number
    isEncrypted(): boolean
  }
  export interface LocalFileHeader {
    readonly fileName: Buffer
    readonly fileDataStart: number
  }
  export interface ZipFile {
    readonly entryCount: number
    eachEntry(): AsyncIterableIterator<Entry>
    readLocalFileHeaderPromise(entry: Entry): Promise<LocalFileHeader>
    close(): void
  }
  export function fromBufferPromise(
    buffer: Buffer,
    options: { decodeStrings: boolean; validateEntrySizes: boolean },
  ): Promise<ZipFile>
  export function getFileNameLowLevel(
    generalPurposeBitFlag: number,
    fileNameRaw: Buffer,
    extraFields: Entry['extraFields'],
    strictFileNames: boolean,
  ): string
}
