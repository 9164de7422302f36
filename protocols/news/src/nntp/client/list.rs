//! Answers of many lines: [`List`], entry by entry, and its entries.

use std::{fmt, time::Instant};

use super::{NewsClient, NewsError};
use crate::{
    nntp::codec::{GroupName, MessageId, OverviewLine},
    store::GroupStatus,
};

/// A list that a server sends. Entries are received as they are asked for, so that a long list is nowhere whole.
///
/// Read it to its end: a list that is dropped before leaves the client [unusable](NewsError::Unusable).
#[must_use = "the client is of no more use before the list was read to its end"]
pub struct List<'a, T> {
    client: &'a mut NewsClient,
    command: &'static str,
    parse: fn(&[u8]) -> Option<T>,
    what: &'static str,
    until: Option<Instant>,
    is_over: bool,
}

/// An entry of LIST ACTIVE.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ActiveGroup {
    /// Its name.
    pub name: GroupName,
    /// The highest number.
    pub high: u64,
    /// The lowest number.
    pub low: u64,
    /// Who may post; `None` for a letter that is not of RFC 3977.
    pub status: Option<GroupStatus>,
}

/// An entry of HDR.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct HdrLine {
    /// The number of the article; 0 if it was asked for by its identifier.
    pub number: u64,
    /// The value of the field, with what is not UTF-8 replaced.
    pub value: String,
}

impl<'a, T> List<'a, T> {
    pub(super) fn new(
        client: &'a mut NewsClient,
        command: &'static str,
        what: &'static str,
        parse: fn(&[u8]) -> Option<T>,
    ) -> Self {
        client.is_unusable = true;
        let link = &client.link;
        let until = link.reactor.now().checked_add(link.config.transfer_timeout);
        Self { client, command, parse, what, until, is_over: false }
    }

    /// The next entry; `None` at the end.
    ///
    /// Cancel safe: a future that is dropped has received nothing that is lost.
    ///
    /// # Errors
    ///
    /// [`NewsError`]: the connection has failed, or a line is no entry. The client is of no more use.
    pub async fn next(&mut self) -> Result<Option<T>, NewsError> {
        if self.is_over {
            return Ok(None);
        }
        let (command, after) = (self.command, self.client.link.config.transfer_timeout);
        if self.until.is_some_and(|until| self.client.link.reactor.now() >= until) {
            return Err(NewsError::TimedOut { command, after });
        }
        let line = self.client.link.line(command).await?;
        let line = match &line[..] {
            b"." => {
                self.is_over = true;
                self.client.is_unusable = false;
                return Ok(None);
            }
            [b'.', rest @ ..] => rest,
            line => line,
        };
        let entry = (self.parse)(line);
        entry.map(Some).ok_or(NewsError::Entry { command, what: self.what })
    }

    /// All entries, at most so many.
    ///
    /// # Errors
    ///
    /// As [`next`](Self::next), and [`NewsError::TooLong`] if there are more.
    pub async fn collect(mut self, max: usize) -> Result<Vec<T>, NewsError> {
        let mut entries = Vec::new();
        while let Some(entry) = self.next().await? {
            if entries.len() == max {
                return Err(NewsError::TooLong { command: self.command, max });
            }
            entries.push(entry);
        }
        Ok(entries)
    }
}

impl<T> fmt::Debug for List<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("List").field("command", &self.command).finish_non_exhaustive()
    }
}

// ---- entries ----

pub(super) fn number(line: &[u8]) -> Option<u64> {
    str::from_utf8(line).ok()?.trim().parse().ok()
}

pub(super) fn text(line: &[u8]) -> Option<String> {
    Some(String::from_utf8_lossy(line).into_owned())
}

pub(super) fn message_id(line: &[u8]) -> Option<MessageId> {
    str::from_utf8(line).ok()?.trim().parse().ok()
}

pub(super) fn overview(line: &[u8]) -> Option<OverviewLine> {
    OverviewLine::parse(line).ok()
}

pub(super) fn active(line: &[u8]) -> Option<ActiveGroup> {
    let line = str::from_utf8(line).ok()?;
    let mut words = line.split_ascii_whitespace();
    let name = words.next()?.parse().ok()?;
    let (high, low) = (words.next()?.parse().ok()?, words.next()?.parse().ok()?);
    let status = words.next()?;
    let letter = status.chars().next().filter(|_| status.len() == 1);
    Some(ActiveGroup { name, high, low, status: letter.and_then(GroupStatus::of_letter) })
}

pub(super) fn hdr(line: &[u8]) -> Option<HdrLine> {
    let line = String::from_utf8_lossy(line);
    let (number, value) = line.split_once(' ').unwrap_or((&line, ""));
    Some(HdrLine { number: number.parse().ok()?, value: value.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_are_read() {
        let group = active(b"a.b 0000000012 3 m").unwrap();
        assert_eq!((group.high, group.low, group.status), (12, 3, Some(GroupStatus::Moderated)));
        assert_eq!(active(b"a.b 1 1 =c.d").unwrap().status, None);
        for line in [&b""[..], b"a.b", b"a.b 1 2", b"a.b x 2 y", b"a..b 1 2 y", b"\xff 1 2 y"] {
            assert_eq!(active(line), None, "{}", line.escape_ascii());
        }
        assert_eq!(hdr(b"5 a b").unwrap().value, "a b");
        assert_eq!(hdr(b"5").unwrap().value, "");
        assert_eq!(hdr(b"x y"), None);
        assert_eq!(message_id(b"<a@b>").unwrap().as_str(), "<a@b>");
        assert_eq!(message_id(b"a@b"), None);
        assert_eq!((number(b"7"), number(b"-7"), number(b"")), (Some(7), None, None));
    }
}
