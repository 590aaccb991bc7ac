import { BatchProcessor, EventType, processPartialResponse } from '@aws-lambda-powertools/batch'

const processor = new BatchProcessor(EventType.SQS)

const record = async ({ body }) => {
  if (body === 'bad') throw new Error('no')
}

/** The body is an event of a queue. */
export const handler = async (event, context) => {
  const result = await processPartialResponse(JSON.parse(event.body), record, processor, { context })
  return { statusCode: 200, body: JSON.stringify(result) }
}
