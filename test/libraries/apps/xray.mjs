import AWSXRay from 'aws-xray-sdk-core'

/** Segments go by UDP to a daemon that may be away. */
export const handler = async () => {
  const root = AWSXRay.utils.processTraceData(process.env._X_AMZN_TRACE_ID ?? '').root
  const traced = await AWSXRay.captureAsyncFunc('work', async (subsegment) => {
    subsegment?.addAnnotation('pet', 'dog')
    subsegment?.close()
    return subsegment?.name
  })
  return { statusCode: 200, body: JSON.stringify({ root, traced }) }
}
