// time limit: 1800 s
import * as assert from 'node:assert/strict'
import { suite } from 'uvu'
import { temporaryDirectory } from '../support/temporary.ts'
import { CALLS_BETWEEN, Campaign, KEYS } from './actor-campaign.ts'

/** LAMBENT_CHAOS_KILLS: kills (8); LAMBENT_CHAOS_SEED: repeats the plan of an earlier run. */
const kills = Number(process.env['LAMBENT_CHAOS_KILLS'] ?? 8)
const seed = Number(process.env['LAMBENT_CHAOS_SEED'] ?? Math.floor(Math.random() * 1_000_000))
const counting = suite('a counter under kills')

counting(
  `64 callers and ${kills} kills: what was acknowledged counts, and nothing counts twice`,
  async () => {
    process.stdout.write(`seed ${seed}, ${kills} kills\n`)
    using folder = temporaryDirectory()
    const campaign = await Campaign.start(folder, { kills, seed })

    await campaign.run().catch(async (error: unknown) => {
      process.stdout.write(`${await campaign.condition()}\n`)
      throw error
    })

    for (const key of KEYS) {
      const ledger = campaign.ledgerOf(key)
      const counts = await campaign.counts(key)
      assert.equal(new Set(ledger.keyed).size, ledger.keyed.length, `${key}: two calls got one count`)
      assert.equal(counts.keyed, ledger.keyed.length, `${key}: a keyed call is lost or counted twice`)
      assert.equal(new Set(ledger.plain).size, ledger.plain.length, `${key}: two calls got one count`)
      const { plain, unknown } = ledger
      const told = `${key}: ${counts.plain} counted, ${plain.length} acknowledged, ${unknown} unknown`
      assert.ok(counts.plain >= plain.length && counts.plain <= plain.length + unknown, told)
    }
    await campaign.stop()
    assert.ok(campaign.acknowledged >= kills * CALLS_BETWEEN)
  },
)

counting.run()
