// time limit: 240 s
import { existsSync } from 'node:fs'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { Collector, defineExtended, nodeExtension } from '../support/extension-kit.ts'
import { call, environmentsOf, failureOf, logOf, type Answer } from '../support/function-calls.ts'
import { active, startLambent, zipOf, type RunningLambent, type ZippedFile } from '../support/lambent.ts'
import { unlessMissing } from '../support/skip.ts'
import { until } from '../support/until.ts'

const others = suite('extensions beside other runtimes')
const lives = suite('extensions and the life of their environment')
const there = ['/usr/bin/python3', '/usr/local/bin/python3', '/bin/python3'].some((path) => existsSync(path))
const python = unlessMissing(others, there ? undefined : 'there is no python3 in /usr/bin or /usr/local/bin')

const HANDLER = `exports.handler = async (event) => {
  console.log('working on ' + event.n)
  if (event.waitMs) await new Promise((resolve) => setTimeout(resolve, event.waitMs))
  if (event.exit) process.exit(event.exit)
  return event.n
}`
const NODE_FILES = { 'index.js': HANDLER }

/** Lines of a shell script that tell the collector something; `$1` what, `$2` JSON. */
const SHELL_TELL = `tell() {
  curl -sS -o /dev/null -d "{\\"from\\":\\"$(basename "$0")\\",\\"what\\":\\"$1\\",\\"value\\":$2}" "$COLLECTOR"
}`

const BOOTSTRAP: ZippedFile = {
  program: `#!/bin/bash
api="http://$AWS_LAMBDA_RUNTIME_API/2018-06-01/runtime"
${SHELL_TELL}
trap 'tell terminated 1; exit 0' TERM
while true; do
  headers="$(mktemp)"
  event=$(curl -sS -LD "$headers" "$api/invocation/next")
  id=$(grep -Fi Lambda-Runtime-Aws-Request-Id "$headers" | tr -d '[:space:]' | cut -d: -f2)
  [ -n "$id" ] || continue
  echo "working on $event"
  curl -sS "$api/invocation/$id/response" -d "$event" > /dev/null
done
`,
}

const SHELL_EXTENSION: ZippedFile = {
  program: `#!/bin/bash
${SHELL_TELL}
base="http://$AWS_LAMBDA_RUNTIME_API/2020-01-01/extension"
headers="$(mktemp)"
curl -sS -o /dev/null -D "$headers" "$base/register" -H "Lambda-Extension-Name: $(basename "$0")" \\
  -d '{"events":["INVOKE","SHUTDOWN"]}'
id=$(grep -Fi Lambda-Extension-Identifier "$headers" | tr -d '[:space:]' | cut -d: -f2)
while true; do
  event=$(curl -sS "$base/event/next" -H "Lambda-Extension-Identifier: $id")
  tell event "$event"
  case "$event" in *SHUTDOWN*) exit 0 ;; esac
done
`,
}

const PYTHON_EXTENSION: ZippedFile = {
  program: `#!/usr/bin/env python3
import http.server, json, os, sys, threading, urllib.request
name = os.path.basename(sys.argv[0])
base = "http://" + os.environ["AWS_LAMBDA_RUNTIME_API"]
def send(url, method="GET", body=None, **headers):
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, {key.replace("_", "-"): value for key, value in headers.items()}, method=method)
    return urllib.request.urlopen(request)
def tell(what, value):
    send(os.environ["COLLECTOR"], "POST", {"from": name, "what": what, "value": value}).read()
class Receiver(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        events = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        tell("telemetry", events)
        self.send_response(200)
        self.end_headers()
    def log_message(self, *words):
        pass
answer = send(base + "/2020-01-01/extension/register", "POST", {"events": ["INVOKE", "SHUTDOWN"]}, Lambda_Extension_Name=name)
identifier = answer.headers["Lambda-Extension-Identifier"]
server = http.server.HTTPServer(("0.0.0.0", 4244), Receiver)
threading.Thread(target=server.serve_forever, daemon=True).start()
send(base + "/2020-08-15/logs", "PUT", {"types": ["platform", "function"], "buffering": {"timeoutMs": 25, "maxItems": 1000, "maxBytes": 262144},
    "destination": {"protocol": "HTTP", "URI": "http://sandbox:4244"}}, Lambda_Extension_Identifier=identifier).read()
while True:
    event = json.load(send(base + "/2020-01-01/extension/event/next", Lambda_Extension_Identifier=identifier))
    tell("event", event)
    if event["eventType"] == "SHUTDOWN":
        sys.exit(0)
`,
}

