/**
 * A trace header for a caller who sent none, made of the request's id, which is unique and begins with the
 * time.
 *
 * @see https://docs.aws.amazon.com/xray/latest/devguide/xray-concepts.html#xray-concepts-tracingheader
 */
export function traceIdOf(requestId: string, nowMs: number): string {
  const time = Math.floor(nowMs / 1000)
    .toString(16)
    .padStart(8, '0')
  const unique = requestId.replaceAll('-', '')
  return `Root=1-${time}-${unique.slice(8)};Parent=${unique.slice(16)};Sampled=0`
}
