//! What the examples share and nobody needs to read first: their command line, their log, and how they fail.

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

/// How long a server that was told to stop waits for its connections. A second signal ends the wait.
pub(crate) const DRAIN: Duration = Duration::from_secs(5);

/// What ends an example: one line on standard error.
pub(crate) type Failed = Box<dyn Error>;

// The options that every example server has. Comments for rustdoc would be told by `--help`, as if they were the example's own.
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
    /// A reactor on the engine that was asked for.
    pub(crate) fn reactor(&self) -> Result<Reactor, BuildError> {
        self.builder().build()
    }

    /// The same, for who has more to set.
    pub(crate) fn builder(&self) -> Builder {
        self.engine.builder()
    }
}

#[cfg(feature = "socketserver")]
impl AddrArgs {
    /// For servers whose handlers block: [`ServerConfig`](sinew::socketserver::ServerConfig), as all of them begin.
    pub(crate) fn config<M: sinew::socketserver::Mode>(
        &self,
    ) -> sinew::socketserver::ServerConfig<M> {
        self.engine.config()
    }
}

// The option that every example has.
#[derive(Parser, Debug)]
pub(crate) struct EngineArgs {
    /// What the reactor waits on: mio, poll, select, uring, or best for the best there is
    #[arg(long, value_name = "NAME", default_value = "mio", value_parser = parse_engine)]
    engine: Engine,
}

impl EngineArgs {
    /// A reactor on the engine that was asked for, to be built.
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

/// Reads an option that says where to listen or to connect to. Of what is wrong with it, the first line tells enough here.
pub(crate) fn endpoint<E: FromStr<Err = EndpointError>>(text: &str) -> Result<E, String> {
    text.parse().map_err(|error: EndpointError| {
        error.to_string().lines().next().unwrap_or_default().to_owned()
    })
}

/// Reads an option that says at which address to listen: `host:port`, or a port alone for all addresses of IPv4. A name is looked up.
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

/// Reads an option that says where datagrams go: an address, or `host:port`.
pub(crate) fn destination(text: &str) -> Result<Destination, ConnectError> {
    match text.into() {
        Destination::Bad(text) => Err(ConnectError::BadDestination(text)),
        destination => Ok(destination),
    }
}

/// `println!` for servers: they go on when nobody reads their standard output any more, where `println!` would panic.
macro_rules! say {
    ($($what:tt)*) => {{
        let _ = std::io::Write::write_fmt(&mut std::io::stdout(), format_args!("{}\n", format_args!($($what)*)));
    }};
}
pub(crate) use say;

/// The same for clients and tools, which have nothing else to do: an error.
macro_rules! print_line {
    ($($what:tt)*) => {
        std::io::Write::write_fmt(&mut std::io::stdout(), format_args!("{}\n", format_args!($($what)*)))
            .map_err(|error| format!("standard output: {error}"))
    };
}
pub(crate) use print_line;

/// Where the only connection of a program says how it ended, well or not, and `main` hears of it.
#[derive(Default)]
pub(crate) struct End(Option<Promise<Result<(), String>>>);

impl End {
    pub(crate) fn new(reactor: &Reactor) -> (Self, Deferred<Result<(), String>>) {
        let (promise, ended) = reactor.promise();
        (Self(Some(promise)), ended)
    }

    /// What is said first counts.
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

/// The `main` of an example that is for Unix only; elsewhere, it says so.
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

/// Reads the command line, runs the example, and turns its result into an exit code: 2 for a bad argument, 1 for any
/// other failure, each with one line on standard error.
pub(crate) fn main<Args: Parser>(run: impl FnOnce(Args) -> Result<(), Failed>) -> ExitCode {
    run_as(Args::command(), run)
}

/// The same for an example that has the arguments of others. `--help` begins with `about`.
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

/// Reads what there is of standard input, 64 KiB at most: from a terminal, a line. An empty piece is the end of the input.
pub(crate) fn read_piece() -> io::Result<Vec<u8>> {
    let mut piece = vec![0; 64 * 1024];
    let len = io::Read::read(&mut io::stdin(), &mut piece)?;
    piece.truncate(len);
    Ok(piece)
}

/// Reads a line of standard input, with its end; an empty one is the end of the input.
pub(crate) fn read_line() -> io::Result<String> {
    let mut line = String::new();
    io::stdin().read_line(&mut line)?;
    Ok(line)
}

/// Says where a server listens once the reactor runs: whoever reads it may send a signal at once.
pub(crate) fn announce(reactor: &Reactor, what: impl Display + 'static) {
    reactor.on(Phase::AfterStartup, move |_| say!("listening on {what}"));
}

/// Says where a server listens. Not on standard input and output, where it would be taken for an answer; with the connection that
/// is there, the server ends.
pub(crate) fn announce_port<A: Display>(reactor: &Reactor, port: &ListeningPort<A>) {
    let at = port.to_string();
    if at != "stdio:" {
        return announce(reactor, at);
    }
    port.when_over().then(|reactor, _| {
        let _ = reactor.stop();
    });
}

/// How every example server goes on once it listens; `echo_server` has it written out.
pub(crate) fn run<A>(reactor: &Reactor, port: ListeningPort<A>) -> Result<(), Failed>
where
    A: Clone + Display + 'static,
{
    announce_port(reactor, &port);
    reactor.on(Phase::BeforeShutdown, move |_| port.drain(DRAIN));
    Ok(reactor.run()?)
}

/// How servers whose handlers block go on; once this has returned, dropping them waits for the handlers.
#[cfg(feature = "socketserver")]
pub(crate) fn serve(server: &sinew::socketserver::BaseServer) -> Result<(), Failed> {
    Ok(server.serve_forever_ready(|server| say!("listening on {}", server.server_address()))?)
}

/// Runs the reactor until `future` is done, or until SIGINT or SIGTERM.
pub(crate) fn run_until(
    reactor: &Reactor,
    future: impl Future<Output = Result<(), Failed>> + 'static,
) -> Result<(), Failed> {
    match reactor.run_until(future) {
        Err(RunError::Stopped) => Ok(()),
        done => done?,
    }
}

/// Runs the reactor until the only connection of a program has ended, as its protocol tells [`End`].
pub(crate) fn run_until_lost<P: Protocol>(
    reactor: &Reactor,
    connecting: Connecting<P>,
    ended: Deferred<Result<(), String>>,
) -> Result<(), Failed> {
    run_until(reactor, async {
        connecting.await?;
        Ok(ended.await??)
    })
}

/// What clap says first, without its tips and the usage, and with the argument as an excerpt.
fn first_paragraph(error: &clap::Error) -> String {
    let mut text = error.render().to_string();
    if let Some(ContextValue::String(value)) = error.get(ContextKind::InvalidValue) {
        text = text.replace(value, &Excerpt::new(value).to_string());
    }
    let words = text.split("\n\n").next().unwrap_or_default().split_whitespace();
    Excerpt::new(&words.collect::<Vec<_>>().join(" ")).len_max(1000).to_string()
}

/// The library's warnings go to standard error; the environment may ask for more: `RUST_LOG=debug`.
fn log_to_stderr() {
    let level = env::var("RUST_LOG").ok().and_then(|level| level.parse().ok());
    tracing_subscriber::fmt()
        .with_writer(io::stderr)
        .with_max_level(level.unwrap_or(LevelFilter::WARN))
        .log_internal_errors(false)
        .init();
}
