// time limit: 300 s
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { CaseRun, type Case } from './case.ts'
import { ATTACHMENT_CASES } from './cases/attachments.ts'
import { CODE_SIGNING_CASES } from './cases/code-signing.ts'
import { CAPACITY_CASES } from './cases/capacity.ts'
import { DESTINATION_CASES } from './cases/destinations.ts'
import { EVENT_SOURCE_CASES } from './cases/event-sources.ts'
import { FUNCTION_CASES } from './cases/functions.ts'
import { INVOKE_CASES } from './cases/invoking.ts'
import { LAYER_CASES } from './cases/layers.ts'
import { NAME_CASES } from './cases/names.ts'
import { SETTING_CASES } from './cases/settings.ts'
import { SIZE_CASES } from './cases/sizes.ts'
import { NO_PYTHON, PROVIDED_CASES, PYTHON_CASES } from './cases/runtimes.ts'
import { URL_CASES } from './cases/urls.ts'
import { VERSION_CASES } from './cases/versions.ts'
import { EXCLUDED, KNOWN_DIFFERENCES } from './known-differences.ts'
import { readRecordings } from './recordings.ts'
import { Service } from './service.ts'

/**
 * Recorded answers of the real service against this one's. A difference fails, unless it is on the list of
 * known ones; a known difference that is gone fails too, so that the list stays true.
 */
const conformance = suite('conformance')

const CASES: readonly Case[] = [
  ...FUNCTION_CASES,
  ...VERSION_CASES,
  ...NAME_CASES,
  ...ATTACHMENT_CASES,
  ...URL_CASES,
  ...INVOKE_CASES,
  ...PROVIDED_CASES,
  ...(NO_PYTHON === undefined ? [...PYTHON_CASES, ...DESTINATION_CASES] : []),
  ...LAYER_CASES,
  ...CODE_SIGNING_CASES,
  ...SETTING_CASES,
  ...SIZE_CASES,
  ...CAPACITY_CASES,
  ...EVENT_SOURCE_CASES,
]

const recordings = readRecordings()
let started: Promise<Service> | undefined
let compared = 0
let exact = 0
const lines: string[] = []

for (const [index, { recording, script }] of CASES.entries()) {
  conformance(recording, async () => {
    const recorded = recordings.get(recording)
    if (recorded === undefined) throw new Error(`There is no recording of "${recording}".`)
    const service = await (started ??= Service.start())
    const run = new CaseRun(service, recorded, `case-${index}`)

    await script(run)

    const unknown: string[] = []
    for (const { entry, differences } of run.outcomes) {
      compared += 1
      const reason = KNOWN_DIFFERENCES[`${recording} ${entry}`]
      if (differences.length === 0) exact += 1
      else lines.push(`differs: ${recording} ${entry}: ${reason ?? differences.join('; ')}`)
      if (reason === undefined) unknown.push(...differences.map((one) => `${entry}${one}`))
      else if (differences.length === 0)
        unknown.push(`${entry} does not differ any more: take it off the list`)
    }
    for (const entry of run.missed()) {
      const reason = KNOWN_DIFFERENCES[`${recording} ${entry}`] ?? KNOWN_DIFFERENCES[`${recording} *`]
      if (reason === undefined) unknown.push(`${entry} was not compared`)
    }
    assert.equal(unknown, [])
  })
}

conformance('says how much is exact', async () => {
  const entries = [...recordings.values()].reduce((sum, one) => sum + Object.keys(one).length, 0)
  const scope = `${CASES.length} of ${recordings.size} recorded cases, ${compared} of ${entries} entries`
  const checked = [`exact ${exact} of ${compared} (${scope})`, ...lines]
  process.stdout.write(`\n${checked.map((line) => `checked: ${line}\n`).join('')}`)

  assert.ok(compared > 0)
})

conformance('every recorded case has a script, or a reason why not', async () => {
  const scripted = new Set(CASES.map(({ recording }) => recording))
  const left = [...recordings.keys()].filter((name) => !scripted.has(name))
  const reasonOf = (name: string): string | undefined => EXCLUDED.find(([pattern]) => pattern.test(name))?.[1]

  for (const [pattern, reason] of EXCLUDED) {
    const count = left.filter((name) => pattern.test(name)).length
    process.stdout.write(`\nchecked: excluded: ${count} recorded cases: ${reason}\n`)
  }
  const unexplained = left.filter((name) => reasonOf(name) === undefined)

  assert.equal(unexplained, [])
  for (const [pattern] of EXCLUDED)
    assert.ok(
      left.some((name) => pattern.test(name)),
      String(pattern),
    )
})

conformance('stops cleanly in the end', async () => {
  const service = await started

  assert.is(await service?.lambent.stop(), 0)
  await service?.store[Symbol.asyncDispose]()
})

conformance.run()
