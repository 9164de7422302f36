//! Shared code of the examples that need not be read first: command line, logging, error handling.

#![allow(dead_code, unused_imports, unused_macros, reason = "no example needs all of it")]

use std::{
    env,
    error::Error,
    fmt::Display,
    io,
    net::{SocketAddr, ToSocketAddrs},
    process::ExitCode,
    str::FromStr,
    time::Duration,
};

use clap::{
    CommandFactory, FromArgMatches, Parser,
    error::{ContextKind, ContextValue},
};
use sinew::{
    prelude::*,
    reactor::{BuildError, Builder, Excerpt, RunError, UnknownEngine},
    transports::{
        Destination,
        endpoint::{EndpointError, ServerEndpoint},
    },
};
use tracing_subscriber::filter::LevelFilter;

/// How long a server drains its connections after a signal. A second signal ends it at once.
pub(crate) const DRAIN: Duration = Duration::from_secs(5);

/// The error of an example: one line on standard error.
pub(crate) type Failed = Box<dyn Error>;

// Options of every example server. Not a doc comment, since clap would print it in `--help` as the text of the
// example.
#[derive(Parser, Debug)]
pub(crate) struct ServerArgs {
    /// Where to listen: HOST:PORT, a port alone, or an endpoint such as tcp:8000; port 0 lets the system choose
    #[arg(long, value_name = "ENDPOINT", default_value = "127.0.0.1:8000", value_parser = endpoint::<ServerEndpoint>)]
    pub(crate) listen: ServerEndpoint,

    #[command(flatten)]
    engine: EngineArgs,
}

// The same for servers that need an address.
#[derive(Parser, Debug)]
pub(crate) struct AddrArgs {
    /// Address to listen on; port 0 lets the system choose
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8000", value_parser = listen_addr)]
    pub(crate) listen: SocketAddr,

    #[command(flatten)]
    pub(crate) engine: EngineArgs,
}

impl ServerArgs {
    /// A reactor with the requested engine.
    pub(crate) fn reactor(&self) -> Result<Reactor, BuildError> {
        self.builder().build()
    }

    /// A builder for it, for further settings.
    pub(crate) fn builder(&self) -> Builder {
        self.engine.builder()
    }
}

#[cfg(feature = "socketserver")]
impl AddrArgs {
    /// For servers with blocking handlers: the base [`ServerConfig`](sinew::socketserver::ServerConfig).
    pub(crate) fn config<M: sinew::socketserver::Mode>(
        &self,
    ) -> sinew::socketserver::ServerConfig<M> {
        self.engine.config()
    }
}

// The option of every example.
#[derive(Parser, Debug)]
pub(crate) struct EngineArgs {
    /// Engine of the reactor: mio, poll, select, uring, or best for the best available
    #[arg(long, value_name = "NAME", default_value = "mio", value_parser = parse_engine)]
    engine: Engine,
}

impl EngineArgs {
    /// A builder of a reactor with the requested engine.
    pub(crate) fn builder(&self) -> Builder {
        Reactor::builder().engine(self.engine)
    }

    #[cfg(feature = "socketserver")]
    pub(crate) fn config<M: sinew::socketserver::Mode>(
        &self,
    ) -> sinew::socketserver::ServerConfig<M> {
        sinew::socketserver::ServerConfig::default().engine(self.engine).close_timeout(DRAIN)
    }
}

fn parse_engine(name: &str) -> Result<Engine, UnknownEngine> {
    name.parse()
}

/// Parses an endpoint option. Only the first line of an error is shown.
pub(crate) fn endpoint<E: FromStr<Err = EndpointError>>(text: &str) -> Result<E, String> {
    text.parse().map_err(|error: EndpointError| {
        error.to_string().lines().next().unwrap_or_default().to_owned()
    })
}

