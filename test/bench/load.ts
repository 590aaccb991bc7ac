import { execFile, execFileSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import autocannon from 'autocannon'

/** One measurement of a closed loop of POST requests. */
export interface Load {
  readonly requestsPerSecond: number
  readonly p50Us: number
  readonly p99Us: number
  readonly errors: number
}

export interface LoadOptions {
  readonly url: string
  readonly body: Buffer
  readonly connections: number
  readonly seconds: number
  readonly headers?: Readonly<Record<string, string>>
}

const hasWrk = ((): boolean => {
  try {
    execFileSync('wrk', ['-v'], { stdio: 'ignore' })
    return true
  } catch (error) {
    // wrk -v prints its version and exits with 1
    return (error as NodeJS.ErrnoException).code !== 'ENOENT'
  }
})()

/** What makes the requests: wrk where it is installed (it costs the least itself), autocannon otherwise. */
export const loadTool = hasWrk ? 'wrk' : 'autocannon'

export const load = (options: LoadOptions): Promise<Load> =>
  hasWrk ? withWrk(options) : withAutocannon(options)

function withWrk({ url, body, connections, seconds, headers = {} }: LoadOptions): Promise<Load> {
  const bodyPath = join(tmpdir(), `lambent-bench-${process.pid}.json`)
  const scriptPath = join(tmpdir(), `lambent-bench-${process.pid}.lua`)
  writeFileSync(bodyPath, body)
  const given = Object.entries({ 'content-type': 'application/json', ...headers })
  writeFileSync(
    scriptPath,
    `local f = io.open("${bodyPath}", "rb"); wrk.body = f:read("*a"); f:close(); wrk.method = "POST"
${given.map(([name, value]) => `wrk.headers["${name}"] = "${value}"`).join('\n')}
done = function(s, l, r)
  io.write(string.format("RESULT %f %d %d %d\\n", s.requests / (s.duration / 1e6), l:percentile(50), l:percentile(99),
    s.errors.status + s.errors.connect + s.errors.read + s.errors.write + s.errors.timeout))
end
`,
  )
  const argv = ['-t1', `-c${connections}`, `-d${seconds}s`, '--latency', '-s', scriptPath, url]
  return new Promise((resolve, reject) => {
    execFile('wrk', argv, (error, stdout, stderr) => {
      if (error) return reject(new Error(stderr || error.message))
      const [, rps = '0', p50 = '0', p99 = '0', errors = '0'] =
        /RESULT (\S+) (\d+) (\d+) (\d+)/.exec(stdout) ?? []
      resolve({
        requestsPerSecond: Number(rps),
        p50Us: Number(p50),
        p99Us: Number(p99),
        errors: Number(errors),
      })
    })
  })
}

async function withAutocannon({ url, body, connections, seconds, headers = {} }: LoadOptions): Promise<Load> {
  const result = await autocannon({
    url,
    method: 'POST',
    body,
    connections,
    duration: seconds,
    workers: 1,
    headers: { 'content-type': 'application/json', ...headers },
  })
  return {
    requestsPerSecond: result.requests.average,
    p50Us: result.latency.p50 * 1000,
    p99Us: result.latency.p99 * 1000,
    errors: result.errors + result.non2xx,
  }
}
