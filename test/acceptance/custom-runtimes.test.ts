// time limit: 240 s
import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { call, failureOf, logOf } from '../support/function-calls.ts'
import { deploy, startLambent, zipOf, type DeployOptions, type ZippedFile } from '../support/lambent.ts'

import { unlessMissing } from '../support/skip.ts'
import { temporaryDirectory } from '../support/temporary.ts'

/** `provided.*`: a bootstrap of the function's own that polls the Runtime API. */
const custom = suite('custom runtimes')

/** A shell script in the way of AWS's own example; what it does with an event is in `body`. */
const shell = (body: string): ZippedFile => ({
  program: `#!/bin/bash
set -u
api="http://$AWS_LAMBDA_RUNTIME_API/2018-06-01/runtime"
echo "starting"
while true; do
  headers="$(mktemp)"
  event=$(curl -sS -LD "$headers" "$api/invocation/next")
  id=$(grep -Fi Lambda-Runtime-Aws-Request-Id "$headers" | tr -d '[:space:]' | cut -d: -f2)
  respond() { curl -sS "$api/invocation/$id/$1" -d "$2" > /dev/null; }
  ${body}
done
`,
})

const provided = (name: string, bootstrap: ZippedFile, options: DeployOptions = {}) => ({
  name,
  files: { bootstrap },
  options: { runtime: 'provided.al2023', memoryMb: 128, timeoutSeconds: 3, ...options },
})

async function define(
  url: string,
  { name, files, options }: { name: string; files: Record<string, ZippedFile>; options: DeployOptions },
): Promise<void> {
  await deploy(url, name, await zipOf(files), options)
}

custom('a shell script answers, logs, and sees the environment that Lambda promises', async () => {
  await using lambent = await startLambent()
  const body = `echo "out $id"; echo "err $id" > /dev/stderr; touch /tmp/file
    names=$(compgen -e | sort | tr '\\n' ' ')
    respond response "{\\"event\\":$event,\\"cwd\\":\\"$PWD\\",\\"names\\":\\"$names\\"}"`
  await define(lambent.url, provided('shell', shell(body)))

  const answer = await call(lambent, 'shell', { a: 'ä' })

  assert.is(answer.functionError, undefined)
  const { event, cwd, names } = answer.body as { event: unknown; cwd: string; names: string }
  assert.equal(event, { a: 'ä' })
  assert.is(cwd, '/var/task')
  assert.ok(names.includes('AWS_LAMBDA_RUNTIME_API'))
  for (const absent of ['AWS_EXECUTION_ENV', 'LAMBENT_', 'NODE_PATH', 'AWS_LAMBDA_LOG_FORMAT'])
    assert.not.ok(names.includes(absent), absent)
  const lines = (await logOf(lambent, answer.requestId)).map((line) => line.trimEnd())
  assert.is(lines[0], `START RequestId: ${answer.requestId} Version: $LATEST`)
  assert.equal(lines.slice(1, 3), [`out ${answer.requestId}`, `err ${answer.requestId}`])
  assert.match(lines[4] ?? '', /^REPORT .*\tInit Duration: \d+\.\d\d ms$/)
})

custom('how the process ends is what the caller is told, and the next call starts anew', async () => {
  await using lambent = await startLambent()
  const body = `case "$event" in
      *exit3*) exit 3 ;; *exit0*) exit 0 ;; *segv*) kill -SEGV $$ ;; *kill*) kill -9 $$ ;;
      *loop*) while :; do :; done ;;
    esac
    respond response "$event"`
  await define(lambent.url, provided('ending', shell(body)))

  const ends = [
    ['exit3', 'Runtime.ExitError', 'Runtime exited with error: exit status 3'],
    ['exit0', 'Runtime.ExitError', 'Runtime exited without providing a reason'],
    ['segv', 'Runtime.ExitError', 'Runtime exited with error: signal: segmentation fault'],
    ['kill', 'Runtime.ExitError', 'Runtime exited with error: signal: killed'],
    ['loop', 'Sandbox.Timedout', 'Task timed out after 3.00 seconds'],
  ] as const
  for (const [event, errorType, message] of ends) {
    const answer = await call(lambent, 'ending', event)
    const errorMessage = `RequestId: ${answer.requestId} Error: ${message}`
    assert.equal(failureOf(answer), { errorType, errorMessage })
    assert.is(answer.functionError, 'Unhandled')
    assert.is((await call(lambent, 'ending', 'fine')).body, 'fine')
  }
})

const compiler = ['cc', 'gcc', 'clang'].find((name) => spawnSync(name, ['--version']).status === 0)
const compiled = unlessMissing(custom, compiler === undefined ? 'there is no C compiler' : undefined)