const eventTypes = (collector: Collector, from: string): unknown[] =>
  collector.of(from, 'event').map((event) => {
    const { eventType, shutdownReason } = event as Record<string, unknown>
    return shutdownReason ?? eventType
  })

others('a shell script beside a bootstrap in shell, which is asked to end first', async () => {
  await using collector = await Collector.open()
  await using lambent = await startLambent()
  await defineExtended(lambent, collector, 'shell', {
    extensions: { 'watcher.sh': SHELL_EXTENSION },
    files: { bootstrap: BOOTSTRAP },
    options: { runtime: 'provided.al2023', timeoutSeconds: 20 },
  })

  const answer = await call(lambent, 'shell', { n: 1 })
  await lambent.stop()

  assert.equal(answer.body, { n: 1 })
  assert.equal(eventTypes(collector, 'watcher.sh'), ['INVOKE', 'spindown'])
  const order = collector.told.map(({ what }) => what)
  assert.equal(order, ['event', 'terminated', 'event'])
})

python('an extension in Python beside a function in Python, with the older API of logs', async () => {
  await using collector = await Collector.open()
  await using lambent = await startLambent()
  await defineExtended(lambent, collector, 'snake', {
    extensions: { 'watcher.py': PYTHON_EXTENSION },
    files: {
      'index.py':
        'def handler(event, context):\n    print("working on", event["n"])\n    return event["n"]\n',
    },
    options: { runtime: 'python3.12', timeoutSeconds: 20 },
  })

  const answer = await call(lambent, 'snake', { n: 1 })
  await lambent.stop()

  assert.is(answer.body, 1)
  assert.equal(eventTypes(collector, 'watcher.py'), ['INVOKE', 'spindown'])
  const told = collector.telemetry('watcher.py')
  assert.equal(
    told.map(({ type }) => type),
    [
      'platform.logsSubscription',
      'platform.extension',
      'platform.start',
      'function',
      'platform.end',
      'platform.report',
    ],
  )
  assert.equal(told[3]?.record, 'working on 1')
  assert.equal(Object.keys(told[5]?.record ?? {}), ['requestId', 'metrics'])
})

others('an extension that is the runtime, while the function’s program is none', async () => {
  await using collector = await Collector.open()
  await using lambent = await startLambent()
  const adapter = nodeExtension({
    events: [],
    atRegistered: `
      ask('GET', '2020-01-01/extension/event/next', { 'Lambda-Extension-Identifier': identifier })
      for (;;) {
        const next = await ask('GET', '2018-06-01/runtime/invocation/next', {})
        const id = next.headers['lambda-runtime-aws-request-id']
        await ask('POST', '2018-06-01/runtime/invocation/' + id + '/response', {},
          JSON.stringify({ adapted: JSON.parse(next.text) }))
      }`,
  })
  await defineExtended(lambent, collector, 'adapted', {
    extensions: { adapter },
    files: { ...NODE_FILES, 'run.sh': { program: '#!/bin/sh\nexec sleep 1000\n' } },
    options: { variables: { AWS_LAMBDA_EXEC_WRAPPER: '/var/task/run.sh' }, timeoutSeconds: 20 },
  })

  const answers = [await call(lambent, 'adapted', 1), await call(lambent, 'adapted', 2)]

  assert.equal(
    answers.map(({ body }) => body),
    [{ adapted: 1 }, { adapted: 2 }],
  )
})

