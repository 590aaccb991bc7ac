import { existsSync, mkdtempSync, rmSync, writeFileSync, chmodSync } from 'node:fs'
import { join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { call, define, environmentsOf, failureOf } from '../support/function-calls.ts'
import { startLambent, type RunningLambent } from '../support/lambent.ts'
import { unlessMissing } from '../support/skip.ts'
import { until } from '../support/until.ts'
import { PROBE, type Findings } from './hostile-probe.ts'

/** What a handler that wants harm can see and do, at each level that works on this machine. */
const isolation = suite('a hostile handler')

const SECRET = 'the-engine-alone-knows-this'
type Level = 'none' | 'standard' | 'hardened'

/** Why a level cannot be tested here; undefined when it can. */
const lacks = (level: Level): string | undefined => {
  if (process.platform !== 'linux' && level !== 'none') return `${level} isolation needs Linux`
  const bubblewrap = ['/usr/bin/bwrap', '/bin/bwrap', '/usr/local/bin/bwrap'].some((path) => existsSync(path))
  return level === 'hardened' && !bubblewrap ? 'hardened isolation needs bubblewrap' : undefined
}

interface Scene extends AsyncDisposable {
  readonly lambent: RunningLambent
  readonly findings: Findings
}

/**
 * An engine with a secret in its variables, a victim beside the hostile function, and what the latter found.
 */
async function probe(level: Level): Promise<Scene> {
  const outside = mkdtempSync('/tmp/lambent-outside-')
  writeFileSync(join(outside, 'note'), SECRET)
  chmodSync(outside, 0o755)
  const argv =
    level === 'none' ? ['--isolation', level] : ['--isolation', level, '--require-isolation', level]
  const lambent = await startLambent({ argv, settings: { ENGINE_SECRET: SECRET } })
  await define(lambent, 'victim', VICTIM)
  await define(lambent, 'hostile', PROBE, { timeoutSeconds: 20 })
  const victim = await call(lambent, 'victim')
  assert.is(victim.functionError, undefined)
  const [{ id: victimId = '', pid: victimPid = null } = {}] = await environmentsOf(lambent, 'victim')
  const answer = await call(lambent, 'hostile', {
    secret: SECRET,
    enginePid: lambent.pid,
    victimPid,
    victimId,
    dataDirectory: lambent.data,
    outside: join(outside, 'note'),
    inspectorPorts: [9229],
    enginePort: Number(new URL(lambent.url).port),
  })
  assert.is(answer.functionError, undefined, JSON.stringify(answer.body))
  return {
    lambent,
    findings: answer.body as Findings, // made by the probe
    async [Symbol.asyncDispose]() {
      await lambent[Symbol.asyncDispose]()
      rmSync(outside, { recursive: true, force: true })
    },
  }
}

const VICTIM = `
require('node:fs').writeFileSync('/tmp/victims-file', 'private')
process.env.VICTIM_SECRET = 'victim'
exports.handler = async () => 1`

for (const level of ['standard', 'hardened'] as const) {
  const test = unlessMissing(isolation, lacks(level))
  test(`sees nothing of the engine and of others (${level})`, async () => {
    await using scene = await probe(level)
    const { findings, lambent } = scene

    assert.equal(findings.seen, [], 'found what it must not see')
    assert.equal(findings.written, ['/tmp'], 'wrote where it must not')
    assert.equal(findings.signalled, [], 'reached processes that are not its own')
    assert.equal(findings.inspectors, [], 'opened a debugger')
    assert.is(findings.tmpEntries.includes('victims-file'), false)
    assert.ok(findings.processes <= 4, `saw ${findings.processes} processes`)
    assert.is(findings.reachedEngine, level === 'standard')
    assert.is.not(findings.uid, 0)
    assert.is((await call(lambent, 'victim')).body, 1)
    assert.is((await fetch(`${lambent.url}/lambent/v1/health`)).status, 200)
  })
}

isolation('of level none is told to be so, and still learns nothing from its variables', async () => {
  await using scene = await probe('none')
  const health = (await (await fetch(`${scene.lambent.url}/lambent/v1/health`)).json()) as {
    isolation: { effective: string }
  }

  assert.is(health.isolation.effective, 'none')
  // The probe finds what is there to be found: elsewhere an empty list means something.
  for (const what of ['/proc of the engine', 'the data folder', 'the store', 'code of the victim'])
    assert.ok(scene.findings.seen.includes(what), `did not see ${what}: ${scene.findings.seen.join(', ')}`)
  assert.equal(scene.findings.signalled, ['engine', 'victim'])
  // By these two a sweep finds what it leaves behind: there is no namespace that would end it.
  const variables = scene.findings.seen.filter((what) => what.startsWith('variable'))
  assert.equal(variables, ['variable LAMBENT_ENVIRONMENT_ID', 'variable LAMBENT_ENGINE'])
  assert.equal(scene.findings.inspectors, [], 'opened a debugger in the engine')
  assert.is((await call(scene.lambent, 'victim')).body, 1)
})

unlessMissing(isolation, lacks('hardened'))('cannot fill more than its /tmp (hardened)', async () => {
  await using lambent = await startLambent({ argv: ['--isolation', 'hardened'] })
  await define(
    lambent,
    'fills',
    `const fs = require('node:fs')
     exports.handler = async (event) => {
       if (event.look) return fs.readdirSync('/tmp').length
       let megabytes = 0
       try { for (; megabytes < 700; megabytes++) fs.appendFileSync('/tmp/big', Buffer.alloc(1e6, 1)) }
       catch (error) { fs.rmSync('/tmp/big'); return { code: error.code, megabytes } }
       return { megabytes }
     }`,
    { memoryMb: 1024, timeoutSeconds: 60 },
  )

  const answer = await call(lambent, 'fills')

  assert.is((answer.body as { code?: string }).code, 'ENOSPC', JSON.stringify(answer.body))
  assert.ok((answer.body as { megabytes: number }).megabytes <= 537)
  assert.is((await call(lambent, 'fills', { look: true })).body, 0)
})

isolation('finds in /tmp what its predecessor left when it died', async () => {
  await using lambent = await startLambent()
  await define(
    lambent,
    'dies',
    `const fs = require('node:fs')
     exports.handler = async (event) => {
       const found = fs.readdirSync('/tmp')
       fs.writeFileSync('/tmp/mine', 'x')
       if (event.die) process.exit(1)
       return found
     }`,
  )

  const first = await call(lambent, 'dies')
  const warm = await call(lambent, 'dies')
  const dead = await call(lambent, 'dies', { die: true })
  const fresh = await call(lambent, 'dies')

  assert.equal([first.body, warm.body, fresh.body], [[], ['mine'], ['mine']])
  assert.is(failureOf(dead).errorType, 'Runtime.ExitError')
})

isolation('is told nothing by SIGUSR1, in the engine and in an environment', async () => {
  await using lambent = await startLambent()
  await define(
    lambent,
    'quiet',
    'exports.handler = async () => { process.kill(process.pid, "SIGUSR1"); return 1 }',
  )

  process.kill(lambent.pid, 'SIGUSR1')
  const answer = await call(lambent, 'quiet')

  assert.is(answer.body, 1)
  await until('the engine answers', async () => (await fetch(`${lambent.url}/lambent/v1/health`)).ok)
  assert.not.match(lambent.stderr(), /Debugger listening/)
  assert.not.match(answer.tail, /Debugger listening/)
})

isolation.run()
