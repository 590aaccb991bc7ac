// time limit: 400 s
import { copyFileSync, readdirSync, writeFileSync } from 'node:fs'
import { homedir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { isInstalled, runProgram, type ProgramResult } from '../../acceptance/programs.ts'
import { startLambent, zipOf } from '../../support/lambent.ts'
import { unlessMissing } from '../../support/skip.ts'
import { temporaryDirectory } from '../../support/temporary.ts'

/**
 * The real Terraform with its AWS provider: what was written is what is read. The provider comes from a local
 * mirror: TEST_TERRAFORM_PLUGINS, or a place where such mirrors usually lie.
 */
const terraform = suite('Terraform')

const MIRRORS = [
  process.env.TEST_TERRAFORM_PLUGINS,
  join(homedir(), '.terraform.d', 'plugins'),
  '/usr/local/share/terraform/plugins',
  '/usr/share/terraform/plugins',
  ...foldersIn('/opt'),
]

/** The first mirror that has the provider: `<mirror>/<host>/hashicorp/aws`. */
const mirror = MIRRORS.find(
  (folder) =>
    folder !== undefined &&
    foldersIn(folder).some((host) =>
      foldersIn(join(host, 'hashicorp')).some((path) => path.endsWith('/aws')),
    ),
)

function foldersIn(folder: string): string[] {
  try {
    return readdirSync(folder).map((name) => join(folder, name))
  } catch {
    return []
  }
}

const missing = !isInstalled('terraform')
  ? 'terraform is not installed'
  : mirror === undefined
    ? 'no mirror holds the AWS provider (TEST_TERRAFORM_PLUGINS)'
    : undefined

const NOTHING_TO_DO = 0

unlessMissing(terraform, missing)('applies, drifts nowhere, updates and destroys', async () => {
  using folder = temporaryDirectory()
  await using lambent = await startLambent({ argv: ['--limits', 'strict'] })
  const fixture = join(dirname(fileURLToPath(import.meta.url)), 'terraform')
  for (const name of readdirSync(fixture)) copyFileSync(join(fixture, name), folder.join(name))
  const rc = `provider_installation {\n  filesystem_mirror {\n    path = "${mirror}"\n  }\n}\n`
  writeFileSync(folder.join('terraform.rc'), rc)
  writeFileSync(folder.join('layer.zip'), await zipOf({ 'nodejs/note.js': 'module.exports = 1' }))
  const writeCode = async (answer: number): Promise<void> =>
    writeFileSync(
      folder.join('fn.zip'),
      await zipOf({ 'index.js': `exports.handler = async () => ${answer}` }),
    )
  const run = (verb: string, ...flags: readonly string[]): Promise<ProgramResult> =>
    runProgram('terraform', [verb, '-no-color', ...flags], {
      cwd: folder.path,
      env: {
        TF_CLI_CONFIG_FILE: folder.join('terraform.rc'),
        TF_VAR_endpoint: lambent.url,
        TF_IN_AUTOMATION: '1',
      },
      limitMs: 180_000,
    })
  const must = async (verb: string, ...flags: readonly string[]): Promise<void> => {
    const { code, stdout, stderr } = await run(verb, ...flags)
    assert.is(code, NOTHING_TO_DO, `terraform ${verb}: ${stdout.slice(-4000)}${stderr.slice(-4000)}`)
  }

  await writeCode(1)
  await must('init')
  await must('apply', '-auto-approve')
  await must('plan', '-detailed-exitcode')
  await writeCode(2)
  const changed = ['-var', 'memory=512', '-var', 'retries=0']
  await must('apply', '-auto-approve', ...changed)
  await must('plan', '-detailed-exitcode', ...changed)
  const answered = await fetch(`${lambent.url}/2015-03-31/functions/tf-fn/invocations`, { method: 'POST' })
  assert.is(await answered.text(), '2')
  await must('destroy', '-auto-approve')

  const left = await fetch(`${lambent.url}/2015-03-31/functions`)
  assert.equal(await left.json(), { Functions: [] })
})

terraform.run()
