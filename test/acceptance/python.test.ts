// time limit: 300 s
import { existsSync } from 'node:fs'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { call, failureOf, logOf, type Answer } from '../support/function-calls.ts'
import {
  active,
  deploy,
  startLambent,
  zipOf,
  type DeployOptions,
  type RunningLambent,
  type ZippedFile,
} from '../support/lambent.ts'
import { unlessMissing } from '../support/skip.ts'

/** Functions in Python, on the machine's interpreter. */
const all = suite('python')
const there = ['/usr/bin/python3', '/usr/local/bin/python3', '/bin/python3'].some((path) => existsSync(path))
const python = unlessMissing(all, there ? undefined : 'there is no python3 in /usr/bin or /usr/local/bin')

interface PythonError {
  readonly errorMessage: string
  readonly errorType: string
  readonly requestId: string
  readonly stackTrace: readonly string[]
}

const errorOf = (answer: Answer): PythonError => answer.body as PythonError // compared by the caller

/** What a function has logged, from its first line. */
async function linesOf({ url }: RunningLambent, name: string): Promise<string[]> {
  const response = await fetch(`${url}/lambent/v1/functions/${name}/logs`)
  const { lines } = (await response.json()) as { lines: { message: string }[] }
  return lines.map(({ message }) => message)
}

async function define(
  lambent: RunningLambent,
  name: string,
  source: string | Record<string, ZippedFile>,
  options: DeployOptions = {},
): Promise<void> {
  const files = typeof source === 'string' ? { 'index.py': source } : source
  await deploy(lambent.url, name, await zipOf(files), { runtime: 'python3.12', memoryMb: 128, ...options })
}

python('a handler gets its event and a context with every field', async () => {
  await using lambent = await startLambent()
  const source = `
import os, sys
from decimal import Decimal
def handler(event, context):
    fields = {name: getattr(context, name) for name in ("function_name", "function_version",
        "invoked_function_arn", "memory_limit_in_mb", "aws_request_id", "log_group_name", "tenant_id")}
    left = context.get_remaining_time_in_millis()
    return {"event": event, "fields": fields, "left": 0 < left <= 60000, "cwd": os.getcwd(),
            "client": None if context.client_context is None else context.client_context.custom,
            "identity": context.identity.cognito_identity_id, "path": sys.path[:3],
            "env": {name: os.environ.get(name) for name in ("AWS_EXECUTION_ENV", "PYTHONPATH", "PWD", "SHLVL", "HOME")}}
`
  await define(lambent, 'context', source)

  const answer = await call(lambent, 'context', { text: 'ä€😀', list: [1, 2.5, null] })

  const body = answer.body as { fields: Record<string, unknown> }
  assert.equal(body, {
    event: { text: 'ä€😀', list: [1, 2.5, null] },
    fields: {
      function_name: 'context',
      function_version: '$LATEST',
      invoked_function_arn: 'arn:aws:lambda:us-east-1:000000000000:function:context',
      memory_limit_in_mb: '128',
      aws_request_id: answer.requestId,
      log_group_name: '/aws/lambda/context',
      tenant_id: null,
    },
    left: true,
    cwd: '/var/task',
    client: null,
    identity: null,
    path: ['/var/task', '/opt/python/lib/python3.12/site-packages', thirdFolder(body)],
    env: {
      AWS_EXECUTION_ENV: 'AWS_Lambda_python3.12',
      PYTHONPATH: '/var/runtime',
      PWD: '/var/task',
      SHLVL: '0',
      HOME: null,
    },
  })
})

/** The third folder: the libraries of the interpreter that really runs, or the layers' own. */
const thirdFolder = (body: object): string => (body as { path: string[] }).path[2] ?? ''

