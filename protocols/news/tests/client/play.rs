//! A client with a server of ours, or with one that follows a script.

use sinew_news::{
    nntp::{
        client::{ClientConfig, NewsClient, NewsError, Security},
        server::{NewsHandler, NewsServer, ServerConfig},
    },
    store::MemoryStore,
};
use sinew_protocols::basic::{LineHandler, LineReceiver, LineTransport};
use sinew_testkit::testing::task_test;
use sinew_transports::{
    Peer,
    endpoint::{ClientEndpoint, ServerEndpoint},
    reactor::Reactor,
};

use crate::support;

pub(crate) fn config() -> ClientConfig {
    ClientConfig::default().security(Security::None)
}

pub(crate) fn at(name: &str) -> (ServerEndpoint, ClientEndpoint) {
    let text = format!("memory:{name}");
    (text.parse().unwrap(), text.parse().unwrap())
}

/// Runs `f` with a client of a server of ours, and its store.
pub(crate) fn with_server<T: 'static, F: Future<Output = Result<T, NewsError>> + 'static>(
    server: ServerConfig,
    handler: impl NewsHandler,
    client: ClientConfig,
    f: impl FnOnce(Reactor, MemoryStore, NewsClient) -> F + 'static,
) -> Result<T, NewsError> {
    crate::watchdog::watch_this_test();
    task_test(move |reactor: Reactor| async move {
        let store = support::store(reactor.wall_clock());
        let (listen, to) = at("news");
        let port =
            listen.listen(&reactor, NewsServer::new(server, store.clone(), handler)).unwrap();
        let result = async {
            let client = NewsClient::connect(&reactor, to, client).await?;
            f(reactor.clone(), store, client).await
        };
        let result = result.await;
        port.stop_listening();
        result
    })
}

/// Lines that are expected, and what is written then. An answer that ends in `!` closes the connection, an empty one says nothing.
/// Lines of a text, from 3yz to the dot, are not expected.
pub(crate) type Script = &'static [(&'static str, &'static str)];

pub(crate) struct Scripted {
    script: std::slice::Iter<'static, (&'static str, &'static str)>,
    greeting: &'static str,
    is_text: bool,
}

impl Scripted {
    pub(crate) fn new(script: Script, greeting: &'static str) -> Self {
        Self { script: script.iter(), greeting, is_text: false }
    }

    fn say(&mut self, transport: &LineTransport<'_>, answer: &str) {
        transport.write(answer.trim_end_matches('!'));
        self.is_text = answer.starts_with("34") || answer.starts_with("335");
        if answer.ends_with('!') {
            transport.lose_connection();
        }
    }
}

impl LineHandler for Scripted {
    fn connection_made(&mut self, transport: &mut LineTransport<'_>) {
        let greeting = self.greeting;
        self.say(transport, greeting);
    }

    fn line_received(&mut self, transport: &mut LineTransport<'_>, line: &[u8]) {
        let line = String::from_utf8_lossy(line).into_owned();
        if self.is_text && line != "." {
            return;
        }
        let Some((expected, answer)) = self.script.next() else {
            panic!("{line:?} comes when nothing is expected")
        };
        assert_eq!(*expected, line);
        self.say(transport, answer);
    }
}

/// Runs `f` with a client of a server that follows a script.
pub(crate) fn with_script<T: 'static, F: Future<Output = Result<T, NewsError>> + 'static>(
    greeting: &'static str,
    script: Script,
    config: ClientConfig,
    f: impl FnOnce(NewsClient) -> F + 'static,
) -> Result<T, NewsError> {
    crate::watchdog::watch_this_test();
    task_test(move |reactor: Reactor| async move {
        let server = move |_: &Peer| LineReceiver::new(Scripted::new(script, greeting));
        let (listen, to) = at("script");
        let port = listen.listen(&reactor, server).unwrap();
        let result = async {
            let client = NewsClient::connect(&reactor, to, config).await?;
            f(client).await
        };
        let result = result.await;
        port.stop_listening();
        result
    })
}
