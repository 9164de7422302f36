"""An echo server on asyncio's protocols, on asyncio's own loop or on uvloop."""

import argparse
import asyncio
import signal


class Echo(asyncio.Protocol):
    def connection_made(self, transport):
        self.transport = transport

    def data_received(self, data):
        self.transport.write(data)


async def serve(host, port):
    loop = asyncio.get_running_loop()
    ended = asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, ended.set)
    server = await loop.create_server(Echo, host, port, backlog=4096)
    host, port = server.sockets[0].getsockname()
    print(f"listening on {host}:{port}", flush=True)
    await ended.wait()


parser = argparse.ArgumentParser()
parser.add_argument("--listen", default="127.0.0.1:0")
parser.add_argument("--loop", choices=["asyncio", "uvloop"], default="asyncio")
options = parser.parse_args()
if options.loop == "uvloop":
    import uvloop

    uvloop.install()
host, port = options.listen.rsplit(":", 1)
asyncio.run(serve(host, int(port)))