others(
  'an internal extension that a wrapper starts: it has less time, and is not told of the end',
  async () => {
    await using collector = await Collector.open()
    await using lambent = await startLambent()
    const wrapper = {
      program: `#!/bin/bash
${SHELL_TELL}
base="http://$AWS_LAMBDA_RUNTIME_API/2020-01-01/extension"
headers="$(mktemp)"
register() { curl -sS -D "$headers" "$base/register" -H "Lambda-Extension-Name: inner" -d "$1"; }
tell refused "$(register '{"events":["INVOKE","SHUTDOWN"]}')"
register '{"events":["INVOKE"]}' > /dev/null
id=$(grep -Fi Lambda-Extension-Identifier "$headers" | tr -d '[:space:]' | cut -d: -f2)
( while true; do
    event=$(curl -sS "$base/event/next" -H "Lambda-Extension-Identifier: $id") || exit
    tell event "$event"
  done ) &
exec "$@"
`,
    }
    const terminating = `process.on('SIGTERM', async () => {
    await fetch(process.env.COLLECTOR, { method: 'POST', body: '{"from":"handler","what":"terminated","value":1}' })
    process.exit(0)
  })\n${HANDLER}`
    await defineExtended(lambent, collector, 'inside', {
      extensions: {},
      files: { 'index.js': terminating, wrapper },
      options: { variables: { AWS_LAMBDA_EXEC_WRAPPER: '/var/task/wrapper' }, timeoutSeconds: 20 },
    })

    const answer = await call(lambent, 'inside', { n: 1 })
    await collector.waitFor('wrapper', 'event')
    await lambent.stop()

    assert.is(answer.body, 1)
    const [refused] = collector.of('wrapper', 'refused') as { errorType: string }[]
    assert.is(refused?.errorType, 'Extension.InvalidEventType')
    assert.equal(eventTypes(collector, 'wrapper'), ['INVOKE'])
    assert.is(collector.of('handler', 'terminated').length, 1)
  },
)

lives('an idle environment and one of replaced code tell them of the end', async () => {
  await using collector = await Collector.open()
  await using lambent = await startLambent({ settings: { LAMBENT_IDLE_TIMEOUT_MS: '1500' } })
  const extended = { extensions: { watcher: nodeExtension() }, files: NODE_FILES }
  await defineExtended(lambent, collector, 'idle', extended)

  await call(lambent, 'idle', { n: 1 })
  await collector.waitFor('watcher', 'leaving')
  await call(lambent, 'idle', { n: 2 })
  const ZipFile = (await zipOf({ 'index.js': HANDLER.replace('return event.n', `return 'new'`) })).toString(
    'base64',
  )
  await fetch(`${lambent.url}/2015-03-31/functions/idle/code`, {
    method: 'PUT',
    body: JSON.stringify({ ZipFile }),
  })
  await active(lambent.url, 'idle')
  const answer = await call(lambent, 'idle', { n: 3 })
  await collector.waitFor('watcher', 'leaving', 2)

  assert.is(answer.body, 'new')
  const reasons = eventTypes(collector, 'watcher').filter((type) => type !== 'INVOKE')
  assert.equal(reasons.slice(0, 2), ['spindown', 'spindown'])
})

lives('one that works past the time limit ends the environment; its caller has the answer', async () => {
  await using collector = await Collector.open()
  await using lambent = await startLambent()
  const endless = nodeExtension({ workMs: 60_000 })
  const options = { timeoutSeconds: 2 }
  await defineExtended(lambent, collector, 'late', { extensions: { endless }, files: NODE_FILES, options })

  const answer = await plainCall(lambent, 'late', { n: 1 })
  assert.is(answer, 1)
  const lines = await until('the environment has ended', async () => {
    if ((await environmentsOf(lambent, 'late')).length > 0) return false
    const response = await fetch(`${lambent.url}/lambent/v1/functions/late/logs`)
    const { lines: found } = (await response.json()) as { lines: { message: string }[] }
    const messages = found.map(({ message }) => message)
    return messages.some((message) => message.startsWith('REPORT ')) && messages
  })

  assert.ok(
    lines.some((line) => line.trimEnd().endsWith('Task timed out after 2.00 seconds')),
    lines.join('\n'),
  )
})

lives('environments of one function have a sandbox.localdomain each', async () => {
  await using collector = await Collector.open()
  await using lambent = await startLambent()
  const watcher = nodeExtension({ types: ['function'], protocol: 'TCP' })
  await defineExtended(lambent, collector, 'twice', { extensions: { watcher }, files: NODE_FILES })

  const answers = await Promise.all([
    call(lambent, 'twice', { n: 'first', waitMs: 3_000 }),
    call(lambent, 'twice', { n: 'second', waitMs: 3_000 }),
  ])

  assert.equal(answers.map(({ body }: Answer) => body).toSorted(), ['first', 'second'])
  assert.is((await environmentsOf(lambent, 'twice')).length, 2)
  const lines = await until('both have told', () => {
    const found = collector.telemetry('watcher').map(({ record }) => String(record).split('\t').at(-1))
    return found.length >= 2 && found.toSorted()
  })
  assert.equal(lines, ['working on first', 'working on second'])
})

