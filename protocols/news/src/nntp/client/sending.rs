//! Sending articles: POST, IHAVE, CHECK and TAKETHIS.

use bytes::Bytes;

use super::{NewsClient, NewsError};
use crate::nntp::codec::{Article, Command, MessageId, Response};

/// What another server says to an article that it is offered.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Offered {
    /// It has taken it; as the answer to CHECK, it wants it.
    Taken,
    /// It has it already, or does not want it.
    NotWanted,
    /// It does not want it now: offer it again later.
    Later,
    /// It has looked at it, and will never take it.
    Rejected(Response),
}

impl NewsClient {
    /// Posts an article: a head, an empty line, and a body. The server adds what is missing of `Date`, `Message-ID` and `Path`.
    ///
    /// # Errors
    ///
    /// [`NewsError`]: it is no article, or the server does not take it.
    pub async fn post(&mut self, text: impl Into<Bytes>) -> Result<(), NewsError> {
        const VERB: &str = "POST";
        let article = Article::new(text, &self.link.config.limits)?;
        self.request(VERB, &Command::Post, &[340], &[]).await?;
        let response = self.send(VERB, article.text()).await?;
        match response.code() {
            240 => Ok(()),
            _ => Err(NewsError::Refused { command: VERB, response }),
        }
    }

    /// Offers an article of another author to a server, as servers do.
    ///
    /// # Errors
    ///
    /// [`NewsError`]: it is no article, or the server does not know IHAVE.
    pub async fn ihave(
        &mut self,
        id: &MessageId,
        text: impl Into<Bytes>,
    ) -> Result<Offered, NewsError> {
        let article = Article::new(text, &self.link.config.limits)?;
        self.offer(id, article.text()).await
    }

    /// As [`ihave`](Self::ihave), with the text of an article that was checked.
    pub(super) async fn offer(
        &mut self,
        id: &MessageId,
        text: &[u8],
    ) -> Result<Offered, NewsError> {
        const VERB: &str = "IHAVE";
        let command = Command::Ihave(id.clone());
        let offered = self.request(VERB, &command, &[335, 435, 436], &[]).await?;
        match offered.map(|response| response.code()) {
            Some(335) => {}
            Some(436) => return Ok(Offered::Later),
            _ => return Ok(Offered::NotWanted),
        }
        let response = self.send(VERB, text).await?;
        match response.code() {
            235 => Ok(Offered::Taken),
            436 => Ok(Offered::Later),
            437 => Ok(Offered::Rejected(response)),
            _ => Err(NewsError::Refused { command: VERB, response }),
        }
    }

    /// Asks whether a server wants an article (RFC 4644). Say MODE STREAM before, by [`stream`](Self::stream).
    ///
    /// # Errors
    ///
    /// [`NewsError`]: the server does not know CHECK.
    pub async fn check(&mut self, id: &MessageId) -> Result<Offered, NewsError> {
        const VERB: &str = "CHECK";
        let command = Command::Check(id.clone());
        let response = self.request(VERB, &command, &[238, 431, 438], &[]).await?;
        Ok(match response.map(|response| response.code()) {
            Some(238) => Offered::Taken,
            Some(431) => Offered::Later,
            _ => Offered::NotWanted,
        })
    }

    /// Sends an article without asking (RFC 4644).
    ///
    /// # Errors
    ///
    /// [`NewsError`]: it is no article, or the server does not know TAKETHIS.
    pub async fn take_this(
        &mut self,
        id: &MessageId,
        text: impl Into<Bytes>,
    ) -> Result<Offered, NewsError> {
        const VERB: &str = "TAKETHIS";
        if self.is_unusable {
            return Err(NewsError::Unusable);
        }
        let article = Article::new(text, &self.link.config.limits)?;
        self.is_unusable = true;
        let command = format!("{}\r\n", Command::TakeThis(id.clone()));
        self.link.write(VERB, command.as_bytes()).await?;
        let response = self.send(VERB, article.text()).await?;
        match response.code() {
            239 => Ok(Offered::Taken),
            439 => Ok(Offered::Rejected(response)),
            _ => Err(NewsError::Refused { command: VERB, response }),
        }
    }

    /// Begins to stream (RFC 4644). Returns whether the server does.
    ///
    /// # Errors
    ///
    /// [`NewsError`]: the connection has failed.
    pub async fn stream(&mut self) -> Result<bool, NewsError> {
        let refusals = [480, 500, 501, 502, 503];
        let response = self.request("MODE STREAM", &Command::ModeStream, &[203], &refusals).await?;
        Ok(response.is_some())
    }

    /// Sends a text up to the line of one dot, and receives the response to it.
    async fn send(&mut self, verb: &'static str, text: &[u8]) -> Result<Response, NewsError> {
        self.is_unusable = true;
        self.write_text(verb, text).await?;
        let response = self.link.response(verb).await?;
        self.is_unusable = response.code() == 400;
        Ok(response)
    }

    pub(super) async fn write_text(
        &mut self,
        verb: &'static str,
        text: &[u8],
    ) -> Result<(), NewsError> {
        let mut out = Vec::with_capacity(text.len() + text.len() / 64 + 8);
        Article::encode(text, &mut out);
        self.link.write(verb, &out).await
    }
}
