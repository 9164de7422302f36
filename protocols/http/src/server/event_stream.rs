//! Server-sent events (the HTML standard, section 9.2): [`EventStream`], and [`Event`].

use std::fmt;

use sinew_transports::{
    WriteStatus,
    reactor::{Deferred, Reactor},
};

use super::{Body, BodyWriter, Response};
use crate::codec::FieldError;

/// An event for a page's `EventSource`.
///
/// # Examples
///
/// ```
/// use sinew_http::server::Event;
///
/// let event = Event::new("first line\nsecond line").name("news")?.id("7")?;
/// assert_eq!(event.to_string(), "event: news\nid: 7\ndata: first line\ndata: second line\n\n");
/// # Ok::<(), sinew_http::FieldError>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[must_use]
pub struct Event {
    name: Option<String>,
    id: Option<String>,
    data: String,
}

impl Event {
    /// An event with this text, which may have several lines.
    pub fn new(data: impl Into<String>) -> Self {
        Self { data: data.into(), ..Self::default() }
    }

    /// Sets the type of the event.
    ///
    /// # Errors
    ///
    /// [`FieldError`] if it contains a line end or another control character.
    pub fn name(mut self, name: impl Into<String>) -> Result<Self, FieldError> {
        self.name = Some(one_line("event", name.into())?);
        Ok(self)
    }

    /// Sets the id that the page sends as `Last-Event-ID` when it reconnects.
    ///
    /// # Errors
    ///
    /// As [`name`](Self::name).
    pub fn id(mut self, id: impl Into<String>) -> Result<Self, FieldError> {
        self.id = Some(one_line("id", id.into())?);
        Ok(self)
    }
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(name) = &self.name {
            writeln!(f, "event: {name}")?;
        }
        if let Some(id) = &self.id {
            writeln!(f, "id: {id}")?;
        }
        // Readers take CR, LF and CRLF for line ends.
        let data = self.data.replace("\r\n", "\n");
        for line in data.split(['\r', '\n']) {
            writeln!(f, "data: {line}")?;
        }
        writeln!(f)
    }
}

/// A stream of events to one page. When it is dropped, the stream ends, and the page reconnects after a while.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use sinew_http::server::{Event, EventStream, Reply, Request};
///
/// fn clock(request: Request, reply: Reply) {
///     let (stream, response) = EventStream::new();
///     reply.send(response);
///     let mut seconds = 0;
///     let ticks = request.reactor().call_every(Duration::from_secs(1), move |_| {
///         seconds += 1;
///         stream.send(&Event::new(seconds.to_string()));
///     });
///     request.on_disconnect(move |_| {
///         ticks.stop();
///     });
/// }
/// ```
#[derive(Debug)]
pub struct EventStream {
    /// Taken when it is dropped.
    writer: Option<BodyWriter>,
}

impl EventStream {
    /// A stream, and the response whose body it is.
    pub fn new() -> (Self, Response) {
        let (writer, body) = Body::writer();
        let response = Response::default().with_type("text/event-stream").with_body(body);
        // Proxies must not cache it, nor buffer it.
        let response = response.with("Cache-Control", "no-store").into();
        (Self { writer: Some(writer) }, response)
    }

    /// Sends an event. [`AboveHighWatermark`](WriteStatus::AboveHighWatermark) if the page reads more slowly than events are sent:
    /// then [`room`](Self::room) tells when to continue. [`Closed`](WriteStatus::Closed) if the page has disconnected.
    pub fn send(&self, event: &Event) -> WriteStatus {
        self.write(&event.to_string())
    }

    /// Sends a comment, which pages ignore, to keep the connection alive.
    pub fn keep_alive(&self) -> WriteStatus {
        self.write(":\n\n")
    }

    /// Resolves when the connection has taken everything: to `true`, or to `false` once the page has disconnected.
    pub fn room(&self, reactor: &Reactor) -> Deferred<bool> {
        match &self.writer {
            Some(writer) => writer.room(reactor),
            None => Deferred::ready_on(reactor, false),
        }
    }

    /// Whether the page has disconnected.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.writer.as_ref().is_none_or(BodyWriter::is_closed)
    }

    fn write(&self, text: &str) -> WriteStatus {
        self.writer.as_ref().map_or(WriteStatus::Closed, |writer| writer.write(text))
    }
}

impl Drop for EventStream {
    fn drop(&mut self) {
        if let Some(writer) = self.writer.take() {
            writer.finish();
        }
    }
}

fn one_line(name: &str, text: String) -> Result<String, FieldError> {
    match text.bytes().find(u8::is_ascii_control) {
        Some(byte) => Err(FieldError::Value { name: name.to_owned(), byte }),
        None => Ok(text),
    }
}
