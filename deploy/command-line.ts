import { Command, CommanderError, Option } from 'commander'
import { createApi } from './api.ts'
import { CommandError, EXIT, notBuiltYet, type ExitCode } from './exit-codes.ts'
import { createOutput } from './output.ts'
import type { Action, Run, StartFlags } from './session.ts'
import { describeNodes } from './node-commands.ts'
import { UNBUILT } from './unbuilt.ts'
import { describeKeys } from './key-commands.ts'
import { describeGroups } from './group-commands.ts'
import { describeVersions } from './version-commands.ts'
import { describeWork } from './work-commands.ts'

const DEFAULT_ENDPOINT = 'http://127.0.0.1:4700'

/** Runs one command line and resolves with its exit code; never rejects. */
export async function runCommandLine(
  words: readonly string[],
  environment: Readonly<Record<string, string | undefined>>,
): Promise<ExitCode> {
  const interrupted = new AbortController()
  let exitCode: ExitCode = EXIT.ok
  const program = describe(async (command, action) => {
    const options = command.optsWithGlobals<{ json?: boolean; endpoint?: string; key?: string }>()
    const endpoint = options.endpoint ?? (environment.LAMBENT_ENDPOINT || DEFAULT_ENDPOINT)
    const out = createOutput({ json: options.json === true, environment })
    const key = options.key ?? (environment.LAMBENT_KEY || undefined)
    const api = createApi(endpoint, interrupted.signal, key)
    exitCode = await action({ api, out, key, environment, signal: interrupted.signal })
  })
  // `start` and `dev` drain on a signal and take these over; every other command ends at the first.
  const onSignal = (): void => interrupted.abort(new CommandError(EXIT.interrupted, 'Interrupted.'))
  process.on('SIGINT', onSignal)
  process.on('SIGTERM', onSignal)
  try {
    await program.parseAsync(words, { from: 'user' })
    return exitCode
  } catch (error) {
    if (interrupted.signal.aborted) return EXIT.interrupted
    return explain(error)
  } finally {
    process.off('SIGINT', onSignal)
    process.off('SIGTERM', onSignal)
  }
}

/** Says on stderr why a command ended; commander has already said its own. */
function explain(error: unknown): ExitCode {
  if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.ok : EXIT.usage
  if (error instanceof CommandError) {
    process.stderr.write(`error: ${error.message}\n${error.hint === undefined ? '' : `${error.hint}\n`}`)
    return error.exitCode
  }
  process.stderr.write(`error: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`)
  return EXIT.failed
}

/** The whole command line. Actions import their module when they run: `lambent version` loads no engine. */
function describe(run: Run): Command {
  const program = new Command('lambent')
    .description('AWS Lambda on your own machines, without its limits.')
    .exitOverride()
    .showHelpAfterError('(--help says more)')
    .configureHelp({ showGlobalOptions: true })
    .option('--json', 'print JSON on stdout')
    .option('--endpoint <url>', `the engine's api port (LAMBENT_ENDPOINT; default ${DEFAULT_ENDPOINT})`)
    .option('--key <token>', 'bearer token of a key, where the engine asks for one (LAMBENT_KEY)')
    .helpCommand(false)
  describeEngine(program, run)
  describeFunctions(program, run)
  describeQueries(program, run)
  describeKeys(program, run)
  describeNodes(program, run)
  describeVersions(program, run)
  describeGroups(program, run)
  describeWork(program, run)
  describeUnbuilt(program)
  return program
}

function describeEngine(program: Command, run: Run): void {
  const list = (value: string, before: readonly string[] = []): string[] => [...before, value]
  const withStartOptions = (command: Command): Command =>
    command
      .option('--port <number>', 'api port; 0 picks a free one (4700)')
      .option('--host <address>', 'address of the api port (127.0.0.1)')
      .option('--http-port <number>', 'port of function URLs and routes (4701)')
      .option('--http-host <address>', 'its address (127.0.0.1)')
      .option('--allow-host <name>', 'a Host header to accept beside loopback; repeatable', list)
      .option('--public-url <url>', 'base of the URLs shown to callers')
      .option('--data <folder>', 'where everything durable lies (.lambent)')
      .option('--resources <json>', `what this machine offers: '{"cpu":8,"gpu":4,"memoryMb":32000}'`)
      .option('--nodes <count>', 'virtual nodes to split the machine into (1)')
      .option('--limits <profile>', 'extended or strict (extended)')
      .option('--isolation <level>', 'auto, none, standard or hardened (auto)')
      .option('--require-isolation <level>', 'refuse to start with less')
      .option('--auth <mode>', 'open, keys or policies (open)')
      .option('--tls-cert <file>', 'serve with TLS: the certificate with its chain, PEM')
      .option('--tls-key <file>', 'and its key')
      .option('--cluster <kind>', 'local or ray (local)')
      .option('--deploy <folder>', 'deploy it before being ready; repeatable', list)
      .option('--log-level <level>', 'debug, info, warn, error or silent (info)')
  withStartOptions(program.command('start'))
    .description('start the engine')
    .action((options: StartFlags, command: Command) =>
      run(command, async (session) => (await import('./commands/start.ts')).start(session, options)),
    )
  withStartOptions(program.command('dev'))
    .description('start, deploy, and deploy again at every change')
    .argument('[dir]', 'the project or folder of functions', '.')
    .option('--inspect [port]', 'attach a debugger')
    .action((folder: string, options: StartFlags & { inspect?: string | true }, command: Command) =>
      run(command, async (session) => {
        if (options.inspect !== undefined) throw notBuiltYet('dev --inspect')
        const { dev } = await import('./commands/dev.ts')
        return await dev(session, folder, { ...options, inspect: undefined })
      }),
    )
  program
    .command('init')
    .description('make a project that type-checks')
    .argument('[dir]', 'where', '.')
    .option('--from <file>', 'template.yaml, serverless.yml or cdk.out')
    .action((folder: string, options: { from?: string }, command: Command) =>
      run(command, async (session) => {
        if (options.from !== undefined) throw notBuiltYet('init --from')
        return (await import('./commands/init.ts')).init(session, folder)
      }),
    )
}

