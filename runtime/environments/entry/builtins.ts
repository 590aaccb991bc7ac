import Module from 'node:module'
import { dirname } from 'node:path'
import vm from 'node:vm'
import { CommonJsLoader, runtimeRequire } from './commonjs.ts'

/** What almost every package loads; loading it costs a cold start less when it is there already. */
const COMMON = [
  'assert',
  'async_hooks',
  'buffer',
  'child_process',
  'crypto',
  'dns',
  'events',
  'fs',
  'fs/promises',
  'http',
  'http2',
  'https',
  'module',
  'net',
  'os',
  'path',
  'perf_hooks',
  'process',
  'querystring',
  'stream',
  'stream/promises',
  'stream/web',
  'string_decoder',
  'timers',
  'timers/promises',
  'tls',
  'tty',
  'url',
  'util',
  'util/types',
  'v8',
  'worker_threads',
  'zlib',
] as const

/** Loads what user code is likely to need, while nobody waits for this process. */
export async function touchBuiltins(): Promise<void> {
  for (const name of COMMON) process.getBuiltinModule(`node:${name}`)
  warmRequire()
  await warmImport()
}

/** Takes the first passage through Node's CommonJS loader and compiler, which is the slow one. */
function warmRequire(): void {
  // This file is loaded, so nothing runs again.
  runtimeRequire(runtimeRequire.resolve(__filename))
  new CommonJsLoader(dirname(__filename), undefined).compiles(__filename)
  Module.syncBuiltinESMExports()
}

/**
 * Makes the first `import()` of CommonJS code cheap and quiet: Node.js would print once per process that the
 * way it is resolved is experimental.
 */
async function warmImport(): Promise<void> {
  const emitWarning = process.emitWarning
  process.emitWarning = () => {}
  try {
    const script = new vm.Script(`import('node:fs')`, {
      filename: __filename,
      importModuleDynamically: vm.constants.USE_MAIN_CONTEXT_DEFAULT_LOADER,
    })
    await (script.runInThisContext() as Promise<unknown>) // what import() evaluates to
  } finally {
    process.emitWarning = emitWarning
  }
}
