//! Lists as they arrive: [`Listing`].

use std::fmt;

use super::{Pop3Client, Pop3Error, Stage, link::Waited};
use crate::pop3::codec::{Listed, ListingError};

/// The lines of LIST or UIDL, one after the other. One that is dropped before its end makes the client unusable.
pub struct Listing<'a, T> {
    client: &'a mut Pop3Client,
    stage: Stage,
    read: fn(&[u8]) -> Result<Listed<T>, ListingError>,
    waited: Waited,
    lines: usize,
    is_over: bool,
}

impl<'a, T> Listing<'a, T> {
    pub(super) fn new(
        client: &'a mut Pop3Client,
        stage: Stage,
        read: fn(&[u8]) -> Result<Listed<T>, ListingError>,
    ) -> Self {
        Self { client, stage, read, waited: Waited::default(), lines: 0, is_over: false }
    }

    /// The next line; `None` at the end.
    ///
    /// # Errors
    ///
    /// [`Pop3Error`]: the connection has failed, the server is too slow, or a line is none of a list.
    pub async fn next(&mut self) -> Result<Option<Listed<T>>, Pop3Error> {
        if self.is_over {
            return Ok(None);
        }
        let (stage, max) = (self.stage, self.client.link.config.listing_max);
        let line = self.client.link.text_line(stage, &mut self.waited, self.read).await?;
        self.is_over = line.is_none();
        if line.is_some() && self.lines == max {
            return Err(Pop3Error::ListTooLong { stage, max });
        }
        self.lines += 1;
        line.transpose().map_err(|source| Pop3Error::NotAListing { stage, source })
    }

    /// All of the lines.
    ///
    /// # Errors
    ///
    /// As [`next`](Self::next).
    pub async fn collect(mut self) -> Result<Vec<Listed<T>>, Pop3Error> {
        let mut all = Vec::new();
        while let Some(listed) = self.next().await? {
            all.push(listed);
        }
        Ok(all)
    }
}

impl<T> fmt::Debug for Listing<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Listing").field("of", &self.stage).finish_non_exhaustive()
    }
}
