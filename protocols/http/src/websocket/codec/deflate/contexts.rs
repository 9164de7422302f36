//! Messages, compressed and inflated: [`MessageDeflater`], [`MessageInflater`].

use sinew_protocols::compression::{Deflate, Flush, Inflate, InflateError, Inflated};

use super::{ContextPool, DeflateParams, TAIL, pool::new_deflate};

/// Compresses the messages of a connection.
#[derive(Debug)]
pub(in crate::websocket) struct MessageDeflater {
    pub(in crate::websocket) compress_from: usize,
    level: u8,
    pub(in crate::websocket) window_bits: u8,
    takeover: bool,
    pool: ContextPool,
    /// With context takeover, and for a message that is sent in parts.
    context: Option<Box<Deflate>>,
}

impl MessageDeflater {
    pub(in crate::websocket) fn new(params: &DeflateParams, pool: &ContextPool) -> Self {
        Self {
            compress_from: params.compress_from,
            level: params.level,
            window_bits: params.send.window_bits,
            takeover: params.send.takeover,
            pool: pool.clone(),
            context: None,
        }
    }

    /// Appends a message, compressed. `false` if that does not make it shorter: then nothing was appended, and the message is to be sent
    /// as it is.
    #[must_use]
    pub(in crate::websocket) fn deflate(&mut self, message: &[u8], out: &mut Vec<u8>) -> bool {
        if !self.takeover && self.context.is_none() {
            return self.deflate_alone(message, out);
        }
        let start = out.len();
        self.deflate_part(message, true, out);
        // With context takeover, a later message may become shorter by what this one has put into the window. One that fills the
        // window leaves nothing else in it, and has shown that there is little to refer to.
        if out.len() - start < message.len() || message.len() < 1 << self.window_bits {
            return true;
        }
        self.forget();
        out.truncate(start);
        false
    }

    /// Appends the next part of a message.
    pub(in crate::websocket) fn deflate_part(
        &mut self,
        part: &[u8],
        is_last: bool,
        out: &mut Vec<u8>,
    ) {
        let (level, bits) = (self.level, self.window_bits);
        let deflate = self.context.get_or_insert_with(|| Box::new(new_deflate(level, bits)));
        if is_last {
            deflate_whole(deflate, part, out);
        } else {
            deflate.deflate_into(part, Flush::Sync, out);
        }
        if is_last && !self.takeover {
            self.context = None;
        }
    }

    /// Whether later messages, or parts, may refer to earlier ones.
    pub(in crate::websocket) const fn has_context(&self) -> bool {
        self.context.is_some()
    }

    /// The same for a message that is compressed by itself, such as one for many connections.
    #[must_use]
    pub(in crate::websocket) fn deflate_alone(&self, message: &[u8], out: &mut Vec<u8>) -> bool {
        let start = out.len();
        self.pool.with_deflate(self.level, self.window_bits, |deflate| {
            deflate_whole(deflate, message, out);
        });
        let is_shorter = out.len() - start < message.len();
        if !is_shorter {
            out.truncate(start);
        }
        is_shorter
    }

    /// A message is sent that was compressed by itself. The peer's context has it, and this one has not, so later messages refer to
    /// nothing before them.
    pub(in crate::websocket) fn forget(&mut self) {
        if let Some(deflate) = &mut self.context {
            deflate.reset();
        }
    }
}

/// Appends the rest of a message, without the end that every flush has (RFC 7692 7.2.1).
fn deflate_whole(deflate: &mut Deflate, message: &[u8], out: &mut Vec<u8>) {
    let start = out.len();
    deflate.deflate_into(message, Flush::Sync, out);
    if out[start..].ends_with(&TAIL) {
        out.truncate(out.len() - TAIL.len());
    }
    // Without anything to flush, there is no output: an empty block (RFC 7692 7.2.3.6).
    if out.len() == start {
        out.push(0);
    }
}

/// Inflates the messages that a connection receives.
#[derive(Debug)]
pub(in crate::websocket) struct MessageInflater {
    takeover: bool,
    pool: ContextPool,
    /// With context takeover, and within a message.
    context: Option<Box<Inflate>>,
}

impl MessageInflater {
    pub(in crate::websocket) fn new(params: &DeflateParams, pool: &ContextPool) -> Self {
        Self { takeover: params.receive.takeover, pool: pool.clone(), context: None }
    }

    /// A message begins.
    pub(in crate::websocket) fn begin(&mut self, output_max: u64) {
        let inflate = self.context.get_or_insert_with(|| self.pool.take_inflate());
        inflate.set_output_max(output_max);
        inflate.renew_budget();
    }

    /// Inflates up to 16 KiB of a message; whether there was any output. If not, the input is used up.
    pub(in crate::websocket) fn inflate(
        &mut self,
        input: &mut &[u8],
        output: &mut Vec<u8>,
    ) -> Result<bool, InflateError> {
        let Some(inflate) = &mut self.context else { return Ok(false) };
        loop {
            match inflate.inflate_into(input, output)? {
                Inflated::Output(_) => return Ok(true),
                Inflated::Incomplete => return Ok(false),
                // A sender may end its stream within a message; the next block begins another (RFC 7692 7.2.3.4).
                Inflated::End => inflate.next_stream(),
            }
        }
    }

    /// Whether later messages, or the rest of this one, may refer to what was received.
    pub(in crate::websocket) const fn has_context(&self) -> bool {
        self.context.is_some()
    }

    /// What a message lacks at its end (RFC 7692 7.2.2).
    pub(in crate::websocket) const TAIL: [u8; 4] = TAIL;

    /// A message has ended.
    pub(in crate::websocket) fn end(&mut self) {
        if !self.takeover
            && let Some(inflate) = self.context.take()
        {
            self.pool.give_inflate(inflate);
        }
    }
}