/// Parses a listen address: `host:port`, or a port alone for all IPv4 addresses. Names are resolved.
pub(crate) fn listen_addr(text: &str) -> Result<SocketAddr, String> {
    let port = text.strip_prefix("*:").or(text.strip_prefix(':')).unwrap_or(text);
    let is_port = !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit());
    let text = if is_port { format!("0.0.0.0:{port}") } else { text.to_owned() };
    match destination(&text).map_err(|error| error.to_string())? {
        Destination::Addr(addr) => Ok(addr),
        Destination::Name(host, port) => {
            let found = (host.as_str(), port).to_socket_addrs();
            let first = found.map(|mut addrs| addrs.next()).map_err(|error| error.to_string())?;
            first.ok_or_else(|| "the name has no address".to_owned())
        }
        other => Err(format!("{other} is no address")),
    }
}

/// Parses a datagram destination: an address, or `host:port`.
pub(crate) fn destination(text: &str) -> Result<Destination, ConnectError> {
    match text.into() {
        Destination::Bad(text) => Err(ConnectError::BadDestination(text)),
        destination => Ok(destination),
    }
}

/// `println!` for servers: ignores a closed standard output, where `println!` would panic.
macro_rules! say {
    ($($what:tt)*) => {{
        let _ = std::io::Write::write_fmt(&mut std::io::stdout(), format_args!("{}\n", format_args!($($what)*)));
    }};
}
pub(crate) use say;

/// The same for clients and tools: a closed standard output is an error.
macro_rules! print_line {
    ($($what:tt)*) => {
        std::io::Write::write_fmt(&mut std::io::stdout(), format_args!("{}\n", format_args!($($what)*)))
            .map_err(|error| format!("standard output: {error}"))
    };
}
pub(crate) use print_line;

/// Reports how the only connection of a program ended, successfully or not, to `main`.
#[derive(Default)]
pub(crate) struct End(Option<Promise<Result<(), String>>>);

impl End {
    pub(crate) fn new(reactor: &Reactor) -> (Self, Deferred<Result<(), String>>) {
        let (promise, ended) = reactor.promise();
        (Self(Some(promise)), ended)
    }

    /// Only the first result counts.
    pub(crate) fn tell(&mut self, how: Result<(), String>) {
        if let Some(promise) = self.0.take() {
            promise.resolve(how);
        }
    }

    pub(crate) fn lost(&mut self, reason: &ConnectionLost) {
        self.tell(if reason.is_clean() { Ok(()) } else { Err(reason.to_string()) });
    }

    /// The same where the connection is standard input and output.
    pub(crate) fn stdio_lost(&mut self, reason: &ConnectionLost) {
        match reason {
            ConnectionLost::Reset => self.tell(Err("nobody reads standard output any more".into())),
            reason if reason.is_clean() => self.tell(Ok(())),
            reason => self.tell(Err(format!("standard input and output: {reason}"))),
        }
    }
}

/// The `main` of a Unix-only example; on other platforms it reports that.
macro_rules! unix_main {
    ($run:path) => {
        cli::unix_main!(@ cli::main($run));
    };
    ($about:literal, $run:path) => {
        cli::unix_main!(@ cli::main_about($about, $run));
    };
    (@ $main:expr) => {
        #[cfg(unix)]
        fn main() -> std::process::ExitCode {
            $main
        }

        #[cfg(not(unix))]
        fn main() -> std::process::ExitCode {
            cli::main(|_: cli::EngineArgs| Err("this example is for Unix only".into()))
        }
    };
}
pub(crate) use unix_main;

/// Parses the command line, runs the example, and returns its exit code: 2 for an invalid argument, 1 for any other
/// failure, each with one line on standard error.
pub(crate) fn main<Args: Parser>(run: impl FnOnce(Args) -> Result<(), Failed>) -> ExitCode {
    run_as(Args::command(), run)
}

/// The same for an example that reuses another's arguments. `--help` begins with `about`.
pub(crate) fn main_about<Args: Parser>(
    about: &'static str,
    run: impl FnOnce(Args) -> Result<(), Failed>,
) -> ExitCode {
    run_as(Args::command().about(about), run)
}

fn run_as<Args: Parser>(
    command: clap::Command,
    run: impl FnOnce(Args) -> Result<(), Failed>,
) -> ExitCode {
    log_to_stderr();
    let args = command.try_get_matches().and_then(|matches| Args::from_arg_matches(&matches));
    match args.map_err(Failed::from).and_then(run) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failed) => fail(&failed),
    }
}

