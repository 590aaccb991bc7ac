#!/usr/bin/env node
import { runCommandLine } from './command-line.ts'

// Without a listener, SIGUSR1 from any process of the same user opens a debugger here: its code in the
// engine.
process.on('SIGUSR1', () => {})

// A reader that went away (`lambent logs x | head`) ends the command quietly, as it does for any tool in a
// pipe.
process.stdout.on('error', (error: NodeJS.ErrnoException) => process.exit(error.code === 'EPIPE' ? 0 : 1))

process.exitCode = await runCommandLine(process.argv.slice(2), process.env)