function describeFunctions(program: Command, run: Run): void {
  program
    .command('deploy')
    .description('deploy function folders or a project')
    .argument('[paths...]', 'function folders, folders of them, or lambent.config.ts', ['.'])
    .action((paths: string[], _options: unknown, command: Command) =>
      run(command, async (session) => (await import('./commands/deploy.ts')).deploy(session, paths)),
    )
  program
    .command('invoke')
    .description('run a function and print what it answers')
    .argument('<name>', 'NAME, NAME:QUALIFIER or an ARN')
    .option('-p, --payload <json>', 'JSON, @FILE, or - for stdin')
    .option('--async', 'queue it and return')
    .option('--stream', 'print the response as it is written')
    .option('--tail', 'print the end of the log on stderr')
    .option('--event <kind>', 'a sample event as payload, such as s3:put')
    .action((name: string, options: Record<string, string | boolean | undefined>, command: Command) =>
      run(command, async (session) => (await import('./commands/invoke.ts')).invoke(session, name, options)),
    )
  program
    .command('logs')
    .description("print a function's log")
    .argument('<name>', 'the function')
    .option('-f, --follow', 'go on with new lines')
    .option('--since <age>', 'such as 10m or 2h')
    .option('--grep <text>', 'only lines that contain it')
    .option('--request-id <id>', 'only lines of one invocation')
    .action((name: string, options: Record<string, string | boolean | undefined>, command: Command) =>
      run(command, async (session) => (await import('./commands/logs.ts')).logs(session, name, options)),
    )
  const event = program.command('event').description('sample events')
  event
    .command('generate')
    .description('print a sample event')
    .argument('[kind]', 'such as s3:put; without one, lists them all')
    .action((kind: string | undefined, _options: unknown, command: Command) =>
      run(command, async (session) => (await import('./commands/event.ts')).generate(session, kind)),
    )
}

function describeQueries(program: Command, run: Run): void {
  const watch = new Option('--watch', 'print again at every change')
  program
    .command('ls')
    .description('list functions, environments, nodes, runs, …')
    .argument('<what>', 'functions, environments, actors, tasks, objects, nodes or runs')
    .addOption(watch)
    .action((what: string, options: { watch?: boolean }, command: Command) =>
      run(command, async (session) => (await import('./commands/ls.ts')).ls(session, what, options)),
    )
  const runs = program.command('runs').description('what ran')
  runs
    .command('ls')
    .description('list runs, newest first')
    .option('--function <name>', 'of one function')
    .option('--status <status>', 'with one status')
    .option('--since <age>', 'such as 10m or 2h')
    .addOption(watch)
    .action((options: Record<string, string | boolean | undefined>, command: Command) =>
      run(command, async (session) => (await import('./commands/runs.ts')).listRuns(session, options)),
    )
  runs
    .command('get')
    .description('show one run')
    .argument('<id>', 'its id')
    .action((id: string, _options: unknown, command: Command) =>
      run(command, async (session) => (await import('./commands/runs.ts')).getRun(session, id)),
    )
  runs
    .command('cancel')
    .description('cancel an event that waits')
    .argument('<id>', 'its id')
    .action((id: string, _options: unknown, command: Command) =>
      run(command, async (session) => (await import('./commands/runs.ts')).cancelRun(session, id)),
    )
  runs
    .command('replay')
    .description('run an event anew')
    .argument('<id>', 'of a run that has ended')
    .option('-p, --payload <json>', 'JSON, @FILE or - in place of its own payload')
    .action((id: string, options: { payload?: string }, command: Command) =>
      run(command, async (session) => (await import('./commands/runs.ts')).replayRun(session, id, options)),
    )
  const simple = (name: string, description: string, action: Action): void => {
    program
      .command(name)
      .description(description)
      .action((_options: unknown, command: Command) => run(command, action))
  }
  simple('status', 'how the engine is doing', async (session) =>
    (await import('./commands/status.ts')).status(session),
  )
  simple('doctor', 'what this machine can do, and what is missing', async (session) =>
    (await import('./commands/doctor.ts')).doctor(session),
  )
  simple('env', 'variables that point AWS clients here: eval "$(lambent env)"', async (session) =>
    (await import('./commands/env.ts')).env(session),
  )
  simple('version', 'the version of this installation', async (session) =>
    (await import('./commands/version.ts')).version(session),
  )
}

function describeUnbuilt(program: Command): void {
  for (const { name, description, subcommands } of UNBUILT) {
    const existing = program.commands.find((command) => command.name() === name)
    const command = existing ?? program.command(name).description(`${description} (not built yet)`)
    const refuse = (words: string) => (): never => {
      throw notBuiltYet(words)
    }
    for (const subcommand of subcommands) {
      command
        .command(subcommand)
        .description('not built yet')
        .allowUnknownOption()
        .allowExcessArguments()
        .helpOption(false)
        .action(refuse(`lambent ${name} ${subcommand}`))
    }
    if (existing === undefined && subcommands.length === 0) {
      command
        .allowUnknownOption()
        .allowExcessArguments()
        .action(refuse(`lambent ${name}`))
    }
  }
}
