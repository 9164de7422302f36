//! Echo server on any endpoint, such as a Unix socket; prints the process at the other end.
//!
//! ```text
//! $ cargo run --release --example unix_echo -- --listen unix:/tmp/echo.sock:mode=660
//! listening on unix:/tmp/echo.sock
//! ```
//!
//! ```text
//! $ nc -U /tmp/echo.sock
//! hello
//! hello
//! ```

mod cli;

#[cfg(unix)]
mod unix {
    use super::cli::{self, EngineArgs, Failed, say};
    use sinew::{prelude::*, transports::endpoint::ServerEndpoint};

    struct Echo;

    impl Protocol for Echo {
        /// The user and process of the peer (SO_PEERCRED), where the system supports it.
        fn connection_made(&mut self, transport: &Transport) {
            say!("{} connected", transport.peer());
        }

        fn data_received(&mut self, transport: &Transport, data: &[u8]) {
            transport.write(data);
        }
    }

    /// Echo server that prints which process is at the other end of a Unix socket
    #[derive(clap::Parser)]
    pub(crate) struct Args {
        /// Where to listen: unix:PATH:mode=MODE, where write permission allows connecting; or any other endpoint
        #[arg(long, value_name = "ENDPOINT", default_value = "unix:/tmp/sinew-echo.sock:mode=600", value_parser = cli::endpoint::<ServerEndpoint>)]
        listen: ServerEndpoint,

        #[command(flatten)]
        engine: EngineArgs,
    }

    pub(crate) fn run(args: Args) -> Result<(), Failed> {
        let reactor = args.engine.builder().build()?;
        // A socket file left by a dead server is replaced; one in use by a running server is not. The file is removed
        // when this server ends. In code, this is `listen_unix_with` and a `UnixListenConfig`.
        let port = args.listen.listen(&reactor, |_: &Peer| Echo)?;
        cli::run(&reactor, port)
    }
}

cli::unix_main!(unix::run);
