//! Doctests of the Markdown pages: `cargo test` compiles and runs their code blocks. `tests/docs.rs` checks that no page is missing.

macro_rules! pages {
    ($($name:ident: $path:literal;)*) => {
        $(#[doc = include_str!($path)] struct $name;)*
    };
}

pages! {
    Readme: "../README.md";
    Architecture: "../ARCHITECTURE.md";
    Contributing: "../CONTRIBUTING.md";
    Index: "../docs/README.md";
    FirstServer: "../docs/guide/1-first-server.md";
    ProtocolsAndFactories: "../docs/guide/2-protocols-and-factories.md";
    TheTransport: "../docs/guide/3-the-transport.md";
    LinesAndFrames: "../docs/guide/4-lines-and-frames.md";
    TimeThreadsTasks: "../docs/guide/5-time-threads-tasks.md";
    TestingInMemory: "../docs/guide/6-testing-in-memory.md";
    RunningIt: "../docs/guide/7-running-it.md";
    ComingFromTwisted: "../docs/guide/8-coming-from-twisted.md";
    TheCommand: "../docs/guide/22-the-command.md";
    Deploying: "../docs/deploy/README.md";
    ReadyServers: "../docs/guide/23-ready-servers.md";
    Benchmarks: "../docs/benchmarks.md";
    Stability: "../docs/stability.md";
    Glossary: "../docs/glossary.md";
    EndpointsAndNames: "../docs/guide/13-endpoints-and-names.md";
    ProtocolCallbacks: "../docs/design/1-resume-and-drain-callbacks.md";
    BoxedProtocol: "../docs/design/2-boxed-protocols.md";
    Clock: "../docs/design/3-clock-reads.md";
    Tasks: "../docs/design/4-tasks-and-signals.md";
    PanicIsolation: "../docs/design/5-panic-isolation.md";
    GracefulClose: "../docs/design/6-graceful-close.md";
    DeferredDrops: "../docs/design/7-panics-and-deferred-drops.md";
    TypedErrors: "../docs/design/8-typed-errors.md";
    CompletionQueue: "../docs/design/9-completion-queue.md";
    Forking: "../docs/design/10-forking.md";
    StandardStreams: "../docs/design/11-standard-streams.md";
    Endpoints: "../docs/design/13-endpoints.md";
    Relays: "../docs/design/14-relays.md";
    UdpReplyAddress: "../docs/design/15-udp-reply-address.md";
    CompletionCredit: "../docs/design/16-completion-credit.md";
    WriteErrors: "../docs/design/17-write-errors.md";
    ConnectionHandover: "../docs/design/18-connection-handover.md";
    LineEndings: "../docs/design/19-line-endings-and-request-matching.md";
    SeveralReactors: "../docs/design/20-several-reactors.md";
    SeveralCores: "../docs/guide/16-several-cores.md";
    Async: "../docs/guide/18-async.md";
    StreamsForTasks: "../docs/design/21-streams-for-tasks.md";
    Restarting: "../docs/design/22-restarts.md";
    Layer: "../docs/design/12-tls-layer.md";
}

// Pages for Unix only, or that need a feature.
#[cfg(unix)]
pages! {
    DatagramsAndUnix: "../docs/guide/11-datagrams-and-unix-sockets.md";
    ProcessesAndPipes: "../docs/guide/14-processes-and-pipes.md";
}

#[cfg(all(unix, feature = "application"))]
pages! {
    Services: "../docs/guide/20-services.md";
    Restarts: "../docs/guide/21-restarts.md";
}

#[cfg(feature = "auth")]
pages! {
    Authentication: "../docs/guide/28-authentication.md";
}

#[cfg(feature = "chat")]
pages! {
    Irc: "../docs/guide/35-irc.md";
    Xmpp: "../docs/guide/39-xmpp.md";
    XmppServer: "../docs/guide/40-xmpp-server.md";
    XmppRoomsAndComponents: "../docs/guide/41-xmpp-rooms-and-components.md";
    NetworksThatAreGone: "../docs/guide/38-networks-that-are-gone.md";
}

#[cfg(feature = "dns")]
pages! {
    Dns: "../docs/guide/25-dns.md";
    DnsServers: "../docs/guide/26-dns-servers.md";
}

#[cfg(feature = "http")]
pages! {
    Http: "../docs/guide/15-http.md";
    HttpClient: "../docs/guide/19-http-client.md";
    TwistedWebByClass: "../docs/guide/27-twisted-web-by-class.md";
    WebSocket: "../docs/guide/17-websocket.md";
}

#[cfg(feature = "mail")]
pages! {
    MailQueue: "../docs/guide/30-mail-queue.md";
    Smtp: "../docs/guide/29-smtp.md";
    MailServer: "../docs/guide/37-mail-server.md";
    ImapServer: "../docs/guide/32-imap-server.md";
    ImapClient: "../docs/guide/33-imap-client.md";
    Pop3: "../docs/guide/31-pop3.md";
}

#[cfg(all(feature = "mail", unix))]
pages! {
    MailStores: "../docs/guide/34-mail-stores.md";
}

#[cfg(feature = "news")]
pages! {
    News: "../docs/guide/36-news.md";
}

#[cfg(all(feature = "application", feature = "http"))]
pages! {
    SeeingInside: "../docs/guide/24-seeing-inside.md";
}

#[cfg(feature = "socketserver")]
pages! {
    Socketserver: "../docs/guide/10-socketserver.md";
}

#[cfg(feature = "testing")]
pages! {
    Simulation: "../docs/guide/9-simulation.md";
}

#[cfg(feature = "tls")]
pages! {
    Tls: "../docs/guide/12-tls.md";
}
