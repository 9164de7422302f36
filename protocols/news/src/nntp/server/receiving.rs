//! Articles that clients send: POST, IHAVE, CHECK and TAKETHIS.

use sinew_transports::reactor::with_causes;

use std::rc::Rc;

use super::{
    Refusal, Verdict,
    connection::{Connection, Right},
    handler::Decision,
    rules::{Accepted, Rules},
    wire::{End, Received},
};
use crate::{
    nntp::codec::{Article, GroupName, MessageId, Response},
    store::{GroupStatus, NewArticle, NewsStore, StoreError},
};

/// What has become of an article.
enum Fate {
    Stored,
    /// It was sent to the moderator.
    Sent,
    /// It will never be stored.
    Refused(Refusal),
    /// It was here before.
    Had,
    /// It may be stored later.
    Later(Refusal),
}

impl From<Refusal> for Fate {
    fn from(refusal: Refusal) -> Self {
        if refusal.is_temporary { Self::Later(refusal) } else { Self::Refused(refusal) }
    }
}

impl From<StoreError> for Fate {
    fn from(error: StoreError) -> Self {
        tracing::error!(error = %with_causes(&error), "an article could not be stored");
        Self::Later(Refusal::try_later())
    }
}

impl<S: NewsStore> Connection<S> {
    pub(super) async fn post(&mut self) -> Result<(), End> {
        if !self.may(Right::Post).await? {
            return Ok(());
        }
        let shared = Rc::clone(&self.shared);
        self.wire
            .reply(&Response::fixed(340, "Send the article, end with a line of one dot"))
            .await?;
        let received = self.wire.article(&shared.config, shared.config.limits.bytes_max).await?;
        let fate = match self.posted(received).await {
            Ok(fate) | Err(fate) => fate,
        };
        let response = match fate {
            Fate::Stored => Response::fixed(240, "The article was posted"),
            Fate::Sent => Response::fixed(240, "The article was sent to the moderator"),
            Fate::Had => Response::fixed(441, "There is an article with this message-id already"),
            Fate::Refused(refusal) | Fate::Later(refusal) => {
                Response::of_checked(441, refusal.to_string())
            }
        };
        self.wire.reply(&response).await
    }

    async fn posted(&mut self, received: Received) -> Result<Fate, Fate> {
        let shared = Rc::clone(&self.shared);
        let article = self.parsed(received)?;
        let now = self.wire.reactor.wall_clock();
        let seconds = crate::nntp::codec::seconds(now);
        let unique =
            format!("{seconds:x}.{:x}.{:08x}", shared.next_count(), self.wire.reactor.random());
        let address = Some(self.address()).filter(|_| shared.config.shows_clients).flatten();
        let accepted = self.rules(now).inject(&article, address.as_deref(), &unique);
        let accepted = accepted.map_err(|unwanted| Refusal::fixed(unwanted.to_string()))?;
        let moderated = self.check_groups(&accepted).await?;
        if let Some(group) = moderated {
            // Its moderator gets what was posted, without what this server has added to it.
            let verdict = shared.handler.moderated(&self.session, &group, &article);
            self.decided(verdict).await?;
            return Ok(Fate::Sent);
        }
        let Some(_receiving) = shared.receive(&accepted.id) else { return Err(Fate::Had) };
        let verdict = shared.handler.posted(&self.session, &accepted.article);
        self.decided(verdict).await?;
        self.store(accepted).await
    }

