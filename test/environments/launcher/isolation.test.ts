import { existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { createServer, type AddressInfo } from 'node:net'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { requireIsolation } from '../../../runtime/environments/isolation.ts'
import { descendants, readStat } from '../../../runtime/environments/spawner/proc.ts'
import { throwsWith } from '../../support/assert.ts'
import { unlessMissing } from '../../support/skip.ts'
import { ARRANGEMENTS, Harness, whyMissing, type ArrangementName, howItEnded } from './harness.ts'

const isolating = suite('isolating environments')
const NAMES = Object.keys(ARRANGEMENTS) as ArrangementName[] // the keys of the object they come from
const SANDBOXED = NAMES.filter((name) => name !== 'none')

/** What a snippet does with a file: 'ok' or the code of the error. */
const attempt = (expression: string): string =>
  `try { ${expression}; return 'ok' } catch (error) { return error.code ?? error.message }`

for (const name of NAMES) {
  const check = unlessMissing(isolating, await whyMissing(name))

  check(`${name}: an environment dials in, runs code and sees only its own variables`, async () => {
    process.env['LEAKED_SECRET'] = 'of-the-engine'
    await using harness = await Harness.open(ARRANGEMENTS[name])

    const running = await harness.start({ environment: { GIVEN: 'yes' } })
    const variables = await running.run<string>(
      `return require('fs').readFileSync('/proc/self/environ', 'utf8')`,
    )
    const current = await running.run<Record<string, string>>('return process.env')

    const names = variables.split('\0').map((variable) => variable.split('=')[0])
    const expected = ['GIVEN', 'HOME', 'LAMBENT_ENGINE', 'LAMBENT_ENVIRONMENT_ID', 'LAMBENT_SOCKET']
    const rest = ['LAMBENT_TOKEN', 'LANG', 'PATH', 'TZ']
    const allowed = new Set([...expected, ...rest, 'PWD', 'OLDPWD', 'SHLVL', '_', ''])
    for (const one of [...expected, ...rest]) assert.ok(names.includes(one), `${one} is missing`)
    assert.equal(
      names.filter((one) => !allowed.has(one ?? '')),
      [],
    )
    assert.not.ok(variables.includes('of-the-engine'))
    assert.is(current['LAMBENT_TOKEN'], undefined)
    assert.is(running.hello?.nodeVersion, process.version)
  })

  check(
    `${name}: what it writes to stdout and stderr comes to the engine, from its children too`,
    async () => {
      await using harness = await Harness.open(ARRANGEMENTS[name])
      const running = await harness.start()

      await running.run(
        `process.stdout.write('to stdout\\n'); require('child_process').execSync('echo from a child >&2', { stdio: 'inherit' })`,
      )
      running.process.terminate()
      const exit = await running.process.exited

      assert.match(running.log, 'to stdout')
      assert.match(running.log, 'from a child')
      assert.equal(howItEnded(exit), { code: null, signal: 'SIGTERM', outOfMemory: false, means: '' })
    },
  )

  check(`${name}: exit codes and fatal signals are told apart`, async () => {
    await using harness = await Harness.open(ARRANGEMENTS[name])
    const exiting = await harness.start()
    const crashing = await harness.start()

    exiting.send('process.reallyExit(7)')
    crashing.send(`process.kill(process.pid, 'SIGSEGV')`)

    assert.equal(howItEnded(await exiting.process.exited), {
      code: 7,
      signal: null,
      outOfMemory: false,
      means: '',
    })
    assert.equal(howItEnded(await crashing.process.exited), {
      code: null,
      signal: 'SIGSEGV',
      outOfMemory: false,
      means: '',
    })
  })
}

for (const name of SANDBOXED) {
  const check = unlessMissing(isolating, await whyMissing(name))

  check(`${name}: /var/task shows the code read-only and /tmp is private and writable`, async () => {
    await using harness = await Harness.open(ARRANGEMENTS[name])
    writeFileSync(harness.folder.join('of-the-machine'), 'x')
    const running = await harness.start()
    const other = await harness.start()

    const listing = await running.run<string[]>(`return require('fs').readdirSync('/var/task')`)
    const toTask = await running.run(attempt(`require('fs').writeFileSync('/var/task/new', 'x')`))
    const toTemporary = await running.run(attempt(`require('fs').writeFileSync('/tmp/new', 'x')`))
    const seenByOther = await other.run<string[]>(`return require('fs').readdirSync('/tmp')`)
    const toSystem = await running.run(attempt(`require('fs').writeFileSync('/usr/new', 'x')`))
    const place = await running.run('return process.execPath')

    assert.is(running.process.taskRoot, '/var/task')
    assert.equal(listing, ['index.js'])
    assert.is(toTask, 'EROFS')
    assert.is(toTemporary, 'ok')
    assert.equal(seenByOther, [])
    assert.is(toSystem, 'EROFS')
    assert.is(place, '/var/lang/bin/node')
    assert.not.ok(existsSync('/tmp/new'))
  })

  check(`${name}: the data directory is not seen, and a cache folder is`, async () => {
    await using harness = await Harness.open(ARRANGEMENTS[name])
    const data = harness.folder.join('data')
    writeFileSync(`${data}/secret`, 'x')
    const running = await harness.start()
    writeFileSync(`${running.process.cacheDirectory}/code-cache`, 'cached', { mode: 0o444 })

    const secret = await running.run(attempt(`require('fs').readFileSync('${data}/secret')`))
    const cached = await running.run(
      `return require('fs').readFileSync('${running.process.cacheRoot}/code-cache', 'utf8')`,
    )

    assert.is(secret, 'ENOENT')
    assert.is(cached, 'cached')
  })

  check(`${name}: layers are seen under /opt, a later one over an earlier one`, async () => {
    await using harness = await Harness.open(ARRANGEMENTS[name])
    const layers = ['one', 'two'].map((layer) => harness.folder.join(layer))
    for (const layer of layers) {
      mkdirSync(`${layer}/nodejs`, { recursive: true })
      writeFileSync(`${layer}/nodejs/shared`, layer)
      writeFileSync(`${layer}/nodejs/${layer.endsWith('one') ? 'first' : 'second'}`, '')
    }
    const running = await harness.start({ layerDirectories: layers })

    const names = await running.run<string[]>(`return require('fs').readdirSync('/opt/nodejs').sort()`)
    const shared = await running.run(`return require('fs').readFileSync('/opt/nodejs/shared', 'utf8')`)

    assert.equal(names, ['first', 'second', 'shared'])
    assert.is(shared, layers[1])
  })

  check(`${name}: an environment has a name and a loopback address of its own`, async () => {
    await using harness = await Harness.open(ARRANGEMENTS[name])
    const [one, two] = [await harness.start(), await harness.start()]

    const lookUp = `return (await require('dns').promises.lookup('sandbox.localdomain')).address`
    const known = [await one.run<string>(lookUp), await two.run<string>(lookUp)]

    assert.equal(known, [one.process.sandboxAddress, two.process.sandboxAddress])
    assert.match(known[0] ?? '', /^127\./)
    assert.is.not(known[0], known[1])
    const listened = await one.run<string>(`const server = require('net').createServer()
      await new Promise((done, failed) => server.on('error', failed).listen(4243, 'sandbox.localdomain', done))
      return server.address().address`)
    assert.is(listened, known[0])
  })

  check(`${name}: neither the engine nor another environment can be signalled or looked into`, async () => {
    await using harness = await Harness.open(ARRANGEMENTS[name])
    const running = await harness.start()
    const other = await harness.start()
    const otherPid = programPid(other.process.pid ?? 0)

    const results: unknown[] = []
    for (const pid of [process.pid, otherPid]) {
      results.push(await running.run(attempt(`process.kill(${pid}, 'SIGUSR1')`)))
      results.push(await running.run(attempt(`require('fs').readFileSync('/proc/${pid}/environ')`)))
      results.push(await running.run(attempt(`require('fs').readFileSync('/proc/${pid}/mem')`)))
    }
    const visible = await running.run<string[]>(
      `return require('fs').readdirSync('/proc').filter((name) => Number(name) > 0)`,
    )

    assert.equal(results, ['ESRCH', 'ENOENT', 'ENOENT', 'ESRCH', 'ENOENT', 'ENOENT'])
    assert.ok(visible.length <= 3, `sees ${visible.length} processes`)
    if (process.getuid?.() === 0) {
      const [own, others] = [programPid(running.process.pid ?? 0), otherPid].map(
        (pid) => statSync(`/proc/${pid}`).uid,
      )
      assert.ok((own ?? 0) >= 60_000 && (others ?? 0) >= 60_000)
      assert.is.not(own, others)
    }
  })

  check(`${name}: it has no capability and cannot get one`, async () => {
    await using harness = await Harness.open(ARRANGEMENTS[name])
    const running = await harness.start()

    const status = await running.run<string>(`return require('fs').readFileSync('/proc/self/status', 'utf8')`)

    assert.match(status, /CapEff:\s0000000000000000/)
    assert.match(status, /NoNewPrivs:\s1/)
  })

  check(`${name}: without network access nothing on loopback is reached`, async () => {
    await using harness = await Harness.open(ARRANGEMENTS[name])
    const server = createServer()
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const { port } = server.address() as AddressInfo // a TCP server that listens
    const dial = `return new Promise((resolve) => require('net').connect(${port}, '127.0.0.1')
      .on('connect', () => resolve('connected')).on('error', (error) => resolve(error.code)))`
    const open = await harness.start({ network: 'full' })
    const closed = await harness.start({ network: 'none' })

    const reached = await open.run(dial)
    const refused = await closed.run<string>(dial)
    server.close()

    assert.is(reached, 'connected')
    assert.ok(['ECONNREFUSED', 'ENETUNREACH'].includes(refused), refused)
  })
}

const hardened = unlessMissing(isolating, await whyMissing('hardened'))

hardened('hardened: the machine’s own files and devices are not there', async () => {
  await using harness = await Harness.open(ARRANGEMENTS.hardened)
  const running = await harness.start()

  const root = await running.run<string[]>(`return require('fs').readdirSync('/')`)
  const shadow = await running.run(attempt(`require('fs').readFileSync('/etc/shadow')`))
  const passwd = await running.run<string>(`return require('fs').readFileSync('/etc/passwd', 'utf8')`)
  const devices = await running.run<string[]>(`return require('fs').readdirSync('/dev')`)

  for (const hidden of ['root', 'home', 'sys', 'run', 'srv']) assert.not.ok(root.includes(hidden), hidden)
  assert.is(shadow, 'ENOENT')
  assert.match(passwd, 'sbx_user1051')
  assert.not.ok(devices.some((device) => /^(sd|vd|nvidia|kvm|mem)/.test(device)))
})

hardened('hardened: /tmp ends at its quota', async () => {
  await using harness = await Harness.open(ARRANGEMENTS.hardened)
  const running = await harness.start({ ephemeralMb: 8 })

  const fits = await running.run(attempt(`require('fs').writeFileSync('/tmp/a', Buffer.alloc(6e6))`))
  const tooMuch = await running.run(attempt(`require('fs').writeFileSync('/tmp/b', Buffer.alloc(6e6))`))

  assert.is(fits, 'ok')
  assert.is(tooMuch, 'ENOSPC')
})

hardened('hardened: no namespace can be made, and nobody traced', async () => {
  await using harness = await Harness.open(ARRANGEMENTS.hardened)
  const running = await harness.start()
  const tryOut = (command: string) =>
    running.run<number>(
      `return require('child_process').spawnSync('sh', ['-c', ${JSON.stringify(command)}]).status`,
    )

  const plain = await tryOut('true')
  const user = await tryOut('unshare --user true')
  const mount = await tryOut('unshare --mount true')
  const status = await running.run<string>(`return require('fs').readFileSync('/proc/self/status', 'utf8')`)

  assert.is(plain, 0)
  assert.is.not(user, 0)
  assert.is.not(mount, 0)
  assert.match(status, /Seccomp:\s2/)
})

isolating('what is asked for and what is reached are both told', async () => {
  await using harness = await Harness.open({ isolation: 'none' })
  const { isolation } = harness.launcher

  const refusal = throwsWith(() => requireIsolation(isolation, 'standard'), 'unsupported')
  requireIsolation(isolation, 'none')

  assert.is(isolation.requested, 'none')
  assert.is(isolation.effective, 'none')
  assert.is(isolation.killsTree, false)
  assert.match(refusal.message, '"standard" is required')
})

isolating('less than is required refuses to start and leaves nothing', async () => {
  let refusal: unknown
  try {
    await using _harness = await Harness.open({ isolation: 'none', requireIsolation: 'hardened' })
  } catch (error) {
    refusal = error
  }

  assert.match(String(refusal), '"hardened" is required')
})

/** The program at the bottom of a sandbox: the last one of the chain. */
function programPid(outerPid: number): number {
  const tree = descendants([outerPid]).get(outerPid) ?? []
  const pid = tree.at(-1) ?? 0
  assert.ok(
    readStat(pid) !== undefined && readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes('environment.cjs'),
  )
  return pid
}

isolating.run()