python('print and the logging module write as on AWS, in text', async () => {
  await using lambent = await startLambent()
  const source = `
import logging
logger = logging.getLogger()
logger.setLevel(logging.INFO)
def handler(event, context):
    print("printed")
    logger.info("logged %d", 7)
    logger.debug("too low")
    return None
`
  await define(lambent, 'text', source)

  const answer = await call(lambent, 'text')

  assert.is(answer.body, null)
  const lines = await logOf(lambent, answer.requestId)
  assert.is(lines[1], 'printed')
  assert.match(lines[2] ?? '', new RegExp(`^\\[INFO\\]\\t[\\dT:.-]{23}Z\\t${answer.requestId}\\tlogged 7$`))
  assert.match(lines[3] ?? '', /^END /)
})

python('in JSON format every record is an object, by level', async () => {
  await using lambent = await startLambent()
  const source = `
import logging
log = logging.getLogger("app")
def handler(event, context):
    log.info("hello %s", "you", extra={"order": 7})
    log.debug("too low")
    try:
        1 / 0
    except ZeroDivisionError:
        log.exception("caught")
    raise ValueError("bad")
`
  await define(lambent, 'json', source)
  const LoggingConfig = { LogFormat: 'JSON', ApplicationLogLevel: 'INFO' }
  const body = JSON.stringify({ LoggingConfig })
  await fetch(`${lambent.url}/2015-03-31/functions/json/configuration`, { method: 'PUT', body })
  await active(lambent.url, 'json')

  const { requestId } = await call(lambent, 'json')

  const lines = await logOf(lambent, requestId)
  const records = lines.map((line) => JSON.parse(line) as Record<string, unknown>)
  const [info, caught, failed] = records.filter((record) => 'timestamp' in record)
  const { timestamp, ...rest } = info ?? {}
  assert.match(String(timestamp), /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/)
  assert.equal(rest, { level: 'INFO', message: 'hello you', logger: 'app', requestId, order: 7 })
  assert.equal([caught?.['errorType'], caught?.['errorMessage']], ['ZeroDivisionError', 'division by zero'])
  assert.match(String(caught?.['location']), /^\/var\/task\/index\.py:handler:\d+$/)
  const { errorType, level, requestId: id } = failed ?? {}
  assert.equal([errorType, level, id], ['ValueError', 'ERROR', requestId])
})

python('errors carry their type, message and trace; the log has them on one record', async () => {
  await using lambent = await startLambent()
  const source = `
def deeper():
    raise ValueError("boom: \\u00e4")
def handler(event, context):
    deeper()
`
  await define(lambent, 'failing', source)

  const answer = await call(lambent, 'failing')

  const { stackTrace, ...error } = errorOf(answer)
  assert.equal(error, { errorMessage: 'boom: ä', errorType: 'ValueError', requestId: answer.requestId })
  assert.equal(Object.keys(errorOf(answer)), ['errorMessage', 'errorType', 'requestId', 'stackTrace'])
  assert.equal(stackTrace, [
    '  File "/var/task/index.py", line 5, in handler\n    deeper()\n',
    '  File "/var/task/index.py", line 3, in deeper\n    raise ValueError("boom: \\u00e4")\n',
  ])
  assert.match(
    answer.tail,
    /\n\[ERROR\] ValueError: boom: ä\rTraceback \(most recent call last\):\r\u00a0\u00a0File "/,
  )
})

