import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { delimiter, dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { WebSocket } from 'ws'
import { connect } from '../../runtime/sdk/client.ts'
import { startLambentProcess, type LambentProcess } from '../support/lambent-process.ts'
import { unlessMissing } from '../support/skip.ts'
import { until } from '../support/until.ts'

/** The examples that use tasks, actors, objects and groups, as somebody tries them after an install. */
const examples = suite('the examples')

const FUNCTIONS = join(dirname(fileURLToPath(import.meta.url)), '..', '..', 'functions')

/** Starts an engine with one example deployed. */
const withExample = (name: string, words: readonly string[] = []): Promise<LambentProcess> =>
  startLambentProcess(['--deploy', join(FUNCTIONS, name), ...words])

/** In the example's own folder, or at the root. */
const isInstalled = (name: string, example: string): boolean =>
  [join(FUNCTIONS, example), dirname(FUNCTIONS)].some((folder) =>
    existsSync(join(folder, 'node_modules', name, 'package.json')),
  )

/** A suite's test when an example's package is there; skipped with the reason otherwise. */
const needing = (name: string, example: string) =>
  unlessMissing(
    examples,
    isInstalled(name, example) ? undefined : `the package ${name} of functions/${example} is not installed`,
  )

/** The path form of a function's URL. */
async function urlOf(lambent: LambentProcess, name: string): Promise<string> {
  const listed = await lambent.run(['ls', 'functions', '--json'])
  const functions = JSON.parse(listed.stdout) as { name: string; urls: { urlByPath: string }[] }[]
  return functions.find((one) => one.name === name)?.urls[0]?.urlByPath ?? ''
}

examples('counter counts by event, URL, command line and client alike, and survives a kill', async () => {
  await using lambent = await withExample('counter')
  const client = connect(lambent.api)

  const invoked = await client.invoke('counter', { name: 'visits', add: 2 })
  const called = await lambent.run(['actor', 'call', 'counter/Counter/visits', 'add', '3'])
  const killed = await lambent.run(['actor', 'kill', 'counter/Counter/visits'])
  const byUrl = await fetch(`${await urlOf(lambent, 'counter')}?name=visits`)

  assert.equal(invoked, { name: 'visits', total: 2 })
  assert.is(called.stdout, '5\n', called.stderr)
  assert.is(killed.code, 0, killed.stderr)
  assert.equal(await byUrl.json(), { name: 'visits', total: 6 })
})

const wordCount = needing('nlp-corpus', 'word-count')
wordCount('word-count counts the same words however many tasks count them', async () => {
  await using lambent = await withExample('word-count')
  const client = connect(lambent.api)
  interface Answer {
    readonly words: number
    readonly different: number
    readonly top: { word: string; count: number }[]
    readonly countedInAll: number
  }

  const one = await client.invoke<Answer>('word-count', { chunks: 1, top: 3 })
  const many = await client.invoke<Answer>('word-count', { chunks: 13, top: 3 })

  assert.is(one.top[0]?.word, 'the')
  assert.ok(one.words > 100_000, `${one.words} words`)
  assert.equal(many.top, one.top)
  assert.is(many.different, one.different)
  assert.is(many.countedInAll, one.words * 2)
  const tally = client.actor<{ total(): number }>('word-count/Tally', 'all')
  assert.is(await tally.total(), one.words * 2)
})

const embeddings = needing('@energetic-ai/embeddings', 'embeddings')
embeddings('embeddings knows what is alike, and answers requests together in one batch', async () => {
  await using lambent = await withExample('embeddings')
  const url = await urlOf(lambent, 'embeddings')
  const ask = async (sentences: readonly string[]): Promise<number[][]> => {
    const response = await fetch(url, { method: 'POST', body: JSON.stringify({ sentences }) })
    return ((await response.json()) as { similarity: number[][] }).similarity // as the example answers
  }
  const embedder = connect(lambent.api).actor<{ batches(): number }>('embeddings/Embedder', 'en')
  await ask(['The first request loads the model.'])
  const before = await embedder.batches()

  const answers = await Promise.all(
    Array.from({ length: 8 }, () =>
      ask(['A cat naps on the couch.', 'The kitten sleeps on the sofa.', 'Revenue grew by ten percent.']),
    ),
  )

  for (const [first] of answers) assert.ok((first?.[1] ?? 0) > (first?.[2] ?? 1) + 0.2, JSON.stringify(first))
  const batches = (await embedder.batches()) - before
  assert.ok(batches < 8, `8 requests at once made ${batches} batches`)
})

const mnist = needing('mnist', 'mnist-search')
mnist('mnist-search trains side by side on quarters of a GPU that is only declared', async () => {
  await using lambent = await withExample('mnist-search', ['--resources', '{"cpu":2,"gpu":1}'])
  const client = connect(lambent.api)
  interface Found {
    readonly best: { readonly accuracy: number }
    readonly results: readonly { readonly gpus: string }[]
  }

  const found = await client.invoke<Found>('mnist-search', { trials: 4, pictures: 600, epochs: 2 })

  assert.is(found.results.length, 4)
  assert.ok(found.best.accuracy > 0.6, `${found.best.accuracy} of the digits were read right`)
  for (const { gpus } of found.results) assert.is(gpus, '0')
  const board = client.actor<{ best(): { accuracy: number } }>('mnist-search/Leaderboard', 'all')
  assert.is((await board.best()).accuracy, found.best.accuracy)
})

mnist('mnist-search without a GPU is refused with what is missing', async () => {
  await using lambent = await withExample('mnist-search', ['--resources', '{"cpu":2}'])

  const refused = await lambent.run(['invoke', 'mnist-search', '-p', '{"trials":1}'])

  assert.is(refused.code, 1)
  assert.match(refused.stderr, /^Infeasible: .*gpu/i)
})

examples('chat-room remembers what was said, and says it to everybody, also after a kill', async () => {
  await using lambent = await withExample('chat-room')
  const room = `${lambent.http.replace(/^http/, 'ws')}/rooms/lobby`
  const client = connect(lambent.api).actor<{
    say(from: string, text: string): void
    said(): { from: string; text: string }[]
  }>('chat-room/Room', 'lobby')
  const heard: Record<string, string[]> = { ada: [], bob: [] }
  const join = async (name: string): Promise<WebSocket> => {
    const socket = new WebSocket(`${room}?name=${name}`)
    socket.on('message', (data) => {
      const message = JSON.parse(String(data)) as { kind: string; from?: string; text?: string }
      if (message.kind === 'said') heard[name]?.push(`${message.from}: ${message.text}`)
    })
    await once(socket, 'open')
    return socket
  }
  const ada = await join('ada')
  const bob = await join('bob')

  ada.send('{"text":"hello"}')
  await until('bob has heard ada', () => heard['bob']?.includes('ada: hello'))
  await lambent.run(['actor', 'kill', 'chat-room/Room/lobby'])
  await client.say('robot', 'I am back')
  await until('both have heard the robot', () =>
    Object.values(heard).every((lines) => lines.includes('robot: I am back')),
  )

  assert.equal(
    (await client.said()).map(({ from, text }) => `${from}: ${text}`),
    ['ada: hello', 'robot: I am back'],
  )
  ada.terminate()
  bob.terminate()
})

const CHROMIUM = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable']
const chromium = [
  process.env.CHROMIUM_PATH ?? '',
  ...(process.env.PATH ?? '').split(delimiter).flatMap((path) => CHROMIUM.map((name) => join(path, name))),
].find((path) => path !== '' && existsSync(path))
const withBrowser = unlessMissing(
  examples,
  chromium === undefined ? 'no Chromium in PATH or CHROMIUM_PATH: the page of the chat room' : undefined,
)

withBrowser('chat-room shows the same conversation in two windows', async () => {
  await using lambent = await withExample('chat-room')
  const { chromium: engine } = await import('playwright-core')
  const browser = await engine.launch({ executablePath: chromium ?? '', args: ['--no-sandbox'] })
  try {
    const open = async (name: string) => {
      const page = await browser.newPage({ viewport: { width: 640, height: 480 } })
      await page.goto(`${lambent.http}/chat/lobby?name=${name}`)
      await page.waitForFunction(`document.querySelector('#people').textContent.includes('${name}')`)
      return page
    }
    const ada = await open('Ada')
    const bob = await open('Bob')
    const say = async (page: typeof ada, text: string): Promise<void> => {
      await page.fill('input[name=text]', text)
      await page.press('input[name=text]', 'Enter')
    }

    await say(ada, 'Is this <b>thing</b> on?')
    await bob.getByText('Is this <b>thing</b> on?').waitFor()
    await say(bob, 'Loud and clear.')
    await ada.getByText('Loud and clear.').waitFor()

    assert.is(await ada.locator('#people').textContent(), 'Ada, Bob')
    assert.is(await bob.locator('#log li.own').count(), 1)
    const picture = process.env.LAMBENT_TEST_PICTURES
    if (picture !== undefined) await bob.screenshot({ path: join(picture, 'chat-room.png') })
  } finally {
    await browser.close()
  }
})

examples.run()