lives('where invocations run at once, nobody is told of each', async () => {
  await using collector = await Collector.open()
  await using lambent = await startLambent()
  const watcher = nodeExtension({
    events: ['SHUTDOWN'],
    types: ['platform'],
    atStart: `await tell('refused', JSON.parse((await ask('POST', '2020-01-01/extension/register',
      { 'Lambda-Extension-Name': name }, '{"events":["INVOKE"]}')).text))`,
  })
  const options = { tags: { 'lambent:concurrency': '2', 'lambent:max-environments': '1' } }
  await defineExtended(lambent, collector, 'crowd', { extensions: { watcher }, files: NODE_FILES, options })

  const answers = await Promise.all([1, 2, 3].map((n) => call(lambent, 'crowd', { n, waitMs: 100 })))
  await lambent.stop()

  assert.equal(
    answers.map(({ body }) => body),
    [1, 2, 3],
  )
  const [refused] = collector.of('watcher', 'refused') as { errorType: string }[]
  assert.is(refused?.errorType, 'Extension.InvalidEventType')
  assert.equal(eventTypes(collector, 'watcher'), ['spindown'])
  const reports = collector.telemetry('watcher').filter(({ type }) => type === 'platform.report')
  assert.equal(
    reports.map(({ record }) => record['requestId']).toSorted(),
    answers.map(({ requestId }) => requestId).toSorted(),
  )
})

lives('without isolation they lie elsewhere and are reached on plain loopback', async () => {
  await using collector = await Collector.open()
  await using lambent = await startLambent({ argv: ['--isolation', 'none'] })
  const watcher = { program: '#!/bin/sh\nexit 9\n' }
  const good = SHELL_EXTENSION
  await defineExtended(lambent, collector, 'open', { extensions: { 'good.sh': good }, files: NODE_FILES })
  await defineExtended(lambent, collector, 'broken', { extensions: { watcher }, files: NODE_FILES })

  assert.is((await call(lambent, 'open', { n: 1 })).body, 1)
  assert.is(failureOf(await call(lambent, 'broken', { n: 1 })).errorType, 'Extension.Crash')
  await lambent.stop()
  assert.equal(eventTypes(collector, 'good.sh'), ['INVOKE', 'spindown'])
})

lives('a log in JSON tells of them, as far as its system level lets it', async () => {
  await using collector = await Collector.open()
  await using lambent = await startLambent()
  const watcher = nodeExtension({ types: ['platform', 'function'] })
  const logging = { LogFormat: 'JSON', SystemLogLevel: 'DEBUG' }
  const options = { logging }
  await defineExtended(lambent, collector, 'json', { extensions: { watcher }, files: NODE_FILES, options })

  await call(lambent, 'json', { n: 1 })

  const logged = await until('the report is logged', async () => {
    const response = await fetch(`${lambent.url}/lambent/v1/functions/json/logs`)
    const { lines } = (await response.json()) as { lines: { message: string }[] }
    const events = lines.map(({ message }) => JSON.parse(message) as { type?: string; record?: unknown })
    return events.some(({ type }) => type === 'platform.report') && events
  })
  assert.equal(
    logged.map(({ type }) => type ?? 'line'),
    [
      'platform.initStart',
      'platform.telemetrySubscription',
      'platform.extension',
      'platform.initRuntimeDone',
      'platform.initReport',
      'platform.start',
      'line',
      'platform.runtimeDone',
      'platform.report',
    ],
  )
  const told = await until('the report is told', () => {
    const found = collector.telemetry('watcher')
    return found.some(({ type }) => type === 'platform.report') && found
  })
  for (const type of ['platform.initStart', 'platform.extension', 'platform.telemetrySubscription'])
    assert.equal(
      logged.find((one) => one.type === type)?.record,
      told.find((one) => one.type === type)?.record,
      type,
    )
  const line = told.find(({ type }) => type === 'function')
  assert.is(line?.record['message'], 'working on 1')

  const { requestId } = await call(lambent, 'json', { n: 2, exit: 3 })
  const lines = (await logOf(lambent, requestId)).map((one) => JSON.parse(one) as Record<string, unknown>)
  const report = lines.at(-1)?.['record'] as Record<string, unknown>
  assert.equal([report['status'], report['errorType']], ['error', 'Runtime.ExitError'])
})

/** Calls without asking for the log, whose end an answer would wait for. */
async function plainCall({ url }: RunningLambent, name: string, payload: unknown): Promise<unknown> {
  const response = await fetch(`${url}/2015-03-31/functions/${name}/invocations`, {
    method: 'POST',
    body: JSON.stringify(payload),
  })
  return await response.json()
}

others.run()
lives.run()
