import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { startLambent } from '../../adapters/main.ts'
import { systemClock } from '../../runtime/clock.ts'
import { readConfig } from '../../runtime/config.ts'
import { createLog } from '../../runtime/log.ts'
import { temporaryDirectory } from '../support/temporary.ts'
import { within } from '../support/until.ts'

const failing = suite('a start that fails')

failing('leaves nothing open: the next one has the data directory', async () => {
  using folder = temporaryDirectory()
  const log = createLog({ level: 'silent', clock: systemClock, sink: () => {} })
  const config = readConfig({ port: '0', 'http-port': '0', data: folder.join('data'), spares: '0' })
  mkdirSync(config.dataDirectory)
  const inTheWay = `${config.dataDirectory}/environments`
  writeFileSync(inTheWay, 'a file where a folder has to be')
  const why = (): Promise<string> =>
    startLambent(config, { log }).then(
      () => 'it started',
      (error: Error) => error.message,
    )

  const reasons = [await why(), await why()]
  rmSync(inTheWay)
  const lambent = await startLambent(config, { log })
  await within('the stop', lambent.stop())

  for (const reason of reasons) assert.match(reason, 'EEXIST')
})

failing.run()