python('what keeps code from loading is answered at once, with an empty request id', async () => {
  await using lambent = await startLambent()
  const cases = [
    [
      'index.handler',
      'import no_such_thing',
      'Runtime.ImportModuleError',
      /^Unable to import module 'index': No module named 'no_such_thing'$/,
    ],
    [
      'absent.handler',
      '',
      'Runtime.ImportModuleError',
      /^Unable to import module 'absent': No module named 'absent'$/,
    ],
    ['index.other', 'x = 1', 'Runtime.HandlerNotFound', /^Handler 'other' missing on module 'index'$/],
    [
      'index',
      'x = 1',
      'Runtime.MalformedHandlerName',
      /^Bad handler 'index': not enough values to unpack \(expected 2, got 1\)$/,
    ],
    ['sys.exit', '', 'Runtime.BuiltInModuleConflict', /^Cannot use built-in module sys as a handler module$/],
    [
      'index.handler',
      'def handler(:',
      'Runtime.UserCodeSyntaxError',
      /^Syntax error in module 'index': invalid syntax.* \(index.py, line 1\)$/,
    ],
    ['index.handler', 'raise KeyError("at import")', 'KeyError', /^'at import'$/],
  ] as const

  for (const [index, [handler, source, errorType, message]] of cases.entries()) {
    await define(lambent, `init-${index}`, source, { handler })
    const answer = await call(lambent, `init-${index}`)
    const error = errorOf(answer)

    assert.is(answer.functionError, 'Unhandled')
    assert.is(error.errorType, errorType)
    assert.match(error.errorMessage, message)
    assert.is(error.requestId, '')
    const lines = await linesOf(lambent, `init-${index}`)
    assert.match(lines[1] ?? '', /^\[WARNING\]\t\S+Z\t\tLAMBDA_WARNING: Unhandled exception\./)
    assert.ok(lines[2]?.startsWith(`[ERROR] ${errorType}: `), lines[2])
    const report = /^INIT_REPORT Init Duration: \d+\.\d\d ms\tPhase: init\tStatus: error\tError Type: (\S+)$/
    assert.is(report.exec(lines[3] ?? '')?.[1], errorType)
    if (errorType === 'KeyError') {
      assert.match(error.stackTrace[0] ?? '', /importlib\/__init__\.py", line \d+, in import_module\n/)
      assert.match(error.stackTrace.at(-1) ?? '', /File "\/var\/task\/index\.py", line 1, in <module>\n/)
    } else if (errorType !== 'Runtime.UserCodeSyntaxError') assert.equal(error.stackTrace, [])
    assert.is(errorOf(await call(lambent, `init-${index}`)).errorType, errorType, 'and again')
  }
})

python('answers are JSON as AWS makes it', async () => {
  await using lambent = await startLambent()
  const source = `
import datetime
from collections import namedtuple
from decimal import Decimal
Point = namedtuple("Point", "x y")
def handler(event, context):
    return {
        "decimal": lambda: {"a": Decimal("1.10"), "b": [Decimal("3")], "text": "Decimal"},
        "tuple": lambda: {"point": Point(1, 2), "plain": (1, 2)},
        "date": lambda: datetime.datetime.now(),
        "set": lambda: {1, 2},
        "bytes": lambda: b"raw \\xc3\\xa4",
        "inner": lambda: {"bytes": b"text"},
        "unicode": lambda: "\\u00e4\\u20ac",
        "none": lambda: None,
    }[event]()
`
  await define(lambent, 'json', source)
  await define(lambent, 'older', source, { runtime: 'python3.11' })
  const text = async (name: string, event: string): Promise<string> => {
    const url = `${lambent.url}/2015-03-31/functions/${name}/invocations`
    return await (await fetch(url, { method: 'POST', body: JSON.stringify(event) })).text()
  }

  assert.is(await text('json', 'decimal'), '{"a": 1.10, "b": [3], "text": "Decimal"}')
  assert.is(await text('json', 'tuple'), '{"point": {"x": 1, "y": 2}, "plain": [1, 2]}')
  assert.is(await text('json', 'bytes'), 'raw ä')
  assert.is(await text('json', 'inner'), '{"bytes": "text"}')
  assert.is(await text('json', 'unicode'), '"ä€"')
  assert.is(await text('older', 'unicode'), '"\\u00e4\\u20ac"')
  assert.is(await text('json', 'none'), 'null')
  for (const [event, type] of [
    ['date', 'datetime'],
    ['set', 'set'],
  ] as const) {
    const error = errorOf(await call(lambent, 'json', event))
    assert.is(error.errorType, 'Runtime.MarshalError')
    const message = `Unable to marshal response: Object of type ${type} is not JSON serializable`
    assert.is(error.errorMessage, message)
    assert.equal(error.stackTrace, [])
  }
})

python('a process that ends, and one that never does', async () => {
  await using lambent = await startLambent()
  const source = `
import os, signal, sys
state = {"calls": 0}
def handler(event, context):
    state["calls"] += 1
    if event == "exit": sys.exit(4)
    if event == "quiet": sys.exit()
    if event == "segv": os.kill(os.getpid(), signal.SIGSEGV)
    if event == "loop":
        while True: pass
    if event == "memory": return len(bytearray(1 << 30))
    return state["calls"]
`
  await define(lambent, 'ends', source, { timeoutSeconds: 1 })
  const message = async (event: string): Promise<string> =>
    failureOf(await call(lambent, 'ends', event)).errorMessage.replace(/^RequestId: \S+ Error: /, '')

  assert.is((await call(lambent, 'ends')).body, 1)
  assert.is((await call(lambent, 'ends')).body, 2)
  assert.is(await message('exit'), 'Runtime exited with error: exit status 4')
  assert.is((await call(lambent, 'ends')).body, 1, 'memory does not survive')
  assert.is(await message('quiet'), 'Runtime exited without providing a reason')
  assert.is(await message('segv'), 'Runtime exited with error: signal: segmentation fault')
  assert.match(await message('memory'), /signal: killed$|^$/)
  assert.is(await message('loop'), 'Task timed out after 1.00 seconds')
  assert.is((await call(lambent, 'ends')).body, 1)
})

python('packages, folders and nested modules are found', async () => {
  await using lambent = await startLambent()
  const module = 'from .other import value\ndef handler(event, context):\n    return value\n'
  const files = {
    'pkg/__init__.py': '',
    'pkg/inner/__init__.py': '',
    'pkg/inner/app.py': module,
    'pkg/inner/other.py': 'value = __name__\n',
  }
  await define(lambent, 'dots', files, { handler: 'pkg.inner.app.handler' })
  await define(lambent, 'slashes', files, { handler: 'pkg/inner/app.handler' })

  assert.is((await call(lambent, 'dots')).body, 'pkg.inner.other')
  assert.is((await call(lambent, 'slashes')).body, 'pkg.inner.other')
})

python('a wrapper program starts it, and may change its handler', async () => {
  await using lambent = await startLambent()
  const wrapper = `#!/bin/bash
export ORIGINAL=$_HANDLER _HANDLER=other.handler
args=("$@")
exec "\${args[@]:0:$#-1}" -X utf8 "\${args[@]: -1}"
`
  const files = {
    'other.py':
      'import os, sys\ndef handler(event, context): return [os.environ["ORIGINAL"], sys.flags.utf8_mode]\n',
    wrapper: { program: wrapper },
  }
  await define(lambent, 'wrapped', files, { variables: { AWS_LAMBDA_EXEC_WRAPPER: '/var/task/wrapper' } })

  assert.equal((await call(lambent, 'wrapped')).body, ['index.handler', 1])
})

python('several at once are several processes of one environment', async () => {
  await using lambent = await startLambent()
  const source = `
import os, time
def handler(event, context):
    open("/tmp/%d" % event, "w").close()
    while len(os.listdir("/tmp")) < 3: time.sleep(0.01)
    return os.getpid()
`
  const tags = { 'lambent:concurrency': '3', 'lambent:max-environments': '1' }
  await define(lambent, 'several', source, { tags, timeoutSeconds: 20 })

  const answers = await Promise.all([1, 2, 3].map((n) => call(lambent, 'several', n)))

  assert.is(new Set(answers.map(({ body }) => body)).size, 3)
  assert.ok(answers.every(({ functionError }) => functionError === undefined))
})

python('a version that is not there is run by the one that is, which is said once', async () => {
  await using lambent = await startLambent()
  const source = 'import sys\ndef handler(event, context): return sys.version_info[1]\n'
  await define(lambent, 'old', source, { runtime: 'python3.9' })
  await define(lambent, 'older', source, { runtime: 'python3.9' })

  const minor = (await call(lambent, 'old')).body

  const said = lambent.stderr().match(/"wanted":"3\.9"/g) ?? []
  assert.is(said.length, minor === 9 ? 0 : 1)
})

all.run()
