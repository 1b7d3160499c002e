// The verdicts of Node's server on the inputs of standard input: it answers each request with "ok".
'use strict';

const fs = require('fs');
const http = require('http');
const net = require('net');

let requests = [];

const server = http.createServer({ insecureHTTPParser: false }, answer);
server.on('checkContinue', answer);
server.on('checkExpectation', (request, response) => {
  response.statusCode = 417;
  response.end();
});
server.on('clientError', (err, socket) => {
  if (!socket.writable) return;
  const status = err.code === 'HPE_HEADER_OVERFLOW' ? 431 : err.code === 'HPE_CHUNK_EXTENSIONS_OVERFLOW' ? 413 : 400;
  // A stream that ended within a request is nobody's who waits for an answer.
  if (err.code === 'HPE_INVALID_EOF_STATE') socket.destroy();
  else socket.end(`HTTP/1.1 ${status} x\r\n\r\n`);
});

function answer(request, response) {
  const pieces = [];
  request.on('data', (piece) => pieces.push(piece));
  request.on('error', () => {});
  request.on('end', () => {
    requests.push([request.method, request.url, Buffer.concat(pieces).toString('latin1')]);
    response.end('ok');
  });
}

// Resolves to what the server sent, once it has closed.
function ask(port, input) {
  return new Promise((resolve) => {
    const pieces = [];
    const socket = net.connect({ port, host: '127.0.0.1', allowHalfOpen: true });
    socket.on('connect', () => socket.end(Buffer.from(input, 'latin1')));
    socket.on('data', (piece) => pieces.push(piece));
    socket.on('error', () => {});
    socket.on('close', () => resolve(Buffer.concat(pieces).toString('latin1')));
  });
}

async function main() {
  const inputs = JSON.parse(fs.readFileSync(0, 'utf8'));
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  const verdicts = [];
  for (const input of inputs) {
    requests = [];
    const sent = await ask(server.address().port, input);
    const answers = sent.split('HTTP/1.1 ').slice(1).map((part) => part.slice(0, 3));
    const refused = answers.find((status) => status !== '200' && status !== '100');
    const isClosed = input.length > 0 && answers.length === 0;
    verdicts.push({ requests, refusal: refused ?? (isClosed ? 'closed' : null) });
  }
  process.stdout.write(JSON.stringify(verdicts));
  server.close();
}

main();
