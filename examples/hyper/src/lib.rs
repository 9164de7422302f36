//! hyper 1 on a sinew reactor: [`serve`] serves a connection, [`ask`] sends a request. HTTP/1.1 and HTTP/2, over any stream.
//!
//! `src/bin` has the programs: `hyper_serve`, `hyper_ask` and `beside_tokio`.

#![forbid(unsafe_code)]

use std::{
    convert::Infallible,
    error::Error,
    future::{Future, poll_fn},
    pin::{Pin, pin},
    process::ExitCode,
    time::Duration,
};

use bytes::Bytes;
use http_body_util::{BodyExt, Either, Empty, Full};
use hyper::{
    Method, Request, Response, StatusCode, Uri, body::Incoming, client, server, service::service_fn,
};
use sinew::{
    prelude::*,
    transports::async_io::hyper::{ReactorExecutor, ReactorTimer},
};

/// Any error, as one line of text.
pub type Failed = Box<dyn Error>;

/// The first bytes of a client that speaks HTTP/2 (RFC 9113 section 3.4).
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// Time limit for a client to send the head of a request.
const HEAD_TIMEOUT: Duration = Duration::from_secs(30);

/// Most bytes that `/bytes/N` returns.
const BYTES_MAX: usize = 100 << 20;

/// Runs a program, with its log on standard error. An error is printed there.
pub fn start(run: impl FnOnce() -> Result<(), Failed>) -> ExitCode {
    tracing_subscriber::fmt().with_writer(std::io::stderr).init();
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

/// Accepts connections until the port is closed, each served in a task.
pub async fn accept(reactor: Reactor, mut listener: AsyncListener) {
    while let Some(stream) = listener.accept().await {
        let serving = serve(reactor.clone(), stream);
        reactor
            .spawn(async move {
                if let Err(error) = serving.await {
                    // A peer that went away: of no interest to the others.
                    eprintln!("{error}");
                }
            })
            .detach();
    }
}

/// Serves HTTP/1.1 or HTTP/2 on a connection, whichever the client begins with, until it ends or the server is drained.
///
/// # Errors
///
/// What hyper or the connection reports.
pub async fn serve(reactor: Reactor, mut stream: AsyncStream) -> Result<(), Failed> {
    let draining = stream.drain_requested();
    let is_http2 = is_http2(&mut stream).await?;
    let timer = ReactorTimer::new(&reactor);
    let executor = ReactorExecutor::new(&reactor);
    let service = service_fn(move |request| answer(reactor.clone(), request));
    if is_http2 {
        let mut builder = server::conn::http2::Builder::new(executor);
        let connection = builder.timer(timer).serve_connection(stream, service);
        until_drained(connection, draining, |connection| connection.graceful_shutdown()).await?;
    } else {
        let mut builder = server::conn::http1::Builder::new();
        builder.timer(timer).header_read_timeout(HEAD_TIMEOUT);
        let connection = builder.serve_connection(stream, service);
        until_drained(connection, draining, |connection| connection.graceful_shutdown()).await?;
    }
    Ok(())
}

/// Whether the client begins with the preface of HTTP/2. Nothing is consumed.
async fn is_http2(stream: &mut AsyncStream) -> Result<bool, Failed> {
    let mut start = [0; PREFACE.len()];
    for len in 1..=PREFACE.len() {
        // HTTP/1 requests may be shorter than the preface, so they are compared byte by byte.
        let start = &mut start[..len];
        if stream.read_exact(start).await.is_err() {
            return Ok(false);
        }
        stream.put_back(start);
        if *start != PREFACE[..len] {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Drives a connection to its end; asks it to finish when the server is drained.
async fn until_drained<C: Future>(
    connection: C,
    draining: Deferred<()>,
    finish: impl Fn(Pin<&mut C>),
) -> C::Output {
    let (mut connection, mut draining) = (pin!(connection), Some(draining));
    poll_fn(|context| {
        if draining.as_mut().is_some_and(|draining| Pin::new(draining).poll(context).is_ready()) {
            draining = None;
            finish(connection.as_mut());
        }
        connection.as_mut().poll(context)
    })
    .await
}

/// The answer to a request.
///
/// # Errors
///
/// None.
pub async fn answer(
    reactor: Reactor,
    request: Request<Incoming>,
) -> Result<Response<Either<Full<Bytes>, Incoming>>, Infallible> {
    let text = |text: String| Response::new(Either::Left(Full::new(Bytes::from(text))));
    let path = request.uri().path().to_owned();
    Ok(match (request.method(), path.as_str()) {
        (&Method::GET, "/") => text(format!("hello over {:?}\n", request.version())),
        (&Method::GET, "/slow") => {
            reactor.sleep(Duration::from_millis(20)).await;
            text("at last\n".to_owned())
        }
        (&Method::POST, "/echo") => Response::new(Either::Right(request.into_body())),
        (&Method::GET, path) if path.starts_with("/bytes/") => {
            match path["/bytes/".len()..].parse() {
                Ok(len) if len <= BYTES_MAX => {
                    Response::new(Either::Left(Full::new(Bytes::from(vec![b'x'; len]))))
                }
                _ => with_status(StatusCode::BAD_REQUEST, text("not a length\n".to_owned())),
            }
        }
        _ => with_status(StatusCode::NOT_FOUND, text("not found\n".to_owned())),
    })
}

fn with_status<B>(status: StatusCode, mut response: Response<B>) -> Response<B> {
    *response.status_mut() = status;
    response
}

/// Sends a GET request over a new connection and returns the response with its body.
///
/// # Errors
///
/// What hyper or the connection reports.
pub async fn ask(
    reactor: &Reactor,
    stream: AsyncStream,
    uri: &Uri,
    http2: bool,
) -> Result<Response<Bytes>, Failed> {
    let mut request = Request::get(uri.path_and_query().map_or("/", |path| path.as_str()));
    if http2 {
        request = request.uri(uri);
    } else if let Some(authority) = uri.authority() {
        request = request.header("host", authority.as_str());
    }
    let request = request.body(Empty::<Bytes>::new())?;
    let response = if http2 {
        let executor = ReactorExecutor::new(reactor);
        let mut builder = client::conn::http2::Builder::new(executor);
        let (mut sender, connection) =
            builder.timer(ReactorTimer::new(reactor)).handshake(stream).await?;
        reactor.spawn(connection).detach();
        sender.send_request(request).await?
    } else {
        let (mut sender, connection) = client::conn::http1::handshake(stream).await?;
        reactor.spawn(connection).detach();
        sender.send_request(request).await?
    };
    let (head, body) = response.into_parts();
    Ok(Response::from_parts(head, body.collect().await?.to_bytes()))
}
