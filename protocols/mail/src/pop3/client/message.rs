//! Messages as they arrive: [`Message`], and [`Retrieving`] for several, which are asked for ahead where the server allows it.

use std::fmt;

use bytes::Bytes;
use sinew_protocols::basic::{DotStuffed, Unstuffed};

use super::{Pop3Client, Pop3Error, Stage, link::Waited};
use crate::pop3::codec::Command;

/// Messages that are asked for before the first of them was received. The commands fit into any buffer, so that neither side waits for
/// the other to read.
const AHEAD: usize = 16;

/// The text of RETR or TOP, with its CRLFs and without the stuffed dots. One that is dropped before its end makes the client unusable.
///
/// Nothing is received faster than it is read: a reader that waits for something between two pieces holds up the server.
pub struct Message<'a> {
    client: &'a mut Pop3Client,
    stage: Stage,
    text: DotStuffed,
    waited: Waited,
    len: u64,
    is_over: bool,
}

impl<'a> Message<'a> {
    pub(super) fn new(client: &'a mut Pop3Client, stage: Stage) -> Self {
        let (text, waited) = (DotStuffed::lenient(), Waited::default());
        Self { client, stage, text, waited, len: 0, is_over: false }
    }

    /// The next piece, of any length; `None` at the end.
    ///
    /// # Errors
    ///
    /// [`Pop3Error`]: the connection has failed, the server is too slow, or the message is [too long](Pop3Error::TooLarge). What was
    /// returned before is a part of a message.
    pub async fn next(&mut self) -> Result<Option<Bytes>, Pop3Error> {
        while !self.is_over {
            let link = &mut self.client.link;
            let times = (link.config.silence_timeout, link.config.text_timeout);
            let (stage, max) = (self.stage, link.config.message_max);
            let text = &mut self.text;
            let take = |input: &[u8], _: &mut _| {
                let mut rest = input;
                let piece = unstuff(text, &mut rest);
                (piece, input.len() - rest.len())
            };
            let (piece, is_over) = link.input(stage, &mut self.waited, times, take).await?;
            if is_over {
                self.is_over = true;
                link.end_text();
            }
            self.len += piece.len() as u64;
            if self.len > max {
                return Err(Pop3Error::TooLarge { max });
            }
            if !piece.is_empty() {
                return Ok(Some(piece.into()));
            }
        }
        Ok(None)
    }

    /// All of it, in memory.
    ///
    /// # Errors
    ///
    /// As [`next`](Self::next), with [`Pop3Error::TooLarge`] if it is longer than `max` bytes.
    pub async fn collect(mut self, max: usize) -> Result<Vec<u8>, Pop3Error> {
        let mut all = Vec::new();
        while let Some(piece) = self.next().await? {
            if all.len() + piece.len() > max {
                return Err(Pop3Error::TooLarge { max: max as u64 });
            }
            all.extend_from_slice(&piece);
        }
        Ok(all)
    }
}

/// The text in what was received, and whether it has ended.
fn unstuff(text: &mut DotStuffed, input: &mut &[u8]) -> (Vec<u8>, bool) {
    let mut piece = Vec::with_capacity(input.len());
    loop {
        match text.decode(input) {
            Ok(Unstuffed::Text(text)) => piece.extend_from_slice(text),
            Ok(Unstuffed::End) => return (piece, true),
            // A lenient decoder has no errors.
            Ok(Unstuffed::Incomplete) | Err(_) => return (piece, false),
        }
    }
}

impl fmt::Debug for Message<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Message").field("len", &self.len).finish_non_exhaustive()
    }
}

/// Several messages, one after the other: [`Pop3Client::retrieve_all`].
pub struct Retrieving<'a> {
    client: &'a mut Pop3Client,
    commands: Vec<Command>,
    sent: usize,
    received: usize,
}

impl<'a> Retrieving<'a> {
    pub(super) fn new(client: &'a mut Pop3Client, numbers: impl IntoIterator<Item = u32>) -> Self {
        let commands = numbers.into_iter().map(Command::Retr).collect();
        Self { client, commands, sent: 0, received: 0 }
    }

    /// The next message, in the order in which they were named; `None` at the end. The one before must have been read to its end.
    ///
    /// # Errors
    ///
    /// [`Pop3Error`]. After [`Pop3Error::Refused`], the message is not there, and the next one follows.
    pub async fn next(&mut self) -> Result<Option<Message<'_>>, Pop3Error> {
        if self.received == self.commands.len() {
            return Ok(None);
        }
        let stage = Stage::Retrieve;
        let has_pipelining = self.client.capabilities.has_pipelining();
        // More are asked for once half of them are there, so that several are sent together.
        let missing = self.sent - self.received;
        if missing == 0 || has_pipelining && missing <= AHEAD / 2 {
            let ahead = if has_pipelining { AHEAD - missing } else { 1 };
            let end = self.commands.len().min(self.sent + ahead);
            let commands = &self.commands[self.sent..end];
            match missing {
                0 => self.client.link.send(stage, commands).await?,
                _ => self.client.link.send_ahead(stage, commands).await?,
            }
            self.sent = end;
        }
        let status = self.client.link.status_of_text(stage).await;
        if matches!(status, Ok(_) | Err(Pop3Error::Refused { .. })) {
            self.received += 1;
        }
        status?;
        Ok(Some(Message::new(self.client, stage)))
    }
}

impl fmt::Debug for Retrieving<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Retrieving")
            .field("received", &self.received)
            .field("of", &self.commands.len())
            .finish_non_exhaustive()
    }
}
