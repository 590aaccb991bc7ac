import fs from 'node:fs'

/** Offsets and values of an ELF header. */
const ELF = Buffer.from('\u007fELF', 'latin1')
const MACHINE_OFFSET = 18
const MACHINES: Readonly<Record<string, number>> = { x64: 0x3e, arm64: 0xb7 }
const HEAD_BYTES = 256

/**
 * Why the kernel would not start the file at `path`, in the system's words; undefined when it would. Asked
 * ahead, because the C library hands what the kernel refuses to a shell.
 */
export function whyNotExecutable(path: string): string | undefined {
  let head: Buffer
  try {
    if (fs.statSync(path).isDirectory()) return 'permission denied'
    fs.accessSync(path, fs.constants.X_OK)
    head = readHead(path)
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException // fs throws nothing else
    if (code === 'ENOENT' || code === 'ENOTDIR') return 'no such file or directory'
    return code === 'EACCES' || code === 'EPERM' ? 'permission denied' : 'exec format error'
  }
  if (process.platform !== 'linux') return undefined
  if (head.subarray(0, ELF.length).equals(ELF)) {
    const machine = MACHINES[process.arch]
    const fits = machine === undefined || head.readUInt16LE(MACHINE_OFFSET) === machine
    return fits ? undefined : 'exec format error'
  }
  const interpreter = /^#![ \t]*([^\s]+)/.exec(head.toString('latin1'))?.[1]
  if (interpreter === undefined) return 'exec format error'
  // A carriage return belongs to the interpreter's name, which is how files from Windows fail.
  const name = /^#![^\n]*\r\n/.test(head.toString('latin1')) ? `${interpreter}\r` : interpreter
  return fs.existsSync(name) ? undefined : 'no such file or directory'
}

function readHead(path: string): Buffer {
  const file = fs.openSync(path, 'r')
  try {
    const head = Buffer.alloc(HEAD_BYTES)
    return head.subarray(0, Math.max(fs.readSync(file, head, 0, HEAD_BYTES, 0), MACHINE_OFFSET + 2))
  } finally {
    fs.closeSync(file)
  }
}
