//! The server behind WebSockets, with the package `websockets` of Python, and with the client of `sinew-http`.

use sinew_chat::irc::server::{IrcServer, ServerConfig};
use sinew_http::{
    server::{HttpServer, Router},
    websocket::{ReceivedMessage, WebSocketClient},
};
use sinew_transports::{ReactorTcp, reactor::Reactor};

use super::{clients::meets_at, program};

/// By WebSocket, with text and with bytes.
#[test]
fn python_websockets() {
    for (protocol, encode) in [("text.ircv3.net", ""), ("binary.ircv3.net", ".encode()")] {
        let Some(mut python) = program::python("websockets.sync.client") else { return };
        meets_at("snake", |reactor, server, _| {
            let site = HttpServer::new(Router::new().get("/irc", server.websocket()));
            let port = reactor.listen_tcp("127.0.0.1:0", site).unwrap().local().port();
            let text = format!(
                "from websockets.sync.client import connect\n\
                 with connect('ws://127.0.0.1:{port}/irc', subprotocols=['{protocol}']) as socket:\n\
                 \x20   assert socket.subprotocol == '{protocol}'\n\
                 \x20   def say(text): socket.send(text{encode})\n\
                 \x20   say('NICK snake')\n\
                 \x20   say('USER snake 0 * :Snake')\n\
                 \x20   for message in socket:\n\
                 \x20       assert type(message) is type('x'{encode})\n\
                 \x20       words = str(message).split()\n\
                 \x20       if '001' in words: say('JOIN #a')\n\
                 \x20       if '366' in words:\n\
                 \x20           say('PRIVMSG #a :hello, everybody')\n\
                 \x20           say('PRIVMSG #a :\\x01ACTION waves\\x01')\n"
            );
            python.args(["-c", &text]);
            python
        });
    }
}

/// Our own client of WebSocket.
#[test]
fn a_websocket_of_ours() {
    crate::watchdog::watch_this_test();
    let reactor = Reactor::new().unwrap();
    let server = IrcServer::new(&reactor, ServerConfig::new("irc.test").unwrap());
    let site = HttpServer::new(Router::new().get("/", server.websocket()));
    let port = reactor.listen_tcp("127.0.0.1:0", site).unwrap().local().port();
    let client = WebSocketClient::new(&format!("ws://127.0.0.1:{port}/")).unwrap();
    let handle = reactor.clone();
    let talked = reactor.spawn(async move {
        let stream = client.protocol("text.ircv3.net").open(&handle).await.unwrap();
        for line in ["NICK ann", "USER ann 0 * :Ann"] {
            stream.send(ReceivedMessage::Text(line.to_owned())).await.unwrap();
        }
        let mut received = Vec::new();
        while let Some(ReceivedMessage::Text(text)) = stream.recv().await {
            if text.starts_with(":irc.test 001 ann ") {
                return;
            }
            received.push(text);
        }
        panic!("not welcomed: {received:?}");
    });
    reactor.run_until(talked).unwrap().unwrap();
}
