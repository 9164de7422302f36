//! Requests to an HTTP server: [`HttpExchange`], on the codecs of `sinew-http`. Pure.

use sinew::http::{
    Fields, Method, StatusCode,
    codec::{
        BodyDecoder, BodyEvent, ChunkLimits, Framing, HeadLimits, ResponseHead, encode_request,
    },
};

use super::{
    exchange::{Exchange, Found},
    tally::Trouble,
};

/// Sends the same request each time. An answer is right if it is well-formed and complete, and its status is one of success.
#[derive(Debug)]
pub(crate) struct HttpExchange {
    request: Vec<u8>,
    method: Method,
    state: State,
}

#[derive(Debug)]
enum State {
    /// Of the head, which is kept until it is complete.
    Head(Vec<u8>),
    Body(Box<Receiving>),
}

#[derive(Debug)]
struct Receiving {
    body: BodyDecoder,
    is_last: bool,
    status: StatusCode,
    is_until_close: bool,
}

/// The bytes of a request: GET, or POST with a body of `size` bytes if there is a size.
///
/// # Errors
///
/// The host or the target cannot be sent; the text says which and why.
pub(crate) fn request(
    host: &str,
    target: &str,
    size: Option<usize>,
) -> Result<(Method, Vec<u8>), String> {
    let method = if size.is_some() { Method::POST } else { Method::GET };
    let mut fields = Fields::new();
    fields.append("Host", host).map_err(|error| error.to_string())?;
    if let Some(size) = size {
        fields.append("Content-Length", size.to_string()).map_err(|error| error.to_string())?;
    }
    let mut out = Vec::new();
    encode_request(&mut out, &method, target, &fields).map_err(|error| error.to_string())?;
    out.resize(out.len() + size.unwrap_or(0), b'x');
    Ok((method, out))
}

impl HttpExchange {
    pub(crate) fn new(method: Method, request: Vec<u8>) -> Self {
        Self { request, method, state: State::Head(Vec::new()) }
    }

    /// Takes the head; the rest of the input belongs to the body. Returns whether the head is complete.
    fn head(&mut self, input: &mut &[u8]) -> Result<bool, Trouble> {
        let State::Head(kept) = &mut self.state else { return Ok(true) };
        loop {
            let (before, mut head) = (kept.len(), ResponseHead::default());
            // Copied only if it comes in pieces.
            let decoded = if before == 0 {
                head.decode(input, 0, &HeadLimits::default())
            } else {
                kept.extend_from_slice(input);
                head.decode(kept, before, &HeadLimits::default())
            };
            let Some(len) = decoded.map_err(|error| Trouble::Wrong(error.to_string()))? else {
                if before == 0 {
                    kept.extend_from_slice(input);
                }
                *input = &[];
                return Ok(false);
            };
            *input = &input[len - before..];
            kept.clear();
            // An interim response, which another one follows (RFC 9110 15.2). 101 ends HTTP, and counts as a failure.
            if head.status().is_informational() && head.status() != StatusCode::SWITCHING_PROTOCOLS
            {
                continue;
            }
            let framing = head.framing(&self.method);
            let is_until_close = framing == Framing::UntilClose;
            self.state = State::Body(Box::new(Receiving {
                body: BodyDecoder::new(framing, ChunkLimits::default()),
                is_last: !head.is_persistent() || is_until_close,
                status: head.status(),
                is_until_close,
            }));
            return Ok(true);
        }
    }

    fn complete(&mut self) -> Found {
        let State::Body(done) = std::mem::replace(&mut self.state, State::Head(Vec::new())) else {
            return Found::Incomplete;
        };
        let trouble = || Trouble::Status(done.status.as_u16());
        match (done.status.is_success(), done.is_last) {
            (true, false) => Found::Answer,
            (true, true) => Found::LastAnswer,
            (false, false) => Found::Failure(trouble()),
            (false, true) => Found::LastFailure(trouble()),
        }
    }
}

impl Exchange for HttpExchange {
    fn request(&mut self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.request);
    }

    fn answer(&mut self, input: &mut &[u8]) -> Result<Found, Trouble> {
        if !self.head(input)? {
            return Ok(Found::Incomplete);
        }
        loop {
            let State::Body(receiving) = &mut self.state else { return Ok(Found::Incomplete) };
            match receiving.body.decode(input) {
                Ok(BodyEvent::End) => return Ok(self.complete()),
                Ok(BodyEvent::Incomplete) => return Ok(Found::Incomplete),
                Ok(_) => {}
                Err(error) => return Err(Trouble::Wrong(error.to_string())),
            }
        }
    }

    fn end_of_input(&mut self) -> Option<Found> {
        match &self.state {
            State::Body(receiving) if receiving.is_until_close => Some(self.complete()),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{super::exchange::found_in_every_split, *};

    fn get() -> Box<dyn Exchange> {
        let (method, request) = request("example.org", "/", None).unwrap();
        Box::new(HttpExchange::new(method, request))
    }

    #[test]
    fn requests_have_a_body_if_there_is_a_size() {
        let mut out = Vec::new();
        get().request(&mut out);
        assert_eq!(out, b"GET / HTTP/1.1\r\nHost: example.org\r\n\r\n");
        let (method, out) = request("h", "/a?b", Some(2)).unwrap();
        assert_eq!(method, Method::POST);
        assert_eq!(out, b"POST /a?b HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\nxx");
        assert!(request("h", "/a b", None).is_err());
        assert!(request("h\r\nX: y", "/", None).is_err());
    }

    #[test]
    fn answers_of_all_kinds() {
        let cases: [(&str, &[Found]); 6] = [
            ("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", &[Found::Answer]),
            (
                "HTTP/1.1 204 No Content\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
                &[Found::Answer, Found::Answer],
            ),
            (
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
                &[Found::Answer],
            ),
            (
                "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 1\r\n\r\nx",
                &[Found::LastAnswer],
            ),
            (
                "HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
                &[Found::Answer],
            ),
            (
                "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n",
                &[Found::Failure(Trouble::Status(404))],
            ),
        ];
        for (input, expected) in cases {
            assert_eq!(
                found_in_every_split(get, input.as_bytes()).as_deref(),
                Ok(expected),
                "{input}"
            );
        }
    }

    #[test]
    fn wrong_answers_are_errors() {
        for input in
            ["220 ftp.example.org ready\r\n", "HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n"]
        {
            assert!(found_in_every_split(get, input.as_bytes()).is_err(), "{input}");
        }
    }

    #[test]
    fn many_interim_answers_use_no_stack() {
        let flood = b"HTTP/1.1 100 Continue\r\n\r\n".repeat(100_000);
        assert_eq!(get().answer(&mut &flood[..]), Ok(Found::Incomplete));
    }

    #[test]
    fn a_body_may_end_with_the_connection() {
        let mut exchange = get();
        let head = b"HTTP/1.1 200 OK\r\n\r\nbody";
        assert_eq!(exchange.answer(&mut &head[..]), Ok(Found::Incomplete));
        assert_eq!(exchange.end_of_input(), Some(Found::LastAnswer));
        assert_eq!(get().end_of_input(), None);
    }
}
