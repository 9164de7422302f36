//! Lists of groups and of new articles: LIST, NEWGROUPS, NEWNEWS.

use std::{
    rc::Rc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use super::{
    connection::{Connection, Right},
    wire::End,
};
use crate::{
    nntp::codec::{ListKind, OVERVIEW_FIELDS, Response, Wildmat, seconds},
    store::{GroupInfo, NewsStore},
};

/// Groups that are asked for at once.
const GROUPS: usize = 500;
/// Arrivals that are asked for at once. Between two such pieces others have their turn, though nothing may match for long.
const ARRIVALS: usize = 500;

impl<S: NewsStore> Connection<S> {
    pub(super) async fn list(&mut self, kind: ListKind) -> Result<(), End> {
        if !self.may(Right::Read).await? {
            return Ok(());
        }
        match kind {
            ListKind::Active(wildmat) => self.groups(wildmat, UNIX_EPOCH, active).await,
            ListKind::ActiveTimes(wildmat) => {
                self.groups(wildmat, UNIX_EPOCH, |group| {
                    let created = seconds(group.created);
                    format!("{} {created} {}", group.name, group.creator)
                })
                .await
            }
            ListKind::Newsgroups(wildmat) => {
                self.groups(wildmat, UNIX_EPOCH, |group| {
                    format!("{}\t{}", group.name, group.description)
                })
                .await
            }
            ListKind::Counts(wildmat) => {
                self.groups(wildmat, UNIX_EPOCH, |group| {
                    let GroupInfo { name, low, high, count, status, .. } = group;
                    format!("{name} {high} {low} {count} {}", status.letter())
                })
                .await
            }
            ListKind::OverviewFmt => {
                self.fixed_list("Fields of the overview", &OVERVIEW_FIELDS).await
            }
            // RFC 3977 8.6: all fields, and this metadata.
            ListKind::Headers => {
                self.fixed_list("Fields for HDR", &[":", ":bytes", ":lines"]).await
            }
            ListKind::Other(_) => {
                self.wire.reply(&Response::fixed(503, "There is no such list here")).await
            }
        }
    }

    async fn fixed_list(&mut self, text: &'static str, lines: &[&str]) -> Result<(), End> {
        let shared = Rc::clone(&self.shared);
        self.wire.begin(&Response::fixed(215, text), shared.config.response_timeout);
        for line in lines {
            self.wire.push(|out| out.extend_from_slice(line.as_bytes())).await?;
        }
        self.wire.end().await
    }

    /// Lists the groups that the client may read.
    async fn groups(
        &mut self,
        wildmat: Option<Wildmat>,
        since: SystemTime,
        line: impl Fn(&GroupInfo) -> String,
    ) -> Result<(), End> {
        self.list_groups(&Response::fixed(215, "List follows"), wildmat, since, line).await
    }

    pub(super) async fn new_groups(&mut self, since: SystemTime) -> Result<(), End> {
        if !self.may(Right::Read).await? {
            return Ok(());
        }
        let response = Response::fixed(231, "New groups follow");
        self.list_groups(&response, None, since, active).await
    }

    async fn list_groups(
        &mut self,
        response: &Response,
        wildmat: Option<Wildmat>,
        since: SystemTime,
        line: impl Fn(&GroupInfo) -> String,
    ) -> Result<(), End> {
        let shared = Rc::clone(&self.shared);
        let mut groups = match shared.store.groups(&self.wire.reactor, None, GROUPS).await {
            Ok(groups) => groups,
            Err(error) => return self.failed(&error).await,
        };
        self.wire.begin(response, shared.config.response_timeout);
        while let Some(last) = groups.last().map(|group| group.name.clone()) {
            for group in &groups {
                let is_wanted = wildmat.as_ref().is_none_or(|all| all.matches(group.name.as_str()));
                let is_new = group.created >= since;
                if is_wanted && is_new && self.session.access.may_read(&group.name) {
                    let line = line(group);
                    self.wire.push(|out| out.extend_from_slice(line.as_bytes())).await?;
                }
            }
            self.wire.reactor.sleep(Duration::ZERO).await;
            let next = shared.store.groups(&self.wire.reactor, Some(&last), GROUPS).await;
            groups = self.or_abort(next)?;
        }
        self.wire.end().await
    }

    pub(super) async fn new_news(
        &mut self,
        wildmat: &Wildmat,
        since: SystemTime,
    ) -> Result<(), End> {
        if !self.may(Right::Read).await? {
            return Ok(());
        }
        let shared = Rc::clone(&self.shared);
        if !shared.config.has_newnews {
            return self.wire.reply(&Response::fixed(502, "NEWNEWS is switched off")).await;
        }
        let reactor = self.wire.reactor.clone();
        let mut arrivals = match shared.store.arrivals(&reactor, 0, since, ARRIVALS).await {
            Ok(arrivals) => arrivals,
            Err(error) => return self.failed(&error).await,
        };
        let response = Response::fixed(230, "New articles follow");
        self.wire.begin(&response, shared.config.response_timeout);
        while let Some(last) = arrivals.last().map(|arrival| arrival.sequence) {
            for arrival in &arrivals {
                let is_wanted = arrival.groups.iter().any(|group| {
                    wildmat.matches(group.as_str()) && self.session.access.may_read(group)
                });
                if is_wanted {
                    let id = arrival.id.as_str().as_bytes();
                    self.wire.push(|out| out.extend_from_slice(id)).await?;
                }
            }
            reactor.sleep(Duration::ZERO).await;
            let next = shared.store.arrivals(&reactor, last, since, ARRIVALS).await;
            arrivals = self.or_abort(next)?;
        }
        self.wire.end().await
    }
}

fn active(group: &GroupInfo) -> String {
    format!("{} {} {} {}", group.name, group.high, group.low, group.status.letter())
}
