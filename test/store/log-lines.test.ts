import { strict as assert } from 'node:assert'
import { suite } from 'uvu'
import { parseFileLine, renderFileLine } from '../../runtime/store/log-file-lines.ts'
import { droppedLine, endLines, MAX_LINE_BYTES, splitLine, startLine } from '../../runtime/store/log-lines.ts'
import { makeRun, THEN_MS } from './samples.ts'

const ID = '8f2a1c3e-0000-4000-8000-000000000001'
const run = makeRun(ID)
const text = { format: 'Text', systemLevel: 'INFO' } as const
const json = (systemLevel: 'DEBUG' | 'INFO' | 'WARN') => ({ format: 'JSON', systemLevel }) as const
const typesOf = (lines: readonly string[]): unknown[] => lines.map((line) => JSON.parse(line).type)

const rendering = suite('platform lines')

rendering('a warm success reads as on Lambda, TABs included', () => {
  assert.equal(startLine(text, THEN_MS, ID, '$LATEST'), `START RequestId: ${ID} Version: $LATEST`)
  assert.deepEqual(endLines(text, run), [
    `END RequestId: ${ID}`,
    `REPORT RequestId: ${ID}\tDuration: 3.01 ms\tBilled Duration: 4 ms\tMemory Size: 128 MB\tMax Memory Used: 36 MB\t`,
  ])
})

rendering('a cold start reports its init', () => {
  const [, report] = endLines(text, { ...run, initMs: 110.1, billedMs: 114 })

  assert.equal(
    report,
    `REPORT RequestId: ${ID}\tDuration: 3.01 ms\tBilled Duration: 114 ms\tMemory Size: 128 MB\t` +
      'Max Memory Used: 36 MB\tInit Duration: 110.10 ms\t',
  )
})

rendering('failures of the platform are marked, those of the handler are not', () => {
  const endOfReport = (change: object): string =>
    (endLines(text, { ...run, ...change })[1] ?? '').split('36 MB\t')[1] ?? ''

  assert.equal(
    endOfReport({ status: 'crashed', errorType: 'Runtime.ExitError' }),
    'Status: error\tError Type: Runtime.ExitError',
  )
  assert.equal(
    endOfReport({ status: 'out-of-memory', errorType: 'Runtime.OutOfMemory' }),
    'Status: error\tError Type: Runtime.OutOfMemory',
  )
  assert.equal(
    endOfReport({ status: 'failed', errorType: 'Runtime.ImportModuleError' }),
    'Status: error\tError Type: Runtime.ImportModuleError',
  )
  assert.equal(endOfReport({ status: 'timed-out', errorType: 'Sandbox.Timedout' }), 'Status: timeout')
  assert.equal(endOfReport({ status: 'failed', errorType: 'TypeError' }), '')
})

rendering('in JSON they are objects', () => {
  assert.equal(
    startLine(json('INFO'), THEN_MS, ID, '7'),
    `{"time":"2026-01-02T03:04:05.678Z","type":"platform.start","record":{"requestId":"${ID}","version":"7"}}`,
  )
  assert.deepEqual(endLines(json('INFO'), { ...run, initMs: 110.1234 }), [
    `{"time":"2026-01-02T03:04:05.682Z","type":"platform.report","record":{"requestId":"${ID}",` +
      '"metrics":{"durationMs":3.012,"billedDurationMs":4,"memorySizeMB":128,"maxMemoryUsedMB":36,' +
      '"initDurationMs":110.123},"status":"success"}}',
  ])
})

rendering('in JSON the system level decides which there are', () => {
  const failed = { ...run, status: 'failed', errorType: 'TypeError' } as const

  assert.deepEqual(typesOf(endLines(json('DEBUG'), run)), ['platform.runtimeDone', 'platform.report'])
  assert.deepEqual(typesOf(endLines(json('INFO'), run)), ['platform.report'])
  assert.deepEqual(endLines(json('WARN'), run), [])
  assert.equal(startLine(json('WARN'), THEN_MS, ID, '7'), undefined)
  assert.deepEqual(typesOf(endLines(json('WARN'), failed)), ['platform.runtimeDone', 'platform.report'])
  const { status, errorType } = JSON.parse(endLines(json('WARN'), failed)[1] ?? '').record
  assert.deepEqual([status, errorType], ['error', 'Function.Unknown'])
})

rendering('dropped lines are told in either format', () => {
  assert.match(droppedLine(text, THEN_MS, 12, 3400), /LOGS DROPPED Lines: 12 Bytes: 3400 /)
  const { type, record } = JSON.parse(droppedLine(json('WARN'), THEN_MS, 12, 3400))
  assert.deepEqual([type, record.droppedRecords, record.droppedBytes], ['platform.logsDropped', 12, 3400])
})

rendering.run()

const files = suite('lines of files')

files('give back every message byte for byte', () => {
  const messages = [
    '',
    'plain',
    'a\tb',
    'two\nlines\r\n',
    'back\\slash \\n',
    '\u001b[31mred',
    'née 🐑',
    '\u0000',
  ]
  for (const message of messages) {
    const line = renderFileLine(THEN_MS, ID, message)
    assert.equal(line.indexOf('\n'), line.length - 1)
    assert.deepEqual(parseFileLine(Buffer.from(line.slice(0, -1))), {
      timeMs: THEN_MS,
      requestId: ID,
      message,
    })
  }
})

files('leave out a request id that would break the line, and pass over what is none', () => {
  const line = renderFileLine(THEN_MS, 'x\ty\n', 'message')

  assert.equal(parseFileLine(Buffer.from(line.slice(0, -1)))?.requestId, '')
  for (const torn of ['', '17', '17\tid', 'time\tid\tmessage'])
    assert.equal(parseFileLine(Buffer.from(torn)), undefined)
})

files('longer than 256 KB are split between characters', () => {
  const message = 'é🐑'.repeat(100_000)

  const parts = splitLine(message)

  assert.equal(parts.join(''), message)
  assert.equal(parts.length, 3)
  for (const part of parts) assert.ok(Buffer.byteLength(part) <= MAX_LINE_BYTES)
  assert.deepEqual(splitLine('short'), ['short'])
})

files.run()
