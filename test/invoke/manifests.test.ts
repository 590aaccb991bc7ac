import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { Manifests } from '../../runtime/invoke/manifests.ts'
import { rejectsWith } from '../support/assert.ts'
import { version, world } from '../support/scheduler-world.ts'

const manifests = suite('manifests of packages')

async function start() {
  const base = await world()
  let ids = 0
  const asked = new Manifests({
    clock: base.clock,
    newId: () => `ask-${++ids}`,
    submit: (invocation) => base.scheduler.submit(invocation),
  })
  return { ...base, asked }
}

manifests('an environment is asked once for all who want to know', async () => {
  const { asked, ready, processes } = await start()
  const answers = [asked.of(version('f')), asked.of(version('f'))]
  await ready()
  const [process] = processes
  assert.is(process?.held[0]?.target, 'describe')
  const told = { tasks: { work: { cpu: 2 }, odd: 1 }, actors: { Tally: {} } }

  process?.result(process.held[0]?.id ?? 0, Buffer.from(JSON.stringify(told)))

  for (const answer of await Promise.all(answers))
    assert.equal(answer, { tasks: { work: { cpu: 2 }, odd: {} }, actors: { Tally: {} } })
  await asked.of(version('f'))
  assert.is(processes.length, 1)
})

manifests('nobody is asked about what an environment has told', async () => {
  const { asked, processes } = await start()
  asked.learn(version('f'), { tasks: { work: {} }, actors: {} })

  assert.equal(await asked.of(version('f')), { tasks: { work: {} }, actors: {} })
  assert.is(processes.length, 0)
})

manifests('other runtimes have neither tasks nor actors', async () => {
  const { asked, processes } = await start()

  assert.equal(await asked.of(version('f', {}, { runtime: 'python3.12' })), { tasks: {}, actors: {} })
  assert.is(processes.length, 0)
})

manifests('code that does not load says so, and is asked again the next time', async () => {
  const { asked, ready, processes } = await start()
  const first = asked.of(version('f'))
  await ready()
  processes[0]?.crash()
  const failure = await rejectsWith(first, 'unavailable')
  assert.match(failure.message, '"f"')

  const second = asked.of(version('f'))
  await ready()
  const process = processes.at(-1)
  process?.result(process.held[0]?.id ?? 0, Buffer.from('{}'))

  assert.equal(await second, { tasks: {}, actors: {} })
})

manifests.run()
