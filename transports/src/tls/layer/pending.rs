//! What a TLS layer has received and not processed, or processed and not sent: [`Pending`]. Buffers only; an idle connection has none.

use std::{cell::Cell, mem};

use crate::TlsError;

/// A place for [`Buffers`], which are made when there is something to keep, and freed when that is done.
#[derive(Default)]
pub(super) struct Pending(Cell<Option<Box<Buffers>>>);

#[derive(Default)]
pub(super) struct Buffers {
    /// An incomplete record.
    pub(super) tail: Vec<u8>,
    pub(super) unsent: Unsent,
    /// Plaintext received together with the end of the handshake.
    plaintext: Vec<u8>,
    /// The end of the input, to be reported after all plaintext.
    end: Option<End>,
}

/// Ciphertext that the socket has not accepted.
#[derive(Default)]
pub(super) struct Unsent {
    pub(super) bytes: Vec<u8>,
    pub(super) sent: usize,
    /// Number of bytes at the front of the stream's queue that are encrypted in it.
    covered: usize,
}

pub(super) enum End {
    Closed,
    Failed(TlsError),
}

impl Buffers {
    fn is_unused(&self) -> bool {
        self.tail.is_empty()
            && self.unsent.bytes.is_empty()
            && self.unsent.covered == 0
            && self.plaintext.is_empty()
            && self.end.is_none()
    }
}

impl Pending {
    /// Reads the buffers, if there are any. `f` must not use them by another way.
    pub(super) fn read<R>(&self, f: impl FnOnce(&Buffers) -> R) -> Option<R> {
        let buffers = self.0.take()?;
        let result = f(&buffers);
        self.0.set(Some(buffers));
        Some(result)
    }

    /// Changes the buffers, if there are any. `f` must not use them by another way.
    pub(super) fn update_if_any<R>(&self, f: impl FnOnce(&mut Buffers) -> R) -> Option<R> {
        let mut buffers = self.0.take()?;
        let result = f(&mut buffers);
        self.0.set(Some(buffers).filter(|buffers| !buffers.is_unused()));
        Some(result)
    }

    /// Changes the buffers. `f` must not use them by another way.
    pub(super) fn update<R>(&self, f: impl FnOnce(&mut Buffers) -> R) -> R {
        let mut buffers = self.0.take().unwrap_or_default();
        let result = f(&mut buffers);
        self.0.set(Some(buffers).filter(|buffers| !buffers.is_unused()));
        result
    }

    /// Lends the incomplete record, or an empty slice.
    pub(super) fn with_tail<R>(&self, f: impl FnOnce(&mut [u8]) -> R) -> R {
        match self.0.take() {
            Some(mut buffers) => {
                let result = f(&mut buffers.tail);
                self.0.set(Some(buffers));
                result
            }
            None => f(&mut []),
        }
    }

    pub(super) fn push_unsent(&self, bytes: &[u8]) {
        if !bytes.is_empty() {
            self.update(|buffers| buffers.unsent.bytes.extend_from_slice(bytes));
        }
    }

    pub(super) fn has_unsent(&self) -> bool {
        self.read(|buffers| !buffers.unsent.bytes.is_empty()).unwrap_or(false)
    }

    /// The number of bytes at the front of the stream's queue that are encrypted, and whose ciphertext is not known to be sent.
    pub(super) fn covered(&self) -> usize {
        self.read(|buffers| buffers.unsent.covered).unwrap_or(0)
    }

    pub(super) fn set_covered(&self, len: usize) {
        self.update(|buffers| buffers.unsent.covered = len);
    }

    pub(super) fn take_covered(&self) -> usize {
        self.update_if_any(|buffers| mem::take(&mut buffers.unsent.covered)).unwrap_or(0)
    }

    pub(super) fn take_plaintext(&self) -> Vec<u8> {
        self.update_if_any(|buffers| mem::take(&mut buffers.plaintext)).unwrap_or_default()
    }

    pub(super) fn set_plaintext(&self, plaintext: Vec<u8>) {
        if !plaintext.is_empty() {
            self.update(|buffers| buffers.plaintext = plaintext);
        }
    }

    pub(super) fn take_end(&self) -> Option<End> {
        self.update_if_any(|buffers| buffers.end.take()).flatten()
    }

    pub(super) fn set_end(&self, end: End) {
        self.update(|buffers| buffers.end = Some(end));
    }

    /// Whether plaintext or the end of the input is to be reported.
    pub(super) fn has_input(&self) -> bool {
        self.read(|buffers| !buffers.plaintext.is_empty() || buffers.end.is_some()).unwrap_or(false)
    }

    /// Drops what was received.
    pub(super) fn drop_input(&self) {
        self.update_if_any(|buffers| {
            (buffers.tail, buffers.plaintext, buffers.end) = (Vec::new(), Vec::new(), None);
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buffers_are_freed_when_nothing_is_in_them() {
        let pending = Pending::default();
        let is_freed = || {
            let buffers = pending.0.take();
            let is_freed = buffers.is_none();
            pending.0.set(buffers);
            is_freed
        };
        assert!(is_freed() && !pending.has_unsent() && !pending.has_input());
        pending.push_unsent(b"");
        pending.set_plaintext(Vec::new());
        assert!(is_freed());
        pending.push_unsent(b"record");
        pending.set_covered(3);
        pending.update_if_any(|buffers| buffers.unsent.bytes = Vec::new());
        assert!(!is_freed() && pending.covered() == 3, "what was covered is to be reported");
        assert_eq!(pending.take_covered(), 3);
        assert!(is_freed());
        pending.set_plaintext(vec![1]);
        pending.set_end(End::Closed);
        assert!(pending.has_input());
        assert_eq!(pending.take_plaintext(), [1]);
        assert!(pending.has_input() && matches!(pending.take_end(), Some(End::Closed)));
        assert!(is_freed());
        pending.update(|buffers| buffers.tail = vec![23]);
        pending.with_tail(|tail| assert_eq!(tail, [23]));
        pending.drop_input();
        assert!(is_freed());
        pending.with_tail(|tail| assert!(tail.is_empty()));
    }
}
