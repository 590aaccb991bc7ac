/** What a runtime identifier stands for, in the words of INIT_START: `nodejs:24.v1` for `nodejs24.x`. */
export const runtimeVersionOf = (runtime: string): string =>
  `${runtime.replace(/^([a-z]+)\.?(.*?)(?:\.x)?$/, '$1:$2')}.v1`

/** An ARN in the shape of AWS's. */
export const runtimeVersionArnOf = (region: string, runtime: string): string =>
  `arn:aws:lambda:${region}::runtime:${runtime}`