    /// Whether an article may be posted to its groups; the first that is moderated, if it must be sent to its moderator.
    async fn check_groups(&mut self, accepted: &Accepted) -> Result<Option<GroupName>, Fate> {
        let (mut moderated, mut is_known) = (None, false);
        let is_approved = accepted.article.field("Approved").is_some();
        for name in &accepted.groups {
            let access = &self.session.access;
            // Before it is looked up: the refusal must not say whether there is such a group.
            if !access.may_read(name) && !access.may_post(name) {
                return Err(Refusal::fixed(format!("You may not post to {name}")).into());
            }
            let Some(group) = self.shared.store.group(&self.wire.reactor, name).await? else {
                continue;
            };
            is_known = true;
            let access = &self.session.access;
            if is_approved && !access.may_approve(name) {
                return Err(
                    Refusal::fixed(format!("You may not approve articles for {name}")).into()
                );
            }
            if !access.may_post(name) {
                return Err(Refusal::fixed(format!("You may not post to {name}")).into());
            }
            match group.status {
                GroupStatus::Closed => {
                    return Err(Refusal::fixed(format!("Nobody may post to {name}")).into());
                }
                GroupStatus::Moderated if !is_approved => {
                    moderated.get_or_insert_with(|| name.clone());
                }
                GroupStatus::Moderated | GroupStatus::Open => {}
            }
        }
        match is_known {
            true => Ok(moderated),
            false => Err(Refusal::fixed("None of the groups is known here").into()),
        }
    }

    // ---- articles of other servers ----

    pub(super) async fn ihave(&mut self, id: MessageId) -> Result<(), End> {
        if !self.may(Right::Feed).await? {
            return Ok(());
        }
        let shared = Rc::clone(&self.shared);
        match shared.store.has_seen(&self.wire.reactor, &id).await {
            Ok(false) => {}
            Ok(true) => return self.wire.reply(&Response::fixed(435, "It was here already")).await,
            Err(error) => return self.failed_for_now(&error, 436, &id).await,
        }
        let Some(receiving) = shared.receive(&id) else {
            return self.wire.reply(&Response::fixed(436, "Another server is sending it")).await;
        };
        self.wire.reply(&Response::fixed(335, "Send it, end with a line of one dot")).await?;
        let received = self.wire.article(&shared.config, shared.config.limits.bytes_max).await?;
        let fate = self.relayed(&id, received).await;
        drop(receiving);
        let response = match fate {
            Fate::Stored | Fate::Sent => Response::fixed(235, "The article was transferred"),
            Fate::Had => Response::fixed(437, "It was here already"),
            Fate::Refused(refusal) => Response::of_checked(437, refusal.to_string()),
            Fate::Later(refusal) => Response::of_checked(436, refusal.to_string()),
        };
        self.wire.reply(&response).await
    }

    pub(super) async fn check(&mut self, id: MessageId) -> Result<(), End> {
        if !self.may(Right::Feed).await? {
            return Ok(());
        }
        let shared = Rc::clone(&self.shared);
        let code = match shared.store.has_seen(&self.wire.reactor, &id).await {
            Ok(true) => 438,
            Ok(false) if shared.is_receiving(&id) => 431,
            Ok(false) => 238,
            Err(error) => return self.failed_for_now(&error, 431, &id).await,
        };
        self.wire.reply(&Response::of_checked(code, id.as_str())).await
    }

    pub(super) async fn take_this(&mut self, id: MessageId) -> Result<(), End> {
        let shared = Rc::clone(&self.shared);
        let max = if self.session.access.may_feed { shared.config.limits.bytes_max } else { 0 };
        let received = self.wire.article(&shared.config, max).await?;
        if !self.may(Right::Feed).await? {
            return Ok(());
        }
        // It is here, so it need not wait for another connection that sends it, too: the store takes the first that is whole.
        let receiving = shared.receive(&id);
        let fate = self.relayed(&id, received).await;
        drop(receiving);
        match fate {
            Fate::Stored | Fate::Sent => {
                self.wire.reply(&Response::of_checked(239, id.as_str())).await
            }
            Fate::Had | Fate::Refused(_) => {
                self.wire.reply(&Response::of_checked(439, id.as_str())).await
            }
            // RFC 4644 2.5: a server that cannot take it now has no other way to say so.
            Fate::Later(refusal) => {
                Err(self.wire.close(&Response::of_checked(400, refusal.to_string())).await)
            }
        }
    }

    async fn failed_for_now(
        &mut self,
        error: &StoreError,
        code: u16,
        id: &MessageId,
    ) -> Result<(), End> {
        tracing::error!(error = %with_causes(&error), "the store of the news server has failed");
        self.wire.reply(&Response::of_checked(code, id.as_str())).await
    }

