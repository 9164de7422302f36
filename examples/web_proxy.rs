//! A reverse proxy: gives requests on to other servers, shares them among several, and knows which of them are up. WebSockets go through.
//!
//! ```text
//! $ web_hello --listen 127.0.0.1:3000 &
//! $ web_proxy --backend 127.0.0.1:3000 &
//! $ curl http://127.0.0.1:8000/hello/ann
//! hello ann
//! ```

mod cli;

use std::{process::ExitCode, time::Duration};

use clap::Parser;
use cli::{ServerArgs, endpoint};
use sinew::{
    http::server::{AccessLog, ErrorPages, HealthCheck, HttpServer, RequestIds, ReverseProxy},
    transports::endpoint::ClientEndpoint,
};

/// Gives requests on to other servers
#[derive(Parser, Debug)]
struct Args {
    /// A server to ask: ADDR:PORT, or an endpoint such as tls:example.org:443 or unix:/run/app.sock; may be repeated
    #[arg(long, value_name = "ADDR:PORT", required = true, value_parser = endpoint::<ClientEndpoint>)]
    backend: Vec<ClientEndpoint>,

    /// Ask each of them for this path every few seconds, and none that does not answer
    #[arg(long, value_name = "PATH")]
    check: Option<String>,

    /// What `Host` says to them, in the place of what the client has said
    #[arg(long, value_name = "HOST")]
    host: Option<String>,

    #[command(flatten)]
    server: ServerArgs,
}

fn proxy(args: Args) -> Option<ReverseProxy> {
    let backends = args.backend.into_iter();
    let mut proxy = backends.fold(None, |proxy: Option<ReverseProxy>, backend| match proxy {
        None => Some(ReverseProxy::new(backend)),
        Some(proxy) => Some(proxy.backend(backend)),
    })?;
    if let Some(path) = args.check {
        proxy = proxy.health_check(HealthCheck::new(path).interval(Duration::from_secs(2)));
    }
    if let Some(host) = args.host {
        proxy = proxy.host(host);
    }
    Some(proxy)
}

fn main() -> ExitCode {
    cli::main(|args: Args| {
        let reactor = args.server.reactor()?;
        let listen = args.server.listen.clone();
        let proxy = proxy(args).ok_or("no backend")?;
        let site = AccessLog::new(RequestIds::new(ErrorPages::new(proxy)));
        let port = listen.listen(&reactor, HttpServer::new(site))?;
        cli::run(&reactor, port)
    })
}
