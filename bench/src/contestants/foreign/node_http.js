// node's own server of HTTP.
'use strict';

const http = require('http');

const at = process.argv.indexOf('--listen');
const [host, port] = (at > 0 ? process.argv[at + 1] : '127.0.0.1:0').split(':');
const text = 'hello, world\n';

const server = http.createServer((request, response) => {
    if (request.url === '/plain') {
        response.writeHead(200, { 'Content-Type': 'text/plain; charset=utf-8', 'Content-Length': text.length });
        response.end(text);
    } else {
        response.writeHead(404).end();
    }
});
server.keepAliveTimeout = 3600 * 1000;
server.listen({ host, port: Number(port), backlog: 4096 }, () => {
    console.log(`listening on ${server.address().address}:${server.address().port}`);
});
process.on('SIGTERM', () => process.exit(0));
