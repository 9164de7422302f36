//! Requests to a server that answers each line with a line: [`LineExchange`]. Pure.

use sinew::reactor::Excerpt;

use super::{
    exchange::{Exchange, Found},
    tally::Trouble,
};

/// The longest line that is taken for an answer.
pub(crate) const LINE_MAX: usize = 64 * 1024;

/// Sends the same line each time, and compares each answer with the expected one.
#[derive(Debug)]
pub(crate) struct LineExchange {
    request: Vec<u8>,
    expected: Vec<u8>,
    line: Vec<u8>,
}

impl LineExchange {
    /// Both without the line end. It is sent as CR LF; the answers may end with LF alone.
    pub(crate) fn new(request: &str, expected: &str) -> Self {
        let request = [request.as_bytes(), b"\r\n"].concat();
        Self { request, expected: expected.as_bytes().to_owned(), line: Vec::new() }
    }

    fn check(&self, line: &[u8]) -> Result<Found, Trouble> {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if line == self.expected {
            return Ok(Found::Answer);
        }
        Err(Trouble::Wrong(format!("the line {:?}", Excerpt::new(line).len_max(40))))
    }
}

impl Exchange for LineExchange {
    fn request(&mut self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.request);
    }

    fn answer(&mut self, input: &mut &[u8]) -> Result<Found, Trouble> {
        let Some(end) = input.iter().position(|byte| *byte == b'\n') else {
            if self.line.len() + input.len() > LINE_MAX {
                return Err(Trouble::Wrong(format!("a line of more than {LINE_MAX} bytes")));
            }
            self.line.extend_from_slice(input);
            *input = &[];
            return Ok(Found::Incomplete);
        };
        let (last, rest) = (&input[..end], &input[end + 1..]);
        *input = rest;
        if self.line.is_empty() {
            return self.check(last);
        }
        let mut line = std::mem::take(&mut self.line);
        line.extend_from_slice(last);
        self.check(&line)
    }
}

#[cfg(test)]
mod tests {
    use super::{super::exchange::found_in_every_split, *};

    #[test]
    fn lines_are_compared() {
        let make = || Box::new(LineExchange::new("PING", "+PONG")) as Box<dyn Exchange>;
        let mut out = Vec::new();
        make().request(&mut out);
        assert_eq!(out, b"PING\r\n");
        let found = found_in_every_split(make, b"+PONG\r\n+PONG\n");
        assert_eq!(found, Ok(vec![Found::Answer, Found::Answer]));
        let wrong = found_in_every_split(make, b"-ERR\r\n");
        assert_eq!(wrong, Err(Trouble::Wrong("the line \"-ERR\"".into())));
    }

    #[test]
    fn an_endless_line_is_an_error() {
        let mut exchange = LineExchange::new("a", "a");
        let flood = vec![b'x'; LINE_MAX];
        assert_eq!(exchange.answer(&mut &flood[..]), Ok(Found::Incomplete));
        assert!(exchange.answer(&mut &b"x"[..]).is_err());
    }
}
