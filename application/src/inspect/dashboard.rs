//! The live page: its files, the stream of its events, and what guards its buttons.
//!
//! The page changes nothing but that it closes and pauses connections. That needs a token that is in the
//! page, in a field of the request: another site's page can neither read it nor send the field without asking first, which is
//! not answered. What comes from outside (peers, names) reaches the page as JSON alone, and is shown as text.

use std::{
    cell::{Cell, OnceCell},
    fmt::Write,
    io,
    rc::Rc,
    time::Duration,
};

use sinew_http::{
    StatusCode,
    server::{Event, EventStream, Reply, Request, Response, Router},
};
use sinew_reactor::Reactor;
use sinew_transports::{Address, ListeningPort, WriteStatus};

use super::{InspectError, api, gather, report::Status};

const PAGE: &str = include_str!("dashboard/page.html");
const SCRIPT: &str = include_str!("dashboard/page.js");
const STYLE: &str = include_str!("dashboard/page.css");

/// Where the token stands in the page.
const TOKEN_MARK: &str = "{{token}}";

/// The field that carries the token.
const TOKEN_FIELD: &str = "X-Sinew-Token";

/// Nothing but the page's own files, in no frame.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// How often the page is told the state.
const INTERVAL: Duration = Duration::from_secs(1);

/// Pages that are told at a time.
const STREAMS_MAX: usize = 16;

/// Where the page is served, once that is known.
pub(super) type Served = Rc<OnceCell<ListeningPort<Address>>>;

pub(super) fn routes(served: Served) -> Result<Router, InspectError> {
    let token: Rc<str> = random_token()?.into();
    let page = PAGE.replace(TOKEN_MARK, &token);
    let streams = Rc::new(Cell::new(0));
    Ok(api::reading()
        .get("/", move |_, reply: Reply| {
            reply.send(file(Response::html(page.clone())));
        })
        .get("/page.js", |_, reply: Reply| {
            reply.send(file(Response::text(SCRIPT).with_type("text/javascript; charset=utf-8")));
        })
        .get("/page.css", |_, reply: Reply| {
            reply.send(file(Response::text(STYLE).with_type("text/css; charset=utf-8")));
        })
        .get("/events", move |request, reply| events(&streams, served.clone(), &request, reply))
        .post(
            "/connections/{id}/{action}",
            move |request: Request, reply: Reply| match may_change(&request, &token) {
                true => api::act(request, reply),
                false => reply.send(
                    Response::text("this needs the token of the page; load the page again\n")
                        .with_status(StatusCode::FORBIDDEN),
                ),
            },
        ))
}

/// 128 random bits, in hexadecimal.
fn random_token() -> Result<String, InspectError> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).map_err(|error| {
        let source = io::Error::other(error.to_string());
        InspectError::Random { source }
    })?;
    let mut token = String::with_capacity(32);
    for byte in bytes {
        // Writing to a string does not fail.
        let _ = write!(token, "{byte:02x}");
    }
    Ok(token)
}

/// Whether the request is the page's own.
fn may_change(request: &Request, token: &str) -> bool {
    let is_same_site = request.field("Sec-Fetch-Site").is_none_or(|site| site == "same-origin");
    let given = request.field(TOKEN_FIELD).unwrap_or_default();
    // In constant time for tokens of the right length, which is no secret.
    let differs = given.bytes().zip(token.bytes()).fold(0, |differs, (a, b)| differs | (a ^ b));
    is_same_site && given.len() == token.len() && differs == 0
}

fn file(response: Response) -> Response {
    let mut response = api::uncached(response);
    let fields = [
        ("Content-Security-Policy", POLICY),
        ("X-Content-Type-Options", "nosniff"),
        ("X-Frame-Options", "DENY"),
        ("Referrer-Policy", "no-referrer"),
    ];
    for (name, value) in fields {
        if let Err(error) = response.set(name, value) {
            tracing::error!(%error, "the page is sent without a field that protects it");
        }
    }
    response
}

/// Tells a page the state once a second, as long as it listens.
fn events(streams: &Rc<Cell<usize>>, served: Served, request: &Request, reply: Reply) {
    if streams.get() >= STREAMS_MAX {
        let text = "too many pages are open\n";
        return reply.send(Response::text(text).with_status(StatusCode::SERVICE_UNAVAILABLE));
    }
    let reactor = request.reactor();
    let open = Rc::new(OpenStream::new(streams.clone()));
    let (stream, response) = EventStream::new();
    reply.send(api::uncached(response));
    let stream = Rc::new(Cell::new(Some(stream)));
    tell(&reactor, &stream);
    let told = stream.clone();
    let ticks = reactor.call_every(INTERVAL, move |reactor| {
        // A drain waits for the end of the answer.
        let is_closed = served.get().is_some_and(|port| !port.is_listening());
        if is_closed || reactor.is_stopping() {
            drop(told.take());
        }
        tell(reactor, &told);
    });
    request.on_disconnect(move |_| {
        ticks.stop();
        drop(open);
    });
}

fn tell(reactor: &Reactor, stream: &Rc<Cell<Option<EventStream>>>) {
    let stream = stream.clone();
    gather::status(reactor).then(move |_, status| {
        let Some(open) = stream.take() else { return };
        let sent = status.ok().and_then(|status| event(&status)).map(|event| open.send(&event));
        // A page that does not take its events would have them pile up; it connects again when it can.
        if !matches!(sent, Some(WriteStatus::AboveHighWatermark)) {
            stream.set(Some(open));
        }
    });
}

fn event(status: &Status) -> Option<Event> {
    Some(Event::new(serde_json::to_string(status).ok()?))
}

/// Counts a page that is being told.
struct OpenStream(Rc<Cell<usize>>);

impl OpenStream {
    fn new(count: Rc<Cell<usize>>) -> Self {
        count.set(count.get() + 1);
        Self(count)
    }
}

impl Drop for OpenStream {
    fn drop(&mut self) {
        self.0.set(self.0.get() - 1);
    }
}
