//! hyper on tokio, one thread.

use std::convert::Infallible;
use std::io;

use bench::convention::listen;
use bench::http::{TEXT, TEXT_PATH, TEXT_TYPE};
use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::header::CONTENT_TYPE;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;
use tokio::runtime;

fn main() -> io::Result<()> {
    runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
        let listener = TcpListener::from_std(listen()?)?;
        loop {
            let (stream, _) = listener.accept().await?;
            tokio::spawn(async move {
                let mut builder = http1::Builder::new();
                // Else each answer of a batch is a write of its own.
                builder.pipeline_flush(true);
                // Clients that go away are no news.
                let _ = builder.serve_connection(TokioIo::new(stream), service_fn(answer)).await;
            });
        }
    })
}

async fn answer(request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    let mut response = Response::new(Full::new(Bytes::from_static(TEXT.as_bytes())));
    match request.uri().path() {
        TEXT_PATH => {
            let headers = response.headers_mut();
            headers.insert(CONTENT_TYPE, hyper::header::HeaderValue::from_static(TEXT_TYPE));
        }
        _ => *response.status_mut() = StatusCode::NOT_FOUND,
    }
    Ok(response)
}
