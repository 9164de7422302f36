//! The code blocks of the pages, which `cargo test` compiles and runs. `tests/docs.rs` sees to it that no page is missing.

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
    Simulation: "../docs/guide/9-simulation.md";
    Benchmarks: "../docs/benchmarks.md";
    Stability: "../docs/stability.md";
    EndpointsAndNames: "../docs/guide/13-endpoints-and-names.md";
    ProtocolCallbacks: "../docs/design/1-two-more-callbacks.md";
    BoxedProtocol: "../docs/design/2-the-protocol-in-a-box.md";
    Clock: "../docs/design/3-the-clock.md";
    Tasks: "../docs/design/4-tasks-and-signals-of-our-own.md";
    Guard: "../docs/design/5-one-guard-at-the-loop.md";
    GracefulClose: "../docs/design/6-graceful-close.md";
    Graveyard: "../docs/design/7-panics-and-deferred-drops.md";
    Stop: "../docs/design/8-stop-says-no.md";
    EngineCompletes: "../docs/design/9-what-an-engine-completes.md";
    Forking: "../docs/design/10-forking.md";
    StandardStreams: "../docs/design/11-standard-streams.md";
    Endpoints: "../docs/design/13-endpoints.md";
    Relays: "../docs/design/14-relays.md";
    AnswersOfDatagrams: "../docs/design/15-answers-of-datagrams.md";
    EngineHolds: "../docs/design/16-what-an-engine-may-hold.md";
    OutputFails: "../docs/design/17-when-output-fails.md";
    HandingOn: "../docs/design/18-handing-on.md";
    AnswersAndEndsOfLines: "../docs/design/19-answers-and-ends-of-lines.md";
    Layer: "../docs/design/12-tls-is-a-layer.md";
}

// What is for Unix only, or needs a feature.
#[cfg(unix)]
pages! {
    DatagramsAndUnix: "../docs/guide/11-datagrams-and-unix-sockets.md";
    ProcessesAndPipes: "../docs/guide/14-processes-and-pipes.md";
}

#[cfg(feature = "http")]
pages! {
    Http: "../docs/guide/15-http.md";
}

#[cfg(feature = "socketserver")]
pages! {
    Socketserver: "../docs/guide/10-socketserver.md";
}

#[cfg(feature = "tls")]
pages! {
    Tls: "../docs/guide/12-tls.md";
}
