//! Sends an HTTP request with hyper, on a sinew reactor, and prints the response.
//!
//! ```text
//! $ cargo run --release -p hyper_on_sinew --bin hyper_ask -- --http2 http://127.0.0.1:8000/
//! HTTP/2.0 200 OK
//! hello over HTTP/2.0
//! ```

use std::{io::Write, path::PathBuf, process::ExitCode, time::Duration};

use clap::Parser;
use hyper::Uri;
use hyper_on_sinew::{Failed, ask};
use sinew::{
    prelude::*,
    transports::endpoint::{ClientEndpoint, TcpClient, TlsClient},
};

/// Time limit for the whole.
const TIMEOUT: Duration = Duration::from_secs(30);

/// An HTTP request with hyper on sinew
#[derive(Parser)]
struct Args {
    /// The address, beginning with http or https
    uri: Uri,

    /// HTTP/2 instead of HTTP/1.1
    #[arg(long)]
    http2: bool,

    /// Trust the certificate authorities in this file (PEM), and no others
    #[arg(long, value_name = "FILE")]
    ca: Option<PathBuf>,
}

fn main() -> ExitCode {
    hyper_on_sinew::start(|| run(Args::parse()))
}

fn run(args: Args) -> Result<(), Failed> {
    let reactor = Reactor::new()?;
    let handle = reactor.clone();
    let response = reactor.run_until(async move {
        let asking = async {
            let stream = AsyncStream::connect(&handle, endpoint(&args)?).await?;
            ask(&handle, stream, &args.uri, args.http2).await
        };
        handle.timeout(TIMEOUT, asking).await?
    })??;
    let mut out = std::io::stdout().lock();
    writeln!(out, "{:?} {}", response.version(), response.status())?;
    out.write_all(response.body())?;
    Ok(())
}

/// Where the URI says.
fn endpoint(args: &Args) -> Result<ClientEndpoint, Failed> {
    let host =
        args.uri.host().ok_or("the address has no host")?.trim_matches(['[', ']']).to_owned();
    let tls = args.uri.scheme_str() == Some("https");
    let port = args.uri.port_u16().unwrap_or(if tls { 443 } else { 80 });
    let to = TcpClient::new((host.as_str(), port));
    if !tls {
        return Ok(ClientEndpoint::new(to));
    }
    let roots = match &args.ca {
        Some(file) => TrustedRoots::from_pem_file(file)?,
        None => TrustedRoots::system()?,
    };
    let alpn = if args.http2 { "h2" } else { "http/1.1" };
    Ok(ClientEndpoint::new(TlsClient::new(to, TlsClientConfig::new(roots).alpn([alpn])?)))
}
