//! A server of HTTP as a user of sinew would write it: a router, a text and a folder of files.

use std::error::Error;

use bench::convention::{Listen, announce};
use bench::engine::EngineArgs;
use bench::http::{TEXT, TEXT_PATH, file};
use bench::tls::certificate;
use clap::Parser;
use sinew::http::server::{Files, HttpServer, Request, Router, ServerConfig, answer};
use sinew::prelude::*;
use sinew::transports::tls::{Identity, ReactorTls, TlsServerConfig};

/// Answers with a text, or with a file
#[derive(Parser)]
struct Args {
    #[command(flatten)]
    listen: Listen,

    #[command(flatten)]
    engine: EngineArgs,

    /// Speak TLS, with a certificate made at start
    #[arg(long)]
    tls: bool,
}

fn router() -> Result<Router, Box<dyn Error>> {
    let folder = file()?;
    let files = Files::new(folder.parent().ok_or("the file is in no folder")?)?;
    let greet =
        |request: &Request| format!("hello {}\n", request.param("name").unwrap_or_default());
    Ok(Router::new()
        .get("/", answer(|_| "the front page\n"))
        .get("/users/{name}", answer(greet))
        .get(TEXT_PATH, answer(|_| TEXT))
        .fallback(files))
}

fn main() -> Result<(), Box<dyn Error>> {
    let args = Args::parse();
    let reactor = args.engine.reactor()?;
    let server = HttpServer::with_config(router()?, ServerConfig::default().requests_max(u32::MAX));
    let config = ListenConfig::default().backlog(Listen::backlog());
    let port = if args.tls {
        let (certificate, key) = certificate()?;
        let tls = TlsServerConfig::new(Identity::from_pem(certificate, key)?);
        reactor.listen_tls_with(args.listen.listen, config, &tls, server)?
    } else {
        reactor.listen_tcp_with(args.listen.listen, config, server)?
    };
    let addr = port.local();
    reactor.on(Phase::AfterStartup, move |_| announce(addr));
    reactor.run()?;
    Ok(())
}
