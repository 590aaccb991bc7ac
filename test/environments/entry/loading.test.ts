import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import type { Initialized } from '../../../runtime/environments/frames.ts'
import { rejects } from '../../support/assert.ts'
import { commonJs, NODES, RUNTIMES, TestEnvironment, type EnvironmentOptions } from './test-engine.ts'

/** What a handler returns when it is called once. */
async function resultOf(options: EnvironmentOptions): Promise<unknown> {
  await using environment = await TestEnvironment.start(options)
  assert.is(environment.initialized.error, undefined, JSON.stringify(environment.initialized.error))
  return JSON.parse((await environment.invoke()).text)
}

async function initErrorOf(options: EnvironmentOptions): Promise<NonNullable<Initialized['error']>> {
  await using environment = await TestEnvironment.start(options)
  const { error } = environment.initialized
  if (error === undefined) throw new Error('The code was loaded.')
  return error
}

const OLD = 'nodejs22.x'
const NEW = 'nodejs24.x'

for (const node of NODES) {
  const loading = suite(`loading with ${node}`)

  for (const runtime of RUNTIMES) {
    const loads = (states: string, files: Record<string, string>, handler: string, expected: unknown): void =>
      loading(`${runtime}: ${states}`, async () => {
        assert.equal(await resultOf({ node, files, specialization: { runtime, handler } }), expected)
      })

    loads('a CommonJS file is found by .js', commonJs(`async () => 'js'`), 'index.handler', 'js')
    loads(
      'a file without extension comes first',
      {
        main: `exports.handler = async () => 'bare'`,
        'main.js': `exports.handler = async () => 'js'`,
      },
      'main.handler',
      'bare',
    )
    loads(
      '.mjs is an ES module, and its top-level await is over first',
      {
        'index.mjs': `const value = await new Promise((done) => setTimeout(done, 5, 'awaited'))\nexport const handler = async () => value`,
      },
      'index.handler',
      'awaited',
    )
    loads(
      '.cjs is CommonJS inside an ES module package',
      {
        'package.json': '{"type":"module"}',
        'index.cjs': `exports.handler = async () => 'cjs'`,
      },
      'index.handler',
      'cjs',
    )
    loads(
      '.js is an ES module where the nearest package.json says so',
      {
        'package.json': '{}',
        'esm/package.json': '{"type":"module"}',
        'esm/index.js': `export const handler = async () => import.meta.url.endsWith('/esm/index.js')`,
      },
      'esm/index.handler',
      true,
    )
    loads(
      'the folder is cut at the last slash and the file at the first dot',
      {
        'source/app.js': `exports.api = { get: { one: async () => 'nested' } }`,
      },
      'source/app.api.get.one',
      'nested',
    )
    loads(
      'NODE_PATH is searched last',
      {
        'opt/modules/layered.js': `exports.handler = async () => 'layer'`,
      },
      'opt/modules/layered.handler',
      'layer',
    )
    loads(
      'CommonJS has its usual names and can import',
      {
        'other.mjs': `export const value = 'imported'`,
        'lib/part.js': `module.exports = { folder: __dirname, file: __filename, parent: module.parent.id }`,
        'index.js': `const part = require('./lib/part'); const { join } = require('node:path')
        exports.handler = async () => ({
          value: (await import('./other.mjs')).value,
          beside: part.folder === join(__dirname, 'lib') && part.file === require.resolve('./lib/part.js'),
          parent: part.parent === module.id && module.filename === __filename,
          main: require.main === module,
          cached: Object.keys(require.cache).includes(__filename),
          self: this === undefined || exports === module.exports,
        })`,
      },
      'index.handler',
      { value: 'imported', beside: true, parent: true, main: false, cached: true, self: true },
    )

    const refuses = (
      states: string,
      files: Record<string, string>,
      handler: string,
      error: { errorType: string; errorMessage: string | RegExp; trace?: RegExp },
    ): void =>
      loading(`${runtime}: ${states}`, async () => {
        const found = await initErrorOf({ node, files, specialization: { runtime, handler } })
        assert.is(found.errorType, error.errorType)
        assert.match(found.errorMessage, error.errorMessage)
        if (error.trace !== undefined) assert.match(found.trace.join('\n'), error.trace)
      })

    refuses('a missing file is an ImportModuleError', {}, 'index.handler', {
      errorType: 'Runtime.ImportModuleError',
      errorMessage: /^Error: Cannot find module 'index'\nRequire stack:\n- \/var\/runtime\/index\.mjs$/,
      trace: /^Runtime\.ImportModuleError: Error: Cannot find module 'index'/,
    })
    refuses(
      'a missing dependency is an ImportModuleError',
      { 'index.js': `require('absent')` },
      'index.handler',
      {
        errorType: 'Runtime.ImportModuleError',
        errorMessage:
          /^Error: Cannot find module 'absent'\nRequire stack:\n- .*\/task\/index\.js\n- \/var\/runtime\//,
      },
    )
    refuses(
      'a syntax error is a UserCodeSyntaxError',
      { 'index.js': 'exports.handler = }' },
      'index.handler',
      {
        errorType: 'Runtime.UserCodeSyntaxError',
        errorMessage: /^SyntaxError: Unexpected (token|end of input)/,
      },
    )
    refuses('a missing export is HandlerNotFound', commonJs('async () => 1'), 'index.other', {
      errorType: 'Runtime.HandlerNotFound',
      errorMessage: 'index.other is undefined or not exported',
      trace: /^Runtime\.HandlerNotFound: index\.other is undefined or not exported/,
    })
    refuses('an export that is no function is HandlerNotFound', commonJs('{}'), 'index.handler', {
      errorType: 'Runtime.HandlerNotFound',
      errorMessage: 'index.handler is not a function',
    })
    refuses('a handler string without a dot is malformed', commonJs('async () => 1'), 'index', {
      errorType: 'Runtime.MalformedHandlerName',
      errorMessage: 'Bad handler',
    })
    refuses(
      'a handler string that leaves the folder is malformed',
      commonJs('async () => 1'),
      '../index.handler',
      {
        errorType: 'Runtime.MalformedHandlerName',
        errorMessage:
          "'../index.handler' is not a valid handler name. Use absolute paths when specifying root directories in handler names.",
      },
    )
    refuses(
      'what the code throws is passed on',
      { 'index.js': `throw new TypeError('at load')` },
      'index.handler',
      {
        errorType: 'TypeError',
        errorMessage: 'at load',
        trace: /^TypeError: at load\n {4}at .*\/task\/index\.js:1:7/,
      },
    )
    refuses(
      'a streaming mode that does not exist is malformed',
      {
        'index.js': `exports.handler = async () => {}
        exports.handler[Symbol.for('aws.lambda.runtime.handler.streaming')] = 'request'`,
      },
      'index.handler',
      {
        errorType: 'Runtime.MalformedStreamingHandler',
        errorMessage: 'Only response streaming is supported.',
      },
    )
  }

  loading('modules of NODE_PATH are found by CommonJS code', async () => {
    const files = {
      'index.js': `exports.handler = async () => require('from-layer')`,
      'layer/from-layer/index.js': `module.exports = 'layer'`,
    }
    await using environment = await TestEnvironment.spare({ node, files })

    await environment.specialize({ environment: { NODE_PATH: `${environment.taskRoot}/layer` } })

    assert.is((await environment.invoke()).text, '"layer"')
  })

  loading('up to nodejs22.x an ES module’s default is not searched', async () => {
    const files = { 'index.mjs': `export default { handler: async () => 1 }` }

    const error = await initErrorOf({ node, files, specialization: { runtime: OLD } })

    assert.is(error.errorType, 'Runtime.HandlerNotFound')
  })

  loading('from nodejs24.x on a missing export is looked up in default', async () => {
    const files = { 'index.mjs': `export default { deep: { handler: async () => 'default' } }` }
    const specialization = { runtime: NEW, handler: 'index.deep.handler' }

    assert.is(await resultOf({ node, files, specialization }), 'default')
  })

  loading('from nodejs24.x on an ES module needs no marking', async () => {
    const files = { 'index.js': `import { sep } from 'node:path'\nexport const handler = async () => sep` }

    assert.is(await resultOf({ node, files, specialization: { runtime: NEW } }), '/')
  })

  loading('from nodejs24.x on a callback handler is refused', async () => {
    const files = commonJs('(event, context, callback) => callback(null, 1)')

    const error = await initErrorOf({ node, files, specialization: { runtime: NEW } })

    assert.is(error.errorType, 'Runtime.CallbackHandlerDeprecated')
    assert.match(
      error.errorMessage,
      /^ERROR: AWS Lambda has removed support for callback-based function handlers/,
    )
  })

  loading('an init error stands in the log as AWS writes it', async () => {
    const files = { 'index.js': `throw new TypeError('at load')` }
    await using old = await TestEnvironment.start({ node, files, specialization: { runtime: OLD } })
    await using young = await TestEnvironment.start({ node, files, specialization: { runtime: NEW } })

    assert.match(
      old.rawLog,
      /\tundefined\tERROR\tUncaught Exception \t\{"errorType":"TypeError","errorMessage":"at load"/,
    )
    assert.match(young.rawLog, /\t-\tERROR\tInit Error \t\{"errorType":"TypeError","errorMessage":"at load"/)
    assert.is(young.initialized.logBytes, Buffer.byteLength(young.rawLog))
  })

  loading('an await at the top level that nothing settles ends the process', async () => {
    const files = { 'index.mjs': `await new Promise(() => {})\nexport const handler = async () => 1` }
    await using environment = await TestEnvironment.spare({ node, files })

    const refused = rejects(environment.specialize())

    assert.equal(await environment.exited, { code: 13, signal: null })
    assert.match((await refused).message, /^The process ended without/)
    assert.match(environment.rawLog, /Detected unsettled top-level await/)
  })

  loading('a task root that is not there is InvalidWorkingDir', async () => {
    const error = await initErrorOf({ node, files: {}, specialization: { taskRoot: '/no/such/folder' } })

    assert.is(error.errorType, 'Runtime.InvalidWorkingDir')
  })

  loading.run()
}
