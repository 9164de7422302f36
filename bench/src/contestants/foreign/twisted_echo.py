"""An echo server on Twisted, on its epoll reactor."""

import argparse

from twisted.internet import epollreactor

epollreactor.install()

from twisted.internet import protocol, reactor  # noqa: E402


class Echo(protocol.Protocol):
    def connectionMade(self):
        self.transport.setTcpNoDelay(True)

    def dataReceived(self, data):
        self.transport.write(data)


parser = argparse.ArgumentParser()
parser.add_argument("--listen", default="127.0.0.1:0")
host, port = parser.parse_args().listen.rsplit(":", 1)

factory = protocol.Factory.forProtocol(Echo)
factory.noisy = False
listening = reactor.listenTCP(int(port), factory, backlog=4096, interface=host)
address = listening.getHost()
print(f"listening on {address.host}:{address.port}", flush=True)
reactor.run()
