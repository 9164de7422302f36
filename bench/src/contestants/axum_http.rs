//! axum on tokio, one thread.

use std::io;

use axum::Router;
use axum::extract::Path;
use axum::routing::get;
use bench::convention::listen;
use bench::http::{TEXT, TEXT_PATH};
use tokio::net::TcpListener;
use tokio::runtime;

fn main() -> io::Result<()> {
    let router = Router::new()
        .route("/", get(|| async { "the front page\n" }))
        .route(
            "/users/{name}",
            get(|Path(name): Path<String>| async move { format!("hello {name}\n") }),
        )
        .route(TEXT_PATH, get(|| async { TEXT }));
    runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
        let listener = TcpListener::from_std(listen()?)?;
        axum::serve(listener, router).await
    })
}
