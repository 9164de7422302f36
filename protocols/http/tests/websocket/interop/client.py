"""A client with the package websockets: sends messages of many kinds, and checks that they come back."""
import asyncio
import sys

try:
    from websockets.asyncio.client import connect
except ImportError:
    from websockets import connect


async def main(url, compression):
    async with connect(url, compression=compression, max_size=None, subprotocols=['b', 'a']) as socket:
        assert socket.subprotocol == 'a', socket.subprotocol
        for size in (0, 1, 125, 126, 1000, 65535, 65536, 300000):
            for message in ('\u20ac' * (size // 3), bytes(range(256)) * (size // 256 + 1)):
                await socket.send(message)
                assert await socket.recv() == message, size
        await socket.send(['in ', 'three ', 'fragments'])
        assert await socket.recv() == 'in three fragments'
        for number in range(200):
            await socket.send('message %d' % number)
        for number in range(200):
            assert await socket.recv() == 'message %d' % number
        await (await socket.ping(b'payload'))
        protocol = getattr(socket, 'protocol', socket)
        extensions = ', '.join(str(extension) for extension in protocol.extensions)
        await socket.close(3000, 'done')
        assert socket.close_code == 3000, socket.close_code
    print('ok', extensions)


asyncio.run(main(sys.argv[1], 'deflate' if sys.argv[2] == 'deflate' else None))
