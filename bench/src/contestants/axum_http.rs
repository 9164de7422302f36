//! An HTTP server on axum, on one thread of tokio: a router with a few routes.

use std::future;
use std::io;

use axum::Router;
use axum::routing::get;
use bench::convention::Listen;
use clap::Parser;
use tokio::net::TcpListener;
use tokio::runtime::Builder;

/// Answers every request with a short text
#[derive(Parser)]
struct Args {
    #[command(flatten)]
    listen: Listen,
}

fn main() -> io::Result<()> {
    let args = Args::parse();
    let router = Router::new()
        .route("/", get(|| async { "the front page\n" }))
        .route("/users/{name}", get(|| async { "a user\n" }))
        .route("/plain", get(|| async { "hello, world\n" }));
    Builder::new_current_thread().enable_all().build()?.block_on(async {
        let listener = TcpListener::from_std(args.listen.bind()?)?;
        tokio::spawn(async { axum::serve(listener, router).await });
        future::pending().await
    })
}
