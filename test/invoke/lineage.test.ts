import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { isLoop, withLineage } from '../../runtime/invoke/lineage.ts'
import type { FunctionLimits } from '../../runtime/registry/types.ts'

const lineage = suite('lineage in the trace header')

const ROOT = 'Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=0'
const limitsOf = (end: string, mayLoop = false): FunctionLimits => ({
  functionId: `0193d1c2-0000-7000-8000-0000${end}`,
  reservedConcurrency: null,
  inFlight: 0,
  mayLoop,
})
const A = limitsOf('aaaaaaaa')
const B = limitsOf('bbbbbbbb')

lineage('a header without one gets the function, run for the first time', () => {
  assert.is(withLineage(ROOT, A), `${ROOT};Lineage=1:aaaaaaaa:0`)
  assert.is(isLoop(ROOT, A), false)
})

lineage('every run counts one more, each function for itself, whatever stands around it', () => {
  const first = withLineage(`Root=1-2-3;Lineage=1:aaaaaaaa:4;Sampled=1`, B)
  const second = withLineage(first, A)

  assert.is(first, 'Root=1-2-3;Lineage=1:aaaaaaaa:4|1:bbbbbbbb:0;Sampled=1')
  assert.is(second, 'Root=1-2-3;Lineage=1:bbbbbbbb:0|1:aaaaaaaa:5;Sampled=1')
})

lineage('the seventeenth run in one chain is a loop, in one function or around by another', () => {
  let header = ROOT
  const loops: boolean[] = []
  for (let run = 1; run <= 17; run++) {
    loops.push(isLoop(header, A))
    header = withLineage(withLineage(header, A), B)
  }

  assert.equal(loops, [...Array.from({ length: 16 }, () => false), true])
})

lineage('a function that may loop is never stopped', () => {
  assert.is(isLoop(`${ROOT};Lineage=1:aaaaaaaa:99`, limitsOf('aaaaaaaa', true)), false)
})

lineage('headers of other forms are read, broken ones do no harm, and none grows without end', () => {
  let header = ROOT
  for (let index = 0; index < 100; index++) header = withLineage(header, limitsOf(String(10_000_000 + index)))

  assert.is(isLoop(`${ROOT};Lineage=aaaaaaaa:15`, A), true)
  assert.is(isLoop(`${ROOT};Lineage=68fd508a:5|aaaaaaaa:14|c512fbe3:2`, A), false)
  assert.is(withLineage(`${ROOT};Lineage=`, A), `${ROOT};Lineage=1:aaaaaaaa:0`)
  assert.is(isLoop(`${ROOT};Lineage=:::|x|aaaaaaaa:`, A), false)
  assert.ok(header.length < 700, `${header.length} characters`)
  assert.match(header, /1:10000099:0$/)
})

lineage.run()
