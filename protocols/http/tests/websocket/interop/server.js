// A server with the package ws that echoes messages. Prints its port.
const { WebSocketServer } = require('ws');
const perMessageDeflate = process.argv[2] === 'deflate' ? { threshold: 0 } : false;
const server = new WebSocketServer({ host: '127.0.0.1', port: 0, perMessageDeflate, maxPayload: 1 << 24 }, () => {
    console.log(server.address().port);
});
server.on('connection', (socket) => {
    socket.on('message', (data, isBinary) => socket.send(data, { binary: isBinary }));
});
