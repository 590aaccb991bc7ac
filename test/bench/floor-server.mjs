// The floor: what a bare node:http server that parses and answers the same event does, with no function behind it.
import { createServer } from 'node:http'

const server = createServer((request, response) => {
  const chunks = []
  request.on('data', (chunk) => chunks.push(chunk))
  request.on('end', () => {
    const event = JSON.parse(chunks.length === 1 ? chunks[0] : Buffer.concat(chunks))
    const answer = JSON.stringify({
      statusCode: 200,
      headers: { 'content-type': 'application/json' },
      body: event,
    })
    response.writeHead(200, {
      'content-type': 'application/json',
      'content-length': Buffer.byteLength(answer),
    })
    response.end(answer)
  })
})
server.listen(0, '127.0.0.1', () => console.log(`floor ready ${server.address().port}`))
process.stdin.on('end', () => process.exit(0)).resume()
