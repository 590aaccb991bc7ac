/** The part of autocannon's interface that the bench uses; the package ships no types. */
declare module 'autocannon' {
  interface Options {
    url: string
    method: 'POST'
    body: Uint8Array
    connections: number
    duration: number
    workers: number
    headers: Readonly<Record<string, string>>
  }
  interface Result {
    requests: { average: number }
    latency: { p50: number; p99: number }
    errors: number
    non2xx: number
  }
  export default function autocannon(options: Options): Promise<Result>
}
