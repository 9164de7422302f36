//! Some articles that are offered to a peer together: [`Batch`].

use std::collections::HashSet;

use sinew_transports::reactor::{Reactor, with_causes};

use super::{FeedConfig, NewsClient, NewsError, Offered, feed_stats::Shared};
use crate::{
    nntp::codec::{Article, ArticleLimits, Command, Response, ResponseError},
    store::{Arrival, Locator, NewsStore, StoreError},
};

/// The peer cannot read the command: it does not take the identifier for one. Another attempt would fare no better, and hold up all
/// that is behind.
const MALFORMED: u16 = 501;

/// How much longer than the limit an article may be: a server adds to its head.
const ADDED_MAX: usize = 64 * 1024;

pub(super) struct Batch<'a, S> {
    reactor: &'a Reactor,
    store: &'a S,
    config: &'a FeedConfig,
    shared: &'a Shared,
    /// Sequence numbers of articles that the peer does not want now.
    later: HashSet<u64>,
}

impl<'a, S: NewsStore> Batch<'a, S> {
    pub(super) fn new(
        reactor: &'a Reactor,
        store: &'a S,
        config: &'a FeedConfig,
        shared: &'a Shared,
    ) -> Self {
        Self { reactor, store, config, shared, later: HashSet::new() }
    }

    /// Offers all of them. Returns those that are to be offered again.
    pub(super) async fn send(
        &mut self,
        client: &mut NewsClient,
        batch: &[Arrival],
    ) -> Result<HashSet<u64>, NewsError> {
        let is_announced = client.capabilities().has("STREAMING");
        // Old servers stream, and have no capabilities.
        let has_none = !client.capabilities().has("VERSION");
        if (is_announced || has_none) && client.stream().await? {
            self.stream(client, batch).await?;
        } else {
            for arrival in batch {
                self.by_ihave(client, arrival).await?;
            }
        }
        Ok(std::mem::take(&mut self.later))
    }

    async fn by_ihave(
        &mut self,
        client: &mut NewsClient,
        arrival: &Arrival,
    ) -> Result<(), NewsError> {
        let Some(article) = self.text(arrival, client).await else { return Ok(()) };
        let offered = match client.offer(&arrival.id, article.text()).await {
            Err(NewsError::Refused { response, .. }) if response.code() == MALFORMED => {
                Offered::Rejected(response)
            }
            offered => offered?,
        };
        self.note(arrival, &offered);
        Ok(())
    }

    /// CHECK for all, then TAKETHIS for those that are wanted. The responses are few enough to fit into any buffer, so that neither
    /// side waits for the other to read.
    async fn stream(
        &mut self,
        client: &mut NewsClient,
        batch: &[Arrival],
    ) -> Result<(), NewsError> {
        client.is_unusable = true;
        let checks = batch.iter().map(|arrival| Command::Check(arrival.id.clone()));
        let checks: String = checks.map(|check| format!("{check}\r\n")).collect();
        client.link.write("CHECK", checks.as_bytes()).await?;
        let mut wanted = Vec::new();
        for arrival in batch {
            let response = response(client, "CHECK", arrival).await?;
            match response.code() {
                238 => wanted.push(arrival),
                431 => self.note(arrival, &Offered::Later),
                438 => self.note(arrival, &Offered::NotWanted),
                MALFORMED => self.note(arrival, &Offered::Rejected(response)),
                _ => return Err(NewsError::Refused { command: "CHECK", response }),
            }
        }
        let mut sent = Vec::new();
        for arrival in wanted {
            let Some(article) = self.text(arrival, client).await else { continue };
            let command = format!("{}\r\n", Command::TakeThis(arrival.id.clone()));
            client.link.write("TAKETHIS", command.as_bytes()).await?;
            client.write_text("TAKETHIS", article.text()).await?;
            sent.push(arrival);
        }
        for arrival in sent {
            let response = response(client, "TAKETHIS", arrival).await?;
            match response.code() {
                239 => self.note(arrival, &Offered::Taken),
                439 => self.note(arrival, &Offered::Rejected(response)),
                _ => return Err(NewsError::Refused { command: "TAKETHIS", response }),
            }
        }
        client.is_unusable = false;
        Ok(())
    }

    fn note(&mut self, arrival: &Arrival, offered: &Offered) {
        match offered {
            Offered::Later => drop(self.later.insert(arrival.sequence)),
            Offered::Rejected(response) => {
                tracing::debug!(peer = self.config.peer, id = %arrival.id, %response, "an article was rejected");
            }
            Offered::Taken | Offered::NotWanted => {}
        }
        self.shared.count(|stats| match offered {
            Offered::Taken => stats.taken += 1,
            Offered::NotWanted => stats.not_wanted += 1,
            Offered::Later => stats.later += 1,
            Offered::Rejected(_) => stats.rejected += 1,
        });
    }

    /// The article; `None` if it is not to be sent.
    async fn text(&mut self, arrival: &Arrival, client: &NewsClient) -> Option<Article> {
        let max = client.link.config.limits.bytes_max.saturating_add(ADDED_MAX);
        let text = match self.read(arrival, max).await {
            Ok(text) => text?,
            Err(error) => {
                tracing::warn!(id = %arrival.id, error = %with_causes(&error), "an article that is to be fed cannot be read");
                self.note(arrival, &Offered::Later);
                return None;
            }
        };
        // It was taken, whatever its head.
        let limits = ArticleLimits::default().bytes_max(usize::MAX).head_max(usize::MAX);
        let article = match Article::new(text, &limits.fields_max(usize::MAX)) {
            Ok(article) => article,
            Err(error) => {
                tracing::warn!(id = %arrival.id, error = %with_causes(&error), "an article is not fed");
                return None;
            }
        };
        let identity = self.config.identity.as_ref();
        let has_been = identity
            .is_some_and(|peer| article.path().any(|entry| entry.eq_ignore_ascii_case(peer)));
        if has_been {
            self.note(arrival, &Offered::NotWanted);
            return None;
        }
        // RFC 5537 3.6: it is of this server.
        Some(article.edited(&["Xref"], &[]))
    }

    async fn read(&self, arrival: &Arrival, max: usize) -> Result<Option<Vec<u8>>, StoreError> {
        let locator = Locator::Id(arrival.id.clone());
        // It may have expired.
        let Some(mut open) = self.store.open(self.reactor, &locator).await? else {
            return Ok(None);
        };
        let mut text = Vec::new();
        loop {
            let piece = open.text.read(self.reactor).await?;
            if piece.is_empty() {
                return Ok(Some(text));
            }
            if text.len() + piece.len() > max {
                tracing::warn!(id = %arrival.id, "an article is too large to be fed");
                return Ok(None);
            }
            text.extend_from_slice(&piece);
        }
    }
}

/// The response about an article, which names it.
async fn response(
    client: &mut NewsClient,
    command: &'static str,
    arrival: &Arrival,
) -> Result<Response, NewsError> {
    let response = client.link.response(command).await?;
    let is_about = response.word(0) == Some(arrival.id.as_str());
    if (200..400).contains(&response.code()) && !is_about {
        let source = ResponseError::Argument { what: "the message-id that was asked for" };
        return Err(NewsError::NotAResponse { command, source });
    }
    Ok(response)
}
