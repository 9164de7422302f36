//! Serves a folder over HTTP: files with ranges and conditions, listings, compressed answers, and a line for each request.
//!
//! ```text
//! $ serve_dir public &
//! $ curl -r 0-4 http://127.0.0.1:8000/hello.txt
//! hello
//! ```

mod cli;

use std::{io, path::PathBuf, process::ExitCode};

use clap::Parser;
use cli::{ServerArgs, say};
use sinew::http::server::{
    AccessLog, Compression, ErrorPages, Files, Guard, Handler, HttpServer, LogFormat, Users,
};

/// Serves a folder over HTTP
#[derive(Parser, Debug)]
struct Args {
    /// The folder
    #[arg(value_name = "DIR", default_value = ".")]
    folder: PathBuf,

    /// Show no lists of what is in a folder
    #[arg(long)]
    no_listing: bool,

    /// Serve names that begin with a dot, too
    #[arg(long)]
    dot_files: bool,

    /// Let in only who gives this name and password; over anything but TLS, they can be read on the way
    #[arg(long, value_name = "NAME:PASSWORD")]
    auth: Option<String>,

    #[command(flatten)]
    server: ServerArgs,
}

/// Standard output, a line at a time. That nobody reads it is no reason to serve nobody.
struct Log;

impl io::Write for Log {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        say!("{}", String::from_utf8_lossy(line).trim_end());
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn server(handler: impl Handler) -> HttpServer {
    let pages = ErrorPages::new(Compression::new(handler));
    HttpServer::new(AccessLog::new(pages).format(LogFormat::Common).to(Log))
}

fn main() -> ExitCode {
    cli::main(|args: Args| {
        let files = Files::new(&args.folder)
            .map_err(|error| format!("{}: {error}", args.folder.display()))?
            .listing(!args.no_listing)
            .dot_files(args.dot_files)
            .precompressed(true);
        let server = match args.auth.as_deref() {
            None => server(files),
            Some(auth) => {
                let (name, password) = auth.split_once(':').ok_or("--auth takes NAME:PASSWORD")?;
                let users = Users::new().user(name, password);
                server(Guard::basic("files", users, files)?)
            }
        };
        let reactor = args.server.reactor()?;
        let port = args.server.listen.listen(&reactor, server)?;
        cli::run(&reactor, port)
    })
}
