//! Requests of HTTP, all the same, and their answers, each of which is checked: an [`Exchange`].

use anyhow::Result;

use crate::answer::{Checker, Expected};
use crate::answered::Exchange;

#[derive(Debug)]
pub(crate) struct Requests {
    /// As many requests as a connection may have in flight.
    requests: Vec<u8>,
    request_len: usize,
    expected: Expected,
}

impl Requests {
    /// The request, for up to `outstanding` at once, and the body of the answer.
    pub(crate) fn new(request: &[u8], outstanding: usize, body: Vec<u8>) -> Self {
        let requests = request.repeat(outstanding);
        Self { requests, request_len: request.len(), expected: Expected::new(body) }
    }
}

impl Exchange for Requests {
    type State = Checker;

    const BUFFER_LEN: usize = 256 * 1024;

    fn state(&self, _: usize) -> Checker {
        Checker::default()
    }

    fn message_len(&self) -> usize {
        self.request_len
    }

    fn due<'a>(&'a self, _: &Checker, due: usize) -> &'a [u8] {
        // What is due ends with a request: so does what is written.
        &self.requests[self.requests.len() - due.min(self.requests.len())..]
    }

    fn sent(&self, _: &mut Checker, _: usize) {}

    fn check(&mut self, checker: &mut Checker, data: &[u8]) -> Result<usize> {
        checker.check(data, &mut self.expected)
    }
}
