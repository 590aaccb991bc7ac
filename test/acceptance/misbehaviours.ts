/** One way for an invocation to end badly, and what AWS says about it. */
export interface Ending {
  /** In words: the test's name. */
  readonly does: string
  /** A whole index.js: misbehaves when `event.bad`, and otherwise answers with a mark of its process. */
  readonly code: string
  readonly runtime?: string
  readonly errorType: string
  readonly message: RegExp
  readonly status: 'failed' | 'crashed'
  /** What follows the measures in the REPORT line; undefined when nothing does. */
  readonly report: string | undefined
  /** Whether the same process answers the next call. */
  readonly survives?: boolean
}

const handler = (bad: string): string => `
const born = Math.random()
const hang = () => new Promise((resolve) => setTimeout(resolve, 4000))
exports.handler = async (event) => { if (event.bad) { ${bad} } return { born } }`

const exits = (does: string, bad: string, reason: RegExp, runtime?: string): Ending => ({
  does,
  code: handler(bad),
  errorType: 'Runtime.ExitError',
  message: new RegExp(`^RequestId: [0-9a-f-]{36} Error: Runtime exited ${reason.source}$`),
  status: 'crashed',
  report: 'Status: error\tError Type: Runtime.ExitError',
  ...(runtime === undefined ? {} : { runtime }),
})

const throws = (does: string, bad: string, errorType: string, message: RegExp, runtime?: string): Ending => ({
  does,
  code: handler(bad),
  errorType,
  message,
  status: 'failed',
  report: undefined,
  survives: true,
  ...(runtime === undefined ? {} : { runtime }),
})

/** What ends an invocation: what ends the process with it comes first. */
export const ENDINGS: Readonly<Record<string, Ending>> = {
  'exit-0': exits('exits with 0', 'process.exit(0)', /without providing a reason/),
  'exit-3': exits('exits with 3', 'process.exit(3)', /with error: exit status 3/),
  aborts: exits('aborts', 'process.abort()', /with error: signal: aborted/),
  'kills-itself': exits(
    'kills itself',
    'process.kill(process.pid, "SIGKILL"); await hang()',
    /with error: signal: killed/,
  ),
  segfaults: exits(
    'segfaults',
    'process.kill(process.pid, "SIGSEGV"); await hang()',
    /with error: signal: segmentation fault/,
  ),
  'throws-late-24': exits(
    'throws in a timer on nodejs24.x',
    'setTimeout(() => { throw new TypeError("late") }, 5); await hang()',
    /with error: exit status 1/,
    'nodejs24.x',
  ),
  'rejects-unseen-24': exits(
    'loses a rejection on nodejs24.x',
    'Promise.reject(new TypeError("lost")); await hang()',
    /with error: exit status 1/,
    'nodejs24.x',
  ),
  'throws-late': {
    ...throws(
      'throws in a timer on nodejs20.x',
      'setTimeout(() => { throw new TypeError("late") }, 5); await hang()',
      'TypeError',
      /^late$/,
    ),
    survives: false,
  },
  'rejects-unseen': {
    ...throws(
      'loses a rejection on nodejs20.x',
      'Promise.reject(new TypeError("lost")); await hang()',
      'Runtime.UnhandledPromiseRejection',
      /^TypeError: lost$/,
    ),
    report: 'Status: error\tError Type: Runtime.UnhandledPromiseRejection',
    survives: false,
  },
  'throws-text': throws('throws text', 'throw "text"', 'string', /^text$/),
  'throws-object': throws('throws an object', 'throw { a: 1 }', 'object', /^\[object Object\]$/),
  'returns-bigint': throws('returns a BigInt', 'return 1n', 'Error', /^Unable to stringify response body$/),
  'returns-cycle': throws(
    'returns a circle',
    'const circle = {}; circle.circle = circle; return circle',
    'Error',
    /^Unable to stringify response body$/,
  ),
  'returns-bigint-24': {
    ...throws(
      'returns a BigInt on nodejs24.x',
      'return 1n',
      'Runtime.JSONStringifyError',
      /^Unable to stringify response body$/,
      'nodejs24.x',
    ),
    report: 'Status: error\tError Type: Runtime.JSONStringifyError',
  },
}

/** Bodies of handlers that do not come back by themselves. */
export const OVERRUNS: Readonly<Record<string, { code: string; spins?: true }>> = {
  hangs: { code: 'setInterval(() => {}, 9e5); await new Promise(() => {})' },
  waits: { code: 'Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0)' },
  sleeps: { code: 'require("node:child_process").execSync("sleep 60")' },
  'ignores-sigterm': {
    code: 'process.on("SIGTERM", () => {}); setInterval(() => {}, 9e5); await new Promise(() => {})',
  },
  spins: { code: 'for (;;);', spins: true },
  matches: { code: 'return /^(a+)+$/.test("a".repeat(60) + "b")', spins: true },
}

/** Bodies that take memory until there is none. */
export const LEAKS: Readonly<Record<string, string>> = {
  heap: 'const kept = []; for (;;) kept.push(new Array(1e5).fill(Math.random()))',
  buffers: 'const kept = []; for (;;) kept.push(Buffer.alloc(4e6, 1))',
  'child-process': `require('node:child_process').spawnSync(process.execPath,
    ['-e', 'const kept = []; for (;;) kept.push(Buffer.alloc(4e6, 1))'])`,
}

/** Bodies that write `megabytes` to the log. */
export const FLOODS: Readonly<Record<string, string>> = {
  lines: `const text = ('x'.repeat(99) + '\\n').repeat(1000); for (let at = 0; at < megabytes * 10; at++) process.stdout.write(text)`,
  'no-line-feed': `const text = 'x'.repeat(1e5); for (let at = 0; at < megabytes * 10; at++) process.stdout.write(text)
    process.stdout.write('\\n')`,
  'empty-lines': `const text = '\\n'.repeat(1e5); for (let at = 0; at < megabytes * 10; at++) process.stdout.write(text)`,
  bytes: `const bytes = require('node:crypto').randomBytes(1e5).map((byte) => (byte % 64 === 0 ? 10 : byte)); for (let at = 0; at < megabytes * 10; at++) process.stdout.write(bytes)
    process.stdout.write('\\n')`,
  colours: `const text = '\\x1b[31mred\\x1b[0m\\n'.repeat(8000); for (let at = 0; at < megabytes * 10; at++) process.stderr.write(text)`,
}

/**
 * Bodies that burden the machine until they are ended: by their time limit, for want of memory, by
 * themselves, or
 * because their answer is too large.
 */
export const BURDENS: Readonly<Record<string, string>> = {
  spinning: 'for (;;);',
  flooding: `const text = ('x'.repeat(99) + '\\n').repeat(1000); for (;;) process.stdout.write(text)`,
  leaking: 'const kept = []; for (;;) kept.push(Buffer.alloc(1e6, 1))',
  waiting: 'await new Promise(() => setInterval(() => {}, 1e5))',
  exiting: 'await new Promise((resolve) => setTimeout(resolve, 100)); process.exit(3)',
  forking: `for (let at = 0; at < 40; at++) {
    require('node:child_process').spawn('sleep', ['30'], { detached: true, stdio: 'ignore' }).unref()
  }
  await new Promise(() => setInterval(() => {}, 1e5))`,
  answering: 'return "x".repeat(7e6)',
}