fn fail(failed: &Failed) -> ExitCode {
    let usage = failed.downcast_ref::<clap::Error>();
    if let Some(help) = usage.filter(|error| !error.use_stderr()) {
        return match help.print() {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => fail(&format!("standard output: {error}").into()),
        };
    }
    use io::Write as _;
    let _ = match usage {
        Some(error) => writeln!(io::stderr(), "{} (--help tells more)", first_paragraph(error)),
        None => writeln!(io::stderr(), "error: {failed}"),
    };
    ExitCode::from(if usage.is_some() { 2 } else { 1 })
}

/// Reads up to 64 KiB from standard input; from a terminal, one line. Empty at the end of input.
pub(crate) fn read_piece() -> io::Result<Vec<u8>> {
    let mut piece = vec![0; 64 * 1024];
    let len = io::Read::read(&mut io::stdin(), &mut piece)?;
    piece.truncate(len);
    Ok(piece)
}

/// Reads a line from standard input, with its line end. Empty at the end of input.
pub(crate) fn read_line() -> io::Result<String> {
    let mut line = String::new();
    io::stdin().read_line(&mut line)?;
    Ok(line)
}

/// Prints where a server listens once the reactor runs, since the reader may send a signal at once.
pub(crate) fn announce(reactor: &Reactor, what: impl Display + 'static) {
    reactor.on(Phase::AfterStartup, move |_| say!("listening on {what}"));
}

/// Prints where a server listens. With standard input and output as the connection, prints nothing, since that would
/// be taken for an answer; the server then ends with its only connection.
pub(crate) fn announce_port<A: Display>(reactor: &Reactor, port: &ListeningPort<A>) {
    let at = port.to_string();
    if at != "stdio:" {
        return announce(reactor, at);
    }
    port.when_closed().then(|reactor, _| {
        let _ = reactor.stop();
    });
}

/// Runs a server after it listens; `echo_server` has the same code written out.
pub(crate) fn run<A>(reactor: &Reactor, port: ListeningPort<A>) -> Result<(), Failed>
where
    A: Clone + Display + 'static,
{
    announce_port(reactor, &port);
    reactor.on(Phase::BeforeShutdown, move |_| port.drain(DRAIN));
    Ok(reactor.run()?)
}

/// Runs a server with blocking handlers; dropping it afterwards waits for the handlers.
#[cfg(feature = "socketserver")]
pub(crate) fn serve(server: &sinew::socketserver::BaseServer) -> Result<(), Failed> {
    Ok(server.serve_forever_ready(|server| say!("listening on {}", server.server_address()))?)
}

/// Runs the reactor until `future` completes, or until SIGINT or SIGTERM.
pub(crate) fn run_until(
    reactor: &Reactor,
    future: impl Future<Output = Result<(), Failed>> + 'static,
) -> Result<(), Failed> {
    match reactor.run_until(future) {
        Err(RunError::Stopped) => Ok(()),
        done => done?,
    }
}

/// Runs the reactor until the only connection of a program has ended, as reported by [`End`].
pub(crate) fn run_until_lost<P: Protocol>(
    reactor: &Reactor,
    connecting: Connecting<P>,
    ended: Deferred<Result<(), String>>,
) -> Result<(), Failed> {
    run_until(reactor, async {
        let _connection = connecting.await?;
        Ok(ended.await??)
    })
}

/// The first paragraph of clap's error, without tips and usage, and with the argument shortened.
fn first_paragraph(error: &clap::Error) -> String {
    let mut text = error.render().to_string();
    if let Some(ContextValue::String(value)) = error.get(ContextKind::InvalidValue) {
        text = text.replace(value, &Excerpt::new(value).to_string());
    }
    let words = text.split("\n\n").next().unwrap_or_default().split_whitespace();
    Excerpt::new(&words.collect::<Vec<_>>().join(" ")).len_max(1000).to_string()
}

/// Logs the library's warnings to standard error; the environment can enable more: `RUST_LOG=debug`.
fn log_to_stderr() {
    let level = env::var("RUST_LOG").ok().and_then(|level| level.parse().ok());
    tracing_subscriber::fmt()
        .with_writer(io::stderr)
        .with_max_level(level.unwrap_or(LevelFilter::WARN))
        .log_internal_errors(false)
        .init();
}
