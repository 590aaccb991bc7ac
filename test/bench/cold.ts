import { median, type Figure } from './report.ts'
import { active, deploy, invokeUrl, startLambent, type RunningLambent, zipOf } from '../support/lambent.ts'

const TINY = 'exports.handler = async () => 1'
const SAMPLES = 15
/** Longer than the pause before spares are refilled, and than a spare takes to boot. */
const REFILL_MS = 900
/** An environment that had a quiet second after its first run is asked for its code cache. */
const CACHE_MS = 2500

/**
 * Cold starts over a warm call, from a spare and without. Every sample changes a variable of the function, so
 * that its
 * environments are replaced: what is ready is what is ready for any function that was deployed and has run
 * once.
 */
export async function measureCold(): Promise<Figure[]> {
  const large = await largePackage()
  const tiny = await zipOf({ 'index.js': TINY })
  const figures: Figure[] = []
  for (const spares of ['2', '0']) {
    await using lambent = await startLambent({
      settings: { LAMBENT_SPARES: spares, LAMBENT_MAX_ENVIRONMENTS: '64' },
    })
    const from = spares === '0' ? 'without a spare' : 'from a spare'
    const bars = spares === '0' ? [undefined, undefined] : [{ atMost: 5 }, { atMost: 60 }]
    for (const [index, [label, zip]] of (
      [
        ['tiny', tiny],
        ['3 MB', large],
      ] as const
    ).entries()) {
      const { cold, warm } = await sample(lambent, `${label.replaceAll(/\W/g, '')}${spares}`, zip)
      const target = bars[index]
      figures.push({
        name: `cold start, ${label} package, ${from}, over a warm call (p50)`,
        value: median(cold) - median(warm),
        unit: 'ms',
        ...(target ? { target } : {}),
        note: `warm ${median(warm).toFixed(2)} ms, package ${(zip.length / 1e6).toFixed(2)} MB zipped`,
      })
    }
  }
  return figures
}

async function sample(
  lambent: RunningLambent,
  name: string,
  zip: Buffer,
): Promise<{ cold: number[]; warm: number[] }> {
  const cold: number[] = []
  const warm: number[] = []
  await deploy(lambent.url, name, zip)
  const url = invokeUrl(lambent.url, name)
  await timed(url)
  await new Promise((resolve) => setTimeout(resolve, CACHE_MS))
  for (let index = 0; index < SAMPLES; index++) {
    await replaceEnvironments(lambent.url, name, index)
    await new Promise((resolve) => setTimeout(resolve, REFILL_MS))
    cold.push(await timed(url))
    await timed(url)
    warm.push(await timed(url))
  }
  return { cold, warm }
}

async function replaceEnvironments(url: string, name: string, value: number): Promise<void> {
  const response = await fetch(`${url}/2015-03-31/functions/${name}/configuration`, {
    method: 'PUT',
    body: JSON.stringify({ Environment: { Variables: { SAMPLE: String(value) } } }),
  })
  if (!response.ok) throw new Error(await response.text())
  await active(url, name)
}

async function timed(url: string): Promise<number> {
  const start = performance.now()
  const response = await fetch(url, { method: 'POST', body: '{}' })
  const text = await response.text()
  if (!response.ok || response.headers.has('x-amz-function-error'))
    throw new Error(`${response.status} ${text}`)
  return performance.now() - start
}

/** A bundle of about 3 MB of real code: the AWS client, a middleware engine and a validator. */
async function largePackage(): Promise<Buffer> {
  const { build } = await import('esbuild')
  const result = await build({
    stdin: {
      contents: `import * as lambda from '@aws-sdk/client-lambda'
        import middy from '@middy/core'
        import { z } from 'zod'
        import * as hono from 'hono'
        const client = new lambda.LambdaClient({ region: 'us-east-1', endpoint: 'http://127.0.0.1:1', credentials: { accessKeyId: 'a', secretAccessKey: 'b' } })
        const shape = z.object({ name: z.string().optional() })
        const app = new hono.Hono()
        export const handler = middy(async (event) => ({ ok: shape.safeParse(event).success, all: Object.keys(lambda).length, client: typeof client.send, app: typeof app.fetch }))
        export const everything = [lambda, z, hono]`,
      resolveDir: process.cwd(),
      loader: 'ts',
    },
    bundle: true,
    platform: 'node',
    format: 'cjs',
    target: 'node20',
    write: false,
    logLevel: 'error',
  })
  return zipOf({ 'index.js': result.outputFiles[0]?.text ?? '' })
}
