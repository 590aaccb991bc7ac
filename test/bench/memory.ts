import { readFileSync } from 'node:fs'
import type { Figure } from './report.ts'
import { median } from './report.ts'
import { deploy, invokeUrl, startLambent, zipOf } from '../support/lambent.ts'
import { memoryOf } from './subject.ts'

interface ShownEnvironment {
  readonly pid: number
  readonly functionName?: string
}

/** What an idle engine and its warm environments cost. */
export async function measureMemory(): Promise<Figure[]> {
  await using lambent = await startLambent()
  await new Promise((resolve) => setTimeout(resolve, 3000))
  const idle = memoryOf(lambent.pid)
  const zip = await zipOf({
    'index.js': 'exports.handler = async () => new Promise((resolve) => setTimeout(resolve, 300))',
  })
  await deploy(lambent.url, 'tiny', zip)
  await Promise.all(
    Array.from({ length: 8 }, () => fetch(invokeUrl(lambent.url, 'tiny'), { method: 'POST', body: '{}' })),
  )
  const answer = (await (await fetch(`${lambent.url}/lambent/v1/environments`)).json()) as {
    environments: ShownEnvironment[]
  }
  const warm = answer.environments
    .filter((one) => one.functionName === 'tiny')
    .map((one) => memoryOf(nodeOf(one.pid)).pssMb)
  return [
    {
      name: 'engine, idle',
      value: idle.rssMb,
      unit: 'MB RSS',
      target: { atMost: 110 },
      note: `${idle.pssMb.toFixed(0)} MB PSS`,
    },
    {
      name: 'warm tiny environment',
      value: median(warm),
      unit: 'MB PSS',
      target: { atMost: 12 },
      note: `of ${warm.length} side by side`,
    },
  ]
}

/** The Node.js process below what isolates it: the last of a chain of only children. */
function nodeOf(pid: number): number {
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ').filter(Boolean)
  return children.length === 1 ? nodeOf(Number(children[0])) : pid
}
