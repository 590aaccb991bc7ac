import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { startLambent } from '../../../adapters/main.ts'
import { systemClock } from '../../../runtime/clock.ts'
import { readConfig } from '../../../runtime/config.ts'
import { childrenOf, readVariables } from '../../../runtime/environments/spawner/proc.ts'
import { createLog } from '../../../runtime/log.ts'
import type { EngineHealth } from '../../../runtime/views.ts'
import { temporaryDirectory } from '../../support/temporary.ts'
import { until, within } from '../../support/until.ts'

const health = suite('health')

const spawner = (): number | undefined =>
  childrenOf(process.pid).find((pid) =>
    [...(readVariables(pid) ?? [])].some((one) => one.startsWith('LAMBENT_ENGINE=')),
  )

health('an engine that cannot start processes any more says so, and still stops', async () => {
  using folder = temporaryDirectory()
  const log = createLog({ level: 'silent', clock: systemClock, sink: () => {} })
  const config = readConfig({ port: '0', 'http-port': '0', data: folder.join('data'), spares: '0' })
  const lambent = await startLambent(config, { log })
  const ask = async (): Promise<EngineHealth> =>
    (await (await fetch(`${lambent.urls.api}/lambent/v1/health`)).json()) as EngineHealth // as documented
  assert.is((await ask()).status, 'ok')

  for (let death = 0; death < 4; death++) {
    const pid = await until('there is a spawner', spawner)
    process.kill(pid, 'SIGKILL')
    await until('it is gone', () => spawner() !== pid)
  }
  await until('there is none any more', () => spawner() === undefined)

  const { status, reasons } = await until('it is noticed', async () => {
    const answer = await ask()
    return answer.status === 'degraded' && answer
  })
  await within('the stop', lambent.stop())
  assert.is(status, 'degraded')
  assert.match(reasons.join(), 'No environment can be started')
})

health.run()
