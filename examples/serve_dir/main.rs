//! Serves a folder over HTTP: files with ranges and conditions, listings, compressed answers, and a line for each request. On a terminal,
//! long transfers show how far they are. Parts of the site may be other servers, or somewhere else.
//!
//! ```text
//! $ serve_dir public --proxy /api=tcp:127.0.0.1:3000 &
//! $ curl -r 0-4 http://127.0.0.1:8000/hello.txt
//! hello
//! ```
//!
//! Over TLS: `--listen tls:8443:cert=cert.pem:key=key.pem`.

#[path = "../cli/mod.rs"]
mod cli;
mod progress;
mod upload;

use std::{io, path::PathBuf, process::ExitCode};

use clap::Parser;
use cli::{Failed, ServerArgs, endpoint, say};
use progress::{Progress, Transfers};
use sinew::{
    auth::{Checker, PasswordFile, Users},
    http::server::{
        AccessLog, Compression, ErrorPages, Files, Guard, Handler, HttpServer, LogFormat, Redirect,
        ReverseProxy, Router,
    },
    transports::endpoint::ClientEndpoint,
};
use upload::Uploads;

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

    /// Have all below a path answered by another server, such as /api=tcp:127.0.0.1:3000; may be repeated, also for the same path
    #[arg(long, value_name = "PATH=ENDPOINT", value_parser = proxied)]
    proxy: Vec<(String, ClientEndpoint)>,

    /// Send clients from a path to another place, such as /old=/new; may be repeated
    #[arg(long, value_name = "PATH=LOCATION", value_parser = redirected)]
    redirect: Vec<(String, String)>,

    /// Let in only who gives this name and password; over anything but TLS, they can be read on the way
    #[arg(long, value_name = "NAME:PASSWORD", conflicts_with = "htpasswd")]
    auth: Option<String>,

    /// Let in only who is in this file, which `htpasswd -B` makes
    #[arg(long, value_name = "FILE")]
    htpasswd: Option<PathBuf>,

    /// Take files: by the page /upload, or by PUT. What is there is not replaced
    #[arg(long)]
    upload: bool,

    #[command(flatten)]
    server: ServerArgs,
}

/// A path, and what follows the equals sign.
fn redirected(text: &str) -> Result<(String, String), String> {
    let (path, value) = text.split_once('=').ok_or("it takes PATH=, and what is there")?;
    let path = path.trim_end_matches('/');
    if !path.starts_with('/') || path.contains(['{', '}']) {
        return Err("the path begins with a slash, and names one place".to_owned());
    }
    Ok((path.to_owned(), value.to_owned()))
}

fn proxied(text: &str) -> Result<(String, ClientEndpoint), String> {
    let (path, to) = redirected(text)?;
    Ok((path, endpoint::<ClientEndpoint>(&to)?))
}

/// Standard output, a line at a time, above the lines of transfers. That nobody reads it is no reason to serve nobody.
struct Log(Option<Transfers>);

impl io::Write for Log {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        if let Some(transfers) = &self.0 {
            transfers.clear();
        }
        say!("{}", String::from_utf8_lossy(line).trim_end());
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// All that is served: other servers, redirects, and the folder.
fn site(args: &Args) -> Result<Router, Failed> {
    let files = Files::new(&args.folder)
        .map_err(|error| format!("{}: {error}", args.folder.display()))?
        .listing(!args.no_listing)
        .dot_files(args.dot_files)
        .precompressed(true);
    let mut router = Router::new();
    let mut proxies: Vec<(&str, ReverseProxy)> = Vec::new();
    for (path, endpoint) in &args.proxy {
        // Several servers for a path share its requests.
        match proxies.iter().position(|(known, _)| known == path) {
            Some(at) => {
                let (path, proxy) = proxies.swap_remove(at);
                proxies.push((path, proxy.backend(endpoint.clone())));
            }
            None => proxies.push((path, ReverseProxy::new(endpoint.clone()))),
        }
    }
    for (path, proxy) in proxies {
        router = router.nest(path, proxy);
    }
    for (path, location) in &args.redirect {
        router = router.any(path, Redirect::to(location)?);
    }
    Ok(match args.upload {
        true => router.fallback(Uploads::new(&args.folder, files)),
        false => router.fallback(files),
    })
}

fn server(handler: impl Handler) -> HttpServer {
    let transfers = Transfers::on_terminal();
    let pages = Progress::new(ErrorPages::new(Compression::new(handler)), transfers.clone());
    HttpServer::new(AccessLog::new(pages).format(LogFormat::Common).to(Log(transfers)))
}

fn guarded(users: impl Checker, site: Router) -> Result<HttpServer, Failed> {
    Ok(server(Guard::basic("files", users, site)?))
}

fn main() -> ExitCode {
    cli::main(|args: Args| {
        let site = site(&args)?;
        let server = match (&args.auth, &args.htpasswd) {
            (Some(auth), _) => {
                let (name, password) = auth.split_once(':').ok_or("--auth takes NAME:PASSWORD")?;
                guarded(Users::new().user(name, password), site)?
            }
            (None, Some(file)) => guarded(PasswordFile::open(file)?, site)?,
            (None, None) => server(site),
        };
        let reactor = args.server.reactor()?;
        let port = args.server.listen.listen(&reactor, server)?;
        cli::run(&reactor, port)
    })
}