compiled('a compiled program answers over one connection, and its abort is its own', async () => {
  await using lambent = await startLambent()
  using folder = temporaryDirectory()
  const source = join(dirname(fileURLToPath(import.meta.url)), 'compiled.c')
  const words = ['-D_GNU_SOURCE', '-o', folder.join('bootstrap'), source]
  const built = spawnSync(compiler ?? '', words, { encoding: 'utf8' })
  assert.is(built.stderr, '')
  const program = readFileSync(folder.join('bootstrap'))
  await define(lambent.url, provided('compiled', { program }, { timeoutSeconds: 10 }))
  const large = 'x'.repeat(5_000_000)

  const answers = [await call(lambent, 'compiled', { a: 1 }), await call(lambent, 'compiled', large)]
  const crashed = await call(lambent, 'compiled', 'crash')

  assert.equal(
    answers.map(({ body }) => body),
    [{ a: 1 }, large],
  )
  assert.match(answers[1]?.tail ?? '', /\ncompiled \S+\nEND /)
  assert.match(failureOf(crashed).errorMessage, /Error: Runtime exited with error: signal: aborted$/)
})

custom('a wrapper may start another client of the Runtime API in place of the runtime', async () => {
  await using lambent = await startLambent()
  const files = { 'index.js': 'throw new Error("not loaded")', wrapper: shell('respond response "$event"') }
  const variables = { AWS_LAMBDA_EXEC_WRAPPER: '/var/task/wrapper' }
  await deploy(lambent.url, 'other', await zipOf(files), { variables })

  assert.equal((await call(lambent, 'other', { through: 'the wrapper' })).body, { through: 'the wrapper' })
})

custom('several at once in one environment, when the runtime asks for several', async () => {
  await using lambent = await startLambent()
  const program = `#!/usr/bin/env node
const api = 'http://' + process.env.AWS_LAMBDA_RUNTIME_API + '/2018-06-01/runtime/invocation/'
const waiting = []
async function work() {
  for (;;) {
    const next = await fetch(api + 'next')
    const id = next.headers.get('lambda-runtime-aws-request-id')
    const event = await next.json()
    console.log(JSON.stringify({ requestId: id, message: 'working on ' + event.n }))
    // Nobody is answered before all are there.
    await new Promise((resolve) => { waiting.push(resolve); if (waiting.length === event.together) waiting.forEach((go) => go()) })
    const body = JSON.stringify({ event, pid: process.pid, asked: process.env.AWS_LAMBDA_MAX_CONCURRENCY })
    await fetch(api + id + '/response', { method: 'POST', body })
  }
}
for (let count = 0; count < Number(process.env.AWS_LAMBDA_MAX_CONCURRENCY); count++) work()
`
  const tags = { 'lambent:concurrency': '4', 'lambent:max-environments': '1' }
  await define(lambent.url, provided('several', { program }, { tags, timeoutSeconds: 20 }))

  const calls = [1, 2, 3, 4].map((n) => call(lambent, 'several', { n, together: 4 }))
  const answers = await Promise.all(calls)
  const bodies = answers.map(({ body }) => body as { event: { n: number }; pid: number; asked: string })

  assert.equal(
    bodies.map(({ event }) => event.n),
    [1, 2, 3, 4],
  )
  assert.is(new Set(bodies.map(({ pid }) => pid)).size, 1)
  assert.is(bodies[0]?.asked, '4')
  for (const [index, { requestId }] of answers.entries()) {
    const own = (await logOf(lambent, requestId)).filter((line) => line.includes('working on'))
    assert.equal(own, [JSON.stringify({ requestId, message: `working on ${index + 1}` })])
  }
})

custom('without a bootstrap that can be started there is no entry point', async () => {
  await using lambent = await startLambent()
  const cases = [
    ['absent', { other: shell('') }, "Couldn't find valid bootstrap(s): [/var/task/bootstrap /opt/bootstrap"],
    [
      'mode',
      { bootstrap: { program: '#!/bin/sh\n', mode: 0o644 } },
      'fork/exec /var/task/bootstrap: permission denied',
    ],
    ['format', { bootstrap: { program: 'echo' } }, 'fork/exec /var/task/bootstrap: exec format error'],
    ['windows', { bootstrap: { program: '#!/bin/sh\r\n' } }, 'fork/exec /var/task/bootstrap: no such file'],
  ] as const

  for (const [name, files, message] of cases) {
    await define(lambent.url, { ...provided(name, ''), files })
    const answer = await call(lambent, name)
    const failure = failureOf(answer)

    assert.is(failure.errorType, 'Runtime.InvalidEntrypoint')
    assert.ok(
      failure.errorMessage.startsWith(`RequestId: ${answer.requestId} Error: ${message}`),
      failure.errorMessage,
    )
    assert.match(answer.tail, /\nRuntime\.InvalidEntrypoint\n/)
  }
})

custom('runtimes that cannot run here say what is missing', async () => {
  await using lambent = await startLambent()
  await define(lambent.url, provided('java', shell(''), { runtime: 'java21' }))

  const answer = await call(lambent, 'java')

  assert.is(answer.status, 502)
  assert.match(JSON.stringify(answer.body), /InvalidRuntimeException.*java21.*Java is not available/)
})

custom.run()
