//! A submitted message on its way into the queue: [`Completing`] adds what its header lacks. What that is, is up to
//! [`Completion`].

use bytes::Bytes;

use crate::{
    queue::QueueSink,
    smtp::{
        codec::Completion,
        server::{MessageSink, Outcome, Verdict},
    },
};

pub(super) struct Completing {
    sink: QueueSink,
    completion: Completion,
    out: Vec<u8>,
}

impl Completing {
    pub(super) fn new(sink: QueueSink, completion: Completion) -> Self {
        Self { sink, completion, out: Vec::new() }
    }
}

impl MessageSink for Completing {
    fn write(&mut self, piece: &[u8]) -> Verdict {
        if self.completion.is_over() {
            return self.sink.write(piece);
        }
        self.completion.feed(piece, &mut self.out);
        let verdict = self.sink.write(&self.out);
        self.out = Vec::new();
        verdict
    }

    fn finish(mut self: Box<Self>) -> Verdict<Outcome> {
        self.completion.end(&mut self.out);
        self.sink.finish_with(Bytes::from(self.out))
    }
}
