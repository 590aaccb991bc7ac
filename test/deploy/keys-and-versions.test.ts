import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { runCli } from '../support/cli.ts'
import { startLambentProcess } from '../support/lambent-process.ts'
import { temporaryDirectory } from '../support/temporary.ts'

const commands = suite('the commands for keys and versions')

const handler = (text: string): string => `export const handler = async () => ${JSON.stringify(text)}\n`
const exported = (text: string): Record<string, string> =>
  Object.fromEntries([...text.matchAll(/^export (\w+)=(\S+)$/gm)].map(([, name, value]) => [name, value]))

commands('versions, alias and rollback move what an alias points at', async () => {
  using folder = temporaryDirectory()
  mkdirSync(folder.join('greet'))
  writeFileSync(folder.join('greet/index.mjs'), handler('one'))
  await using lambent = await startLambentProcess(['--deploy', folder.join('greet')])
  const publish = async (): Promise<void> => {
    const { ok } = await fetch(`${lambent.api}/2015-03-31/functions/greet/versions`, { method: 'POST' })
    assert.ok(ok)
  }
  const answer = async (): Promise<string> => (await lambent.run(['invoke', 'greet:live'])).stdout.trim()
  await publish()

  const made = await lambent.run(['alias', 'set', 'greet', 'live', '1', '--description', 'what people use'])
  assert.is(made.code, 0)
  assert.is(made.stdout, 'live points at version 1\n')
  assert.is(await answer(), '"one"')
  writeFileSync(folder.join('greet/index.mjs'), handler('two'))
  assert.is((await lambent.run(['deploy', folder.join('greet')])).code, 0)
  await publish()

  const split = await lambent.run(['alias', 'set', 'greet', 'live', '2', '--weight', '1=10%', '--json'])
  assert.equal(JSON.parse(split.stdout).RoutingConfig, { AdditionalVersionWeights: { 1: 0.1 } })
  assert.is(JSON.parse(split.stdout).Description, 'what people use')
  assert.match((await lambent.run(['alias', 'ls', 'greet'])).stdout, /^live +2 +1=10% +what people use$/m)
  const versions = JSON.parse((await lambent.run(['versions', 'greet', '--json'])).stdout)
  assert.equal(
    versions.map((one: { Version: string; Aliases: string[] }) => [one.Version, one.Aliases]),
    [
      ['$LATEST', []],
      ['2', ['live']],
      ['1', []],
    ],
  )
  assert.match((await lambent.run(['versions', 'greet'])).stdout, /^2 +live /m)

  const back = await lambent.run(['rollback', 'greet'])
  assert.is(back.stdout, 'live points at version 1\n')
  assert.is(await answer(), '"one"')
  const none = await lambent.run(['rollback', 'greet'])
  assert.is(none.code, 3)
  assert.match(none.stderr, 'no version before 1')
  assert.is((await lambent.run(['rollback', 'greet', '2', '--alias', 'live'])).code, 0)
  assert.is(await answer(), '"two"')

  const unknown = await lambent.run(['rollback', 'greet', '--alias', 'blue'])
  assert.is(unknown.code, 3)
  assert.match(unknown.stderr, 'lambent alias set greet blue VERSION')
  assert.is((await lambent.run(['rollback', 'greet', '9'])).code, 3)
  assert.is((await lambent.run(['alias', 'set', 'greet', 'live', '2', '--weight', 'half'])).code, 2)
  assert.is((await lambent.run(['alias', 'set', 'nobody', 'live', '2'])).code, 3)
  assert.is((await lambent.run(['versions', 'nobody'])).code, 3)
  assert.is((await lambent.run(['alias', 'rm', 'greet', 'live'])).code, 0)
  assert.is((await lambent.run(['alias', 'rm', 'greet', 'live'])).code, 3)
  assert.is((await lambent.run(['alias', 'ls', 'greet', '--json'])).stdout, '[]\n')
})

