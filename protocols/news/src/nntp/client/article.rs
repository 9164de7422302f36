//! An article that is being received: [`ArticleStream`].

use std::{fmt, time::Instant};

use bytes::Bytes;
use sinew_protocols::basic::DotStuffed;

use super::{NewsClient, NewsError, Stat};

/// The text of an article, piece by piece. Lines end as the server ends them, dots are not stuffed.
///
/// Read it to its end: an article that is dropped before leaves the client [unusable](NewsError::Unusable).
#[must_use = "the client is of no more use before the article was read to its end"]
pub struct ArticleStream<'a> {
    client: &'a mut NewsClient,
    stat: Stat,
    dots: DotStuffed,
    until: Option<Instant>,
    is_over: bool,
}

impl<'a> ArticleStream<'a> {
    pub(super) fn new(client: &'a mut NewsClient, stat: Stat) -> Self {
        client.is_unusable = true;
        let link = &client.link;
        let until = link.reactor.now().checked_add(link.config.transfer_timeout);
        Self { client, stat, dots: DotStuffed::lenient(), until, is_over: false }
    }

    /// Which article it is.
    #[must_use]
    pub fn stat(&self) -> &Stat {
        &self.stat
    }

    /// The next piece, as it was received; `None` at the end.
    ///
    /// Cancel safe: a future that is dropped has received nothing that is lost.
    ///
    /// # Errors
    ///
    /// [`NewsError`]: the connection has failed. The client is of no more use.
    pub async fn next(&mut self) -> Result<Option<Bytes>, NewsError> {
        let mut piece = Vec::new();
        while piece.is_empty() && !self.is_over {
            let link = &mut self.client.link;
            let left = self.until.map(|until| until.saturating_duration_since(link.reactor.now()));
            let within = left.unwrap_or(link.config.transfer_timeout);
            self.is_over = link.text("ARTICLE", within, &mut self.dots, &mut piece).await?;
        }
        if self.is_over {
            self.client.is_unusable = false;
        }
        Ok(Some(piece).filter(|piece| !piece.is_empty()).map(Bytes::from))
    }

    /// All of it, at most so many bytes.
    ///
    /// # Errors
    ///
    /// As [`next`](Self::next), and [`NewsError::TooLong`] if there is more.
    pub async fn read_to_end(mut self, max: usize) -> Result<Vec<u8>, NewsError> {
        let mut text = Vec::new();
        while let Some(piece) = self.next().await? {
            if text.len() + piece.len() > max {
                return Err(NewsError::TooLong { command: "ARTICLE", max });
            }
            text.extend_from_slice(&piece);
        }
        Ok(text)
    }
}

impl fmt::Debug for ArticleStream<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ArticleStream").field("stat", &self.stat).finish_non_exhaustive()
    }
}
