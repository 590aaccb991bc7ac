// time limit: 180 s
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { deploy, invoke, startLambent, zipOf } from '../support/lambent.ts'
import { unlessMissing } from '../support/skip.ts'
import { temporaryDirectory } from '../support/temporary.ts'
import { runProgram } from './programs.ts'

/** Lambda's Node.js images bring the AWS SDK along, and plenty of code counts on that. */
const libraries = suite('the AWS SDK of the runtime')

const COMMON = `const { STSClient } = require('@aws-sdk/client-sts')
exports.handler = async () => {
  const region = await new STSClient({}).config.region()
  return { region, from: require.resolve('@aws-sdk/client-sts') }
}`
const MODULE = `import { STSClient } from '@aws-sdk/client-sts'
export const handler = async () => ({ region: await new STSClient({}).config.region() })`

/** Fetched once for all of these. */
const cache = temporaryDirectory()
process.on('exit', () => cache[Symbol.dispose]())

const asked = await runProgram('npm', ['view', '@aws-sdk/client-sts@3', 'version'], { limitMs: 20_000 })
const test = unlessMissing(libraries, asked.code === 0 ? undefined : 'npm reaches no registry')

for (const isolation of ['auto', 'none']) {
  test(`is there for code that does not bring it, isolation ${isolation}`, async () => {
    await using lambent = await startLambent({
      argv: ['--isolation', isolation],
      settings: { XDG_CACHE_HOME: cache.path },
    })

    await deploy(lambent.url, 'common', await zipOf({ 'index.js': COMMON }))
    await deploy(lambent.url, 'module', await zipOf({ 'index.mjs': MODULE }))

    const { body } = await invoke(lambent.url, 'common')
    const { region, from } = body as { region: string; from: string } // what the handler returns
    assert.is(region, 'us-east-1')
    assert.ok(
      from.startsWith(isolation === 'none' ? cache.path : '/var/runtime/node_modules/@aws-sdk/'),
      from,
    )
    assert.equal((await invoke(lambent.url, 'module')).body, { region: 'us-east-1' })
  })
}

libraries('an import that nobody has fails as on AWS', async () => {
  await using lambent = await startLambent({ settings: { XDG_CACHE_HOME: cache.path } })
  const source =
    "const nothing = require('@aws-sdk/client-of-nothing-at-all')\nexports.handler = async () => 1"

  await deploy(lambent.url, 'missing', await zipOf({ 'index.js': source }))

  const { body, error } = await invoke(lambent.url, 'missing')
  assert.ok(error)
  const { errorType, errorMessage } = body as { errorType: string; errorMessage: string } // a function error
  assert.is(errorType, 'Runtime.ImportModuleError')
  assert.match(errorMessage, /Cannot find module '@aws-sdk\/client-of-nothing-at-all'/)
})

libraries.run()
