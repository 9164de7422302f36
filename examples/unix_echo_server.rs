//! Echo on a Unix socket, a thread for each client. The file of the socket goes when the server does, and one that a server
//! left behind that was killed is no obstacle.
//!
//! ```text
//! $ cargo run --release --features socketserver --example unix_echo_server -- --listen echo.sock
//! listening on echo.sock
//! ```
//!
//! ```text
//! $ nc -U echo.sock
//! hello
//! hello
//! ```

mod cli;

use std::process::ExitCode;

#[cfg(unix)]
fn main() -> ExitCode {
    unix::main()
}

#[cfg(not(unix))]
fn main() -> ExitCode {
    eprintln!("error: there are no Unix sockets here");
    ExitCode::FAILURE
}

#[cfg(unix)]
mod unix {
    use std::{
        io::{BufRead, Write},
        path::PathBuf,
        process::ExitCode,
    };

    use clap::Parser;
    use sinew::socketserver::{
        HandlerResult, StreamContext, StreamRequestHandler, ThreadingUnixStreamServer,
    };

    use crate::cli::{self, EngineArgs, serve};

    /// Echoes on a Unix socket
    #[derive(Parser)]
    struct Args {
        /// Path of the socket
        #[arg(long, value_name = "PATH", default_value = "echo.sock")]
        listen: PathBuf,

        #[command(flatten)]
        engine: EngineArgs,
    }

    struct Echo;

    impl StreamRequestHandler for Echo {
        /// As the bytes come. A peer that does not read its echo blocks this thread, and nobody else.
        fn handle(&mut self, cx: &mut StreamContext) -> HandlerResult {
            loop {
                let data = cx.rfile.fill_buf()?;
                let len = data.len();
                if len == 0 {
                    return Ok(());
                }
                cx.wfile.write_all(data)?;
                cx.rfile.consume(len);
            }
        }
    }

    pub(super) fn main() -> ExitCode {
        cli::main(|args: Args| {
            let server =
                ThreadingUnixStreamServer::bind_with(&args.listen, || Echo, args.engine.config())?;
            serve(&server)
        })
    }
}
