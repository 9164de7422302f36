//! Where sections of messages go as they arrive: [`FetchSink`].

use sinew_transports::reactor::Deferred;

use crate::imap::codec::FetchData;

/// Takes the data of messages as they arrive, so that no message is ever whole in memory. Only the loop calls it.
///
/// For each message: [`section_begun`](Self::section_begun), [`section_received`](Self::section_received) for each piece and
/// [`section_ended`](Self::section_ended) for each section that is streamed, then [`fetched`](Self::fetched) with all items.
pub trait FetchSink: 'static {
    /// A section of a message is announced. Returns whether it is streamed; otherwise it is kept, if it is not longer than
    /// [`literal_max`](super::ClientConfig::literal_max), and comes with all other items.
    fn section_begun(&mut self, section: &StreamedSection<'_>) -> bool;

    /// The next piece of the section that has begun. While the deferred is open, nothing more is read, and the server is held up.
    /// `None` goes on at once.
    fn section_received(&mut self, piece: &[u8]) -> Option<Deferred<()>>;

    /// The section has ended: all of its bytes were received.
    fn section_ended(&mut self) {}

    /// What the server has told of a message. The contents of sections that were streamed are
    /// [`Content::Streamed`](crate::imap::codec::Content::Streamed).
    fn fetched(&mut self, number: u32, items: Vec<FetchData>) {
        let _ = (number, items);
    }
}

/// A section of a message that has begun.
#[derive(Debug)]
#[non_exhaustive]
pub struct StreamedSection<'a> {
    /// The number of the message.
    pub number: u32,
    /// What was told of the message so far; the last one is the section.
    pub items: &'a [FetchData],
    /// How many bytes it has.
    pub len: u64,
}

impl StreamedSection<'_> {
    /// The UID of the message, if the server has told it before the section.
    #[must_use]
    pub fn uid(&self) -> Option<u32> {
        self.items.iter().find_map(|item| match item {
            FetchData::Uid(uid) => Some(*uid),
            _ => None,
        })
    }

    /// The section.
    #[must_use]
    pub fn item(&self) -> Option<&FetchData> {
        self.items.last()
    }
}