    async fn relayed(&mut self, id: &MessageId, received: Received) -> Fate {
        match self.relay(id, received).await {
            Ok(fate) | Err(fate) => fate,
        }
    }

    async fn relay(&mut self, id: &MessageId, received: Received) -> Result<Fate, Fate> {
        let shared = Rc::clone(&self.shared);
        if shared.store.has_seen(&self.wire.reactor, id).await? {
            return Err(Fate::Had);
        }
        let now = self.wire.reactor.wall_clock();
        let address = self.address();
        let article = match self.parsed(received) {
            Ok(article) => article,
            Err(refusal) => return Err(self.not_wanted(id, refusal).await),
        };
        let peer = self.session.access.identity.clone();
        let accepted = self.rules(now).relay(&article, id, peer.as_ref(), address.as_deref());
        let accepted = match accepted {
            Ok(accepted) => accepted,
            Err(unwanted) => {
                let refusal = Refusal::fixed(unwanted.to_string());
                return Err(match unwanted.is_final() {
                    true => self.not_wanted(id, refusal).await,
                    false => refusal.into(),
                });
            }
        };
        let (mut is_known, mut needs_approval) = (false, false);
        for name in &accepted.groups {
            if let Some(group) = shared.store.group(&self.wire.reactor, name).await? {
                is_known = true;
                needs_approval |= group.status == GroupStatus::Moderated;
            }
        }
        let is_approved = accepted.article.field("Approved").is_some();
        if !is_known || needs_approval && !is_approved {
            let text = match is_known {
                false => "None of the groups is known here",
                true => "It is not approved, and one of its groups is moderated",
            };
            return Err(self.not_wanted(id, Refusal::fixed(text)).await);
        }
        let verdict = shared.handler.relayed(&self.session, &accepted.article);
        if let Err(refusal) = self.decided(verdict).await {
            return Err(match refusal.is_temporary {
                true => refusal.into(),
                false => self.not_wanted(id, refusal).await,
            });
        }
        self.store(accepted).await
    }

    /// Remembers an article, so that no server has to send it again.
    async fn not_wanted(&mut self, id: &MessageId, refusal: Refusal) -> Fate {
        if let Err(error) = self.shared.store.remember(&self.wire.reactor, id).await {
            tracing::warn!(error = %with_causes(&error), "an identifier could not be remembered");
        }
        Fate::Refused(refusal)
    }

    // ---- both ----

    fn parsed(&self, received: Received) -> Result<Article, Refusal> {
        let limits = &self.shared.config.limits;
        match received {
            Received::Text(text) => {
                Article::new(text, limits).map_err(|error| Refusal::fixed(error.to_string()))
            }
            Received::TooLarge => {
                Err(Refusal::fixed(format!("The article has more than {} bytes", limits.bytes_max)))
            }
        }
    }

    fn rules(&self, now: std::time::SystemTime) -> Rules<'_> {
        Rules { host: &self.shared.config.host, age_max: self.shared.config.age_max, now }
    }

    /// The address of the client, without its port.
    fn address(&self) -> Option<String> {
        self.session.peer().ip().map(|ip| ip.to_canonical().to_string())
    }

    async fn decided(&mut self, verdict: Verdict) -> Result<(), Refusal> {
        match verdict.0 {
            Decision::Now(result) => result,
            Decision::Later(deferred) => {
                let within = self.shared.config.verdict_timeout;
                let decided = self.wire.reactor.timeout(within, deferred).await;
                decided.unwrap_or_else(|_| Err(Refusal::try_later()))
            }
        }
    }

    async fn store(&mut self, accepted: Accepted) -> Result<Fate, Fate> {
        let shared = Rc::clone(&self.shared);
        let Accepted { id, article, groups } = accepted;
        let new = NewArticle::new(id, article, groups, &shared.config.host);
        match shared.store.store(&self.wire.reactor, new).await? {
            Some(_) => Ok(Fate::Stored),
            None => Ok(Fate::Had),
        }
    }
}
