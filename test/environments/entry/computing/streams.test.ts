import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { FRAME } from '../../../../runtime/environments/frames.ts'
import { LittleEngine } from './little-engine.ts'

const streams = suite('streaming tasks inside an environment')

const STREAM = `
exports.count = task(async function* (to) {
  try { for (let n = 0; n < to; n++) { console.log('made', n); yield n } } finally { console.log('over') }
})
exports.breaks = task(async function* () { yield 1; throw new RangeError('half way') })
exports.plain = task(function* () { yield 'a'; yield 'b' })
`

streams('a generator gives refs one by one, in order', async () => {
  await using engine = await LittleEngine.start(
    `${STREAM} exports.handler = async () => { const got = []
      for await (const ref of exports.count.remote(50)) got.push(await get(ref))
      for await (const ref of exports.plain.remote()) got.push([ref.id, await get(ref)])
      return got }`,
  )

  const got = (await engine.call()) as unknown[]

  assert.equal(
    got.slice(0, 50),
    Array.from({ length: 50 }, (_, n) => n),
  )
  assert.equal(got.slice(50), [
    [`${String((got[50] as string[])[0]).split('.')[0]}.0`, 'a'],
    [`${String((got[50] as string[])[0]).split('.')[0]}.1`, 'b'],
  ])
})

streams('a producer runs no more than a window ahead, and ends when its reader leaves', async () => {
  await using engine = await LittleEngine.start(
    `${STREAM} exports.handler = async () => {
      for await (const ref of exports.count.remote(1000)) {
        await new Promise((resolve) => setTimeout(resolve, 50))
        if (await get(ref) === 2) break
      }
      return 'left' }`,
  )

  assert.is(await engine.call(), 'left')
  const [runner] = engine.runners
  await runner?.next(FRAME.result, 1)
  const made = runner?.logLines.filter((line) => line.includes('made')).length ?? 0
  assert.ok(made >= 16 && made <= 20, `${made} were made`)
  assert.match(runner?.rawLog ?? '', /over/)
})

streams('an error of a generator comes behind its items', async () => {
  await using engine = await LittleEngine.start(
    `${STREAM} exports.handler = async () => { const got = []
      try { for await (const ref of exports.breaks.remote()) got.push(await get(ref)) }
      catch (error) { got.push(error.message) }
      return got }`,
  )

  assert.equal(await engine.call(), [1, 'half way'])
})

streams.run()
