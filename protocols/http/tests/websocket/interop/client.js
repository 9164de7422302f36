// A client with the package ws: sends messages of many kinds, and checks that they come back.
const WebSocket = require('ws');
const [, , url, mode] = process.argv;
const socket = new WebSocket(url, ['b', 'a'], { perMessageDeflate: mode === 'deflate' });
const messages = [];
for (const size of [0, 1, 125, 126, 1000, 65535, 65536, 300000]) {
    messages.push('\u20ac'.repeat(size / 3), Buffer.alloc(size, 'some bytes'));
}
let next = 0;
const check = (condition, what) => { if (!condition) { console.error('failed:', what); process.exit(1); } };

socket.on('open', () => {
    check(socket.protocol === 'a', 'subprotocol');
    socket.ping('payload');
    messages.forEach((message) => socket.send(message));
    socket.send('in ', { fin: false });
    socket.send('fragments', { fin: true });
});
socket.on('message', (data, isBinary) => {
    const expected = next < messages.length ? messages[next] : 'in fragments';
    check(isBinary === Buffer.isBuffer(expected), 'kind of message ' + next);
    check(Buffer.compare(data, Buffer.from(expected)) === 0, 'message ' + next);
    next += 1;
    if (next === messages.length + 1) socket.close(3000, 'done');
});
let pongs = 0;
socket.on('pong', (data) => { check(data.toString() === 'payload', 'pong'); pongs += 1; });
socket.on('close', (code) => {
    check(code === 3000 && pongs === 1, 'close ' + code);
    console.log('ok ' + socket.extensions);
});
