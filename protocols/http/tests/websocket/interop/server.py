"""A server with the package websockets that echoes messages, each as a text in fragments if it is a text. Prints its port."""
import asyncio
import sys

try:
    from websockets.asyncio.server import serve
except ImportError:
    from websockets import serve


async def echo(socket):
    async for message in socket:
        if isinstance(message, str) and len(message) > 2:
            await socket.send([message[:1], message[1:]])
        else:
            await socket.send(message)


async def main(compression):
    server = serve(echo, '127.0.0.1', 0, compression=compression, max_size=None, subprotocols=['a'])
    async with server as server:
        print(server.sockets[0].getsockname()[1], flush=True)
        await asyncio.get_running_loop().create_future()


asyncio.run(main('deflate' if sys.argv[1] == 'deflate' else None))
