//! Echo on a Unix socket, one thread per client. The socket file is removed when the server ends, and a stale file
//! left by a killed server is replaced.
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

    /// Echo server on a Unix socket
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
        /// Echoes data as received. A peer that does not read blocks only this thread.
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