commands('a key that was made offline opens an engine that asks for keys', async () => {
  using folder = temporaryDirectory()
  mkdirSync(folder.join('greet'))
  writeFileSync(folder.join('greet/index.mjs'), handler('hello'))
  const data = folder.join('data')
  const offline = await runCli(['key', 'create', '--name', 'me', '--data', data])
  assert.is(offline.code, 0)
  const env = exported(offline.stdout)
  await using lambent = await startLambentProcess(['--auth', 'keys', '--deploy', folder.join('greet')], {
    env: { LAMBENT_KEY: '' },
    data,
  })

  const locked = await lambent.run(['ls', 'functions'], { env: { LAMBENT_KEY: '' } })
  assert.is(locked.code, 1)
  assert.match(locked.stderr, 'LAMBENT_KEY')
  assert.match((await lambent.run(['invoke', 'greet'], { env: { LAMBENT_KEY: 'lmb_x' } })).stderr, '--key')
  assert.is((await lambent.run(['invoke', 'greet'], { env })).stdout.trim(), '"hello"')
  assert.is((await lambent.run(['invoke', 'greet', '--key', env.LAMBENT_KEY ?? ''])).code, 0)
  assert.is((await lambent.run(['deploy', folder.join('greet')], { env })).code, 0)

  const made = await lambent.run(
    [
      'key',
      'create',
      '--name',
      'ci',
      '--scope',
      'invoke:gr*',
      '--scope',
      'read',
      '--expires',
      '90d',
      '--json',
    ],
    { env },
  )
  const key = JSON.parse(made.stdout)
  assert.equal(key.scopes, ['invoke:gr*', 'read'])
  assert.ok(key.expiresAtMs - Date.now() > 89 * 86_400_000)
  const asCi = { env: { LAMBENT_KEY: key.token as string } }
  assert.is((await lambent.run(['invoke', 'greet'], asCi)).code, 0)
  writeFileSync(folder.join('greet/index.mjs'), handler('changed'))
  assert.match((await lambent.run(['deploy', folder.join('greet')], asCi)).stderr, 'AccessDenied')
  assert.is((await lambent.run(['key', 'ls'], asCi)).code, 1)
  assert.match(
    (await lambent.run(['key', 'ls'], { env })).stdout,
    /^LKIA\w{16} +ci +000000000000 +invoke:gr\*,read /m,
  )
  assert.match(
    (await lambent.run(['status'], { env })).stdout,
    /^access +keys; key me of account 000000000000 may admin$/m,
  )

  const pointed = await lambent.run(['env'], { env })
  assert.match(pointed.stdout, `export AWS_ENDPOINT_URL_LAMBDA=${lambent.api}`)
  assert.not.match(pointed.stdout, 'AWS_SECRET_ACCESS_KEY')
  assert.is(pointed.stderr, '')
  assert.match((await lambent.run(['env'], { env: { LAMBENT_KEY: '' } })).stderr, 'lambent key create')
  assert.match(
    (await lambent.run(['doctor', '--json'], { env: { ...env, LAMBENT_DATA: data } })).stdout,
    'only their owner',
  )

  const held = await runCli(['key', 'ls', '--data', data])
  assert.is(held.code, 1)
  assert.match(held.stderr, 'without --data')
  assert.is((await lambent.run(['key', 'revoke', key.keyId], { env })).code, 0)
  assert.is((await lambent.run(['invoke', 'greet'], asCi)).code, 1)
  assert.is((await lambent.run(['key', 'revoke', key.keyId], { env })).code, 3)
})

commands(
  'with policies a deployed public URL is granted as AWS wants it; a key for some functions deploys those',
  async () => {
    using folder = temporaryDirectory()
    const source = (name: string, config = ''): string => {
      mkdirSync(folder.join(name), { recursive: true })
      writeFileSync(folder.join(`${name}/index.mjs`), `${config}${handler(name)}`)
      return folder.join(name)
    }
    const open = source('open', 'export const config = { url: true }\n')
    await using lambent = await startLambentProcess(['--auth', 'policies', '--deploy', open])
    const path = /"path":"([^"]+first-key)"/.exec(lambent.stderr)?.[1] ?? ''
    const env = exported(readFileSync(path, 'utf8'))
    const [listed] = JSON.parse((await lambent.run(['ls', 'functions', '--json'], { env })).stdout)

    assert.is((await fetch(listed.urls[0].urlByPath)).status, 200)
    const made = await lambent.run(['key', 'create', '--scope', 'deploy:team-*', '--json'], { env })
    const asTeam = { env: { LAMBENT_KEY: JSON.parse(made.stdout).token as string } }
    assert.is((await lambent.run(['deploy', source('team-a')], asTeam)).code, 0)
    assert.match((await lambent.run(['deploy', source('other')], asTeam)).stderr, 'AccessDenied')
  },
)

commands('wishes for keys that mean nothing end with exit code 2', async () => {
  using folder = temporaryDirectory()
  const create = (...words: string[]) => runCli(['key', 'create', '--data', folder.join('data'), ...words])

  assert.is((await create('--scope', 'everything')).code, 2)
  assert.is((await create('--account', '12')).code, 2)
  assert.is((await create('--expires', 'soon')).code, 2)
  assert.is((await create('--expires', '2001-01-01')).code, 2)
  assert.is((await runCli(['key', 'revoke', 'LKIAX', '--data', folder.join('data')])).code, 3)
  assert.is((await runCli(['key', 'ls', '--json', '--data', folder.join('data')])).stdout, '[]\n')
})

commands.run()
