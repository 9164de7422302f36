//! What readers ask for: GROUP, NEXT, ARTICLE, OVER, HDR and the like.

use sinew_transports::reactor::with_causes;

use std::rc::Rc;

use sinew_protocols::basic::DotStuffing;

use super::{
    connection::{Connection, Right},
    wire::End,
};
use crate::{
    nntp::codec::{
        ArticleRef, Articles, FieldName, GroupName, MessageId, OverviewLine, Part, PartFilter,
        Range, Response, XrefFilter, hdr_value,
    },
    store::{Direction, Found, Locator, NewsStore, OpenArticle, StoreError},
};

/// Numbers of a group that are asked for at once.
const NUMBERS: usize = 1_000;
/// Lines of the overview that are asked for at once.
const LINES: usize = 200;
/// Longest head that HDR looks at.
const HEAD_MAX: usize = 256 * 1024;

const NO_GROUP: (u16, &str) = (412, "No group is selected");
const NO_CURRENT: (u16, &str) = (420, "There is no current article");
const NO_NUMBER: (u16, &str) = (423, "No article with that number");
const NO_ID: (u16, &str) = (430, "No article with that message-id");

impl<S: NewsStore> Connection<S> {
    /// Replies with what is written in the program.
    async fn say(&mut self, (code, text): (u16, &'static str)) -> Result<(), End> {
        self.wire.reply(&Response::fixed(code, text)).await
    }

    /// The group, if the client may read it.
    async fn readable(
        &mut self,
        name: &GroupName,
    ) -> Result<Option<crate::store::GroupInfo>, StoreError> {
        if !self.session.access.may_read(name) {
            return Ok(None);
        }
        self.shared.store.group(&self.wire.reactor, name).await
    }

    pub(super) async fn select(&mut self, name: GroupName) -> Result<(), End> {
        if !self.may(Right::Read).await? {
            return Ok(());
        }
        let group = match self.readable(&name).await {
            Ok(Some(group)) => group,
            Ok(None) => return self.say((411, "There is no such group")).await,
            Err(error) => return self.failed(&error).await,
        };
        self.current = (group.count > 0).then_some(group.low);
        let (count, low, high) = (group.count, group.low, group.high);
        let response = Response::of_checked(211, format!("{count} {low} {high} {name}"));
        self.group = Some(name);
        self.wire.reply(&response).await
    }

    pub(super) async fn list_group(
        &mut self,
        name: Option<GroupName>,
        range: Range,
    ) -> Result<(), End> {
        if !self.may(Right::Read).await? {
            return Ok(());
        }
        let Some(name) = name.or_else(|| self.group.clone()) else {
            return self.say(NO_GROUP).await;
        };
        let group = match self.readable(&name).await {
            Ok(Some(group)) => group,
            Ok(None) => return self.say((411, "There is no such group")).await,
            Err(error) => return self.failed(&error).await,
        };
        self.current = (group.count > 0).then_some(group.low);
        self.group = Some(name.clone());
        let (count, low, high) = (group.count, group.low, group.high);
        let response =
            Response::of_checked(211, format!("{count} {low} {high} {name} list follows"));
        let shared = Rc::clone(&self.shared);
        self.wire.begin(&response, shared.config.response_timeout);
        let mut first = range.first;
        loop {
            let rest = Range { first, last: range.last };
            let numbers = shared.store.numbers(&self.wire.reactor, &name, rest, NUMBERS).await;
            let numbers = self.or_abort(numbers)?;
            let Some(&last) = numbers.last() else { break };
            for number in numbers {
                let text = number.to_string();
                self.wire.push(|out| out.extend_from_slice(text.as_bytes())).await?;
            }
            first = last.saturating_add(1);
        }
        self.wire.end().await
    }

    /// A list that has begun cannot be ended by an error: the connection is cut, so that it is not taken for whole.
    pub(super) fn or_abort<T>(&mut self, result: Result<T, StoreError>) -> Result<T, End> {
        result.map_err(|error| {
            tracing::error!(error = %with_causes(&error), "the store of the news server has failed within a response");
            self.wire.transport().abort();
            End
        })
    }

    pub(super) async fn step(&mut self, direction: Direction) -> Result<(), End> {
        if !self.may(Right::Read).await? {
            return Ok(());
        }
        let Some(group) = self.group.clone() else { return self.say(NO_GROUP).await };
        let Some(number) = self.current else { return self.say(NO_CURRENT).await };
        let reactor = &self.wire.reactor;
        let found = self.shared.store.neighbour(reactor, &group, number, direction).await;
        match found {
            Ok(Some(found)) => {
                self.current = Some(found.number);
                let text = format!("{} {} retrieved", found.number, found.id);
                self.wire.reply(&Response::of_checked(223, text)).await
            }
            Ok(None) if direction == Direction::Next => {
                self.say((421, "There is no next article")).await
            }
            Ok(None) => self.say((422, "There is no previous article")).await,
            Err(error) => self.failed(&error).await,
        }
    }

    // ---- articles ----

    /// Where an article is, and what to say if it is not there. `Err` if that was said already.
    async fn locate(
        &mut self,
        which: Option<ArticleRef>,
    ) -> Result<Option<(Locator, (u16, &'static str))>, End> {
        let number = match which {
            Some(ArticleRef::Id(id)) => return Ok(Some((Locator::Id(id), NO_ID))),
            Some(ArticleRef::Number(number)) => Some(number),
            None => None,
        };
        let Some(group) = self.group.clone() else {
            self.say(NO_GROUP).await?;
            return Ok(None);
        };
        let absent = if number.is_some() { NO_NUMBER } else { NO_CURRENT };
        match number.or(self.current) {
            Some(number) => Ok(Some((Locator::Number(group, number), absent))),
            None => {
                self.say(NO_CURRENT).await?;
                Ok(None)
            }
        }
    }

    /// Whether the client may read an article, by one of its groups.
    fn may_read_found(&self, found: &Found) -> bool {
        found.groups.iter().any(|group| self.session.access.may_read(group))
    }

    pub(super) async fn article(
        &mut self,
        part: Part,
        which: Option<ArticleRef>,
    ) -> Result<(), End> {
        if !self.may(Right::Read).await? {
            return Ok(());
        }
        let Some((locator, absent)) = self.locate(which).await? else { return Ok(()) };
        let shared = Rc::clone(&self.shared);
        // What the client may not read is not opened: a failure would say that it is there.
        if part == Part::Stat || matches!(locator, Locator::Id(_)) {
            match shared.store.find(&self.wire.reactor, &locator).await {
                Ok(Some(found)) if self.may_read_found(&found) => {
                    if part == Part::Stat {
                        self.note_current(&locator);
                        return self.wire.reply(&head_of(part, &found)).await;
                    }
                }
                Ok(_) => return self.say(absent).await,
                Err(error) => return self.failed(&error).await,
            }
        }
        match shared.store.open(&self.wire.reactor, &locator).await {
            Ok(Some(open)) if self.may_read_found(&open.found) => {
                self.note_current(&locator);
                self.send(part, open).await
            }
            Ok(_) => self.say(absent).await,
            Err(error) => self.failed(&error).await,
        }
    }

    fn note_current(&mut self, locator: &Locator) {
        if let Locator::Number(_, number) = locator {
            self.current = Some(*number);
        }
    }

    /// Sends an article piece by piece, as fast as the client takes it.
    async fn send(&mut self, part: Part, mut open: OpenArticle) -> Result<(), End> {
        let shared = Rc::clone(&self.shared);
        self.wire.begin(&head_of(part, &open.found), shared.config.response_timeout);
        let (mut filter, mut dots) = (PartFilter::new(part), DotStuffing::normalizing());
        let access = self.session.access.clone();
        let hides_any = part != Part::Body && access.hides_any();
        let mut xref = hides_any.then(|| XrefFilter::new(|group| access.may_read(group)));
        while !filter.is_done() {
            let piece = open.text.read(&self.wire.reactor).await;
            let piece = self.or_abort(piece)?;
            let is_end = piece.is_empty();
            // The queue takes 64 KiB more than it should have at most, and an Xref.
            match xref.as_mut().filter(|xref| !xref.is_done()) {
                Some(xref) => {
                    let mut seen = Vec::with_capacity(piece.len());
                    xref.filter(&piece, &mut seen);
                    if is_end {
                        xref.finish(&mut seen);
                    }
                    self.wire.push_text(&mut dots, &mut filter, &seen).await?;
                }
                None => self.wire.push_text(&mut dots, &mut filter, &piece).await?,
            }
            if is_end {
                break;
            }
        }
        self.wire.end_text(&mut dots).await
    }

    // ---- overview and fields ----

    /// The first lines of the overview, or the only one. `None` if it was said that there is none.
    async fn first_lines(
        &mut self,
        which: Option<Articles>,
        is_old: bool,
    ) -> Result<Option<(Vec<OverviewLine>, Pages)>, End> {
        let range = match which {
            Some(Articles::Id(id)) => return self.line_of_id(&id).await,
            Some(Articles::Range(range)) => Some(range),
            None => None,
        };
        let Some(group) = self.group.clone() else {
            self.say(NO_GROUP).await?;
            return Ok(None);
        };
        let Some(range) = range.or(self.current.map(Range::one)) else {
            self.say(NO_CURRENT).await?;
            return Ok(None);
        };
        let lines = self.shared.store.overview(&self.wire.reactor, &group, range, LINES).await;
        match lines {
            Ok(lines) if lines.is_empty() => {
                // RFC 2980 2.8: XOVER says 420 where OVER says 423.
                let code = if is_old { 420 } else { 423 };
                self.say((code, "No articles in that range")).await?;
                Ok(None)
            }
            Ok(lines) => {
                let after = lines.last().map_or(u64::MAX, OverviewLine::number).saturating_add(1);
                let rest = Range { first: after, last: range.last };
                Ok(Some((self.visible(lines), Pages(Some((group, rest))))))
            }
            Err(error) => self.failed(&error).await.map(|()| None),
        }
    }

    async fn line_of_id(
        &mut self,
        id: &MessageId,
    ) -> Result<Option<(Vec<OverviewLine>, Pages)>, End> {
        let shared = Rc::clone(&self.shared);
        let locator = Locator::Id(id.clone());
        let found = match shared.store.find(&self.wire.reactor, &locator).await {
            Ok(found) => found.filter(|found| self.may_read_found(found)),
            Err(error) => return self.failed(&error).await.map(|()| None),
        };
        if found.is_some() {
            match shared.store.overview_of(&self.wire.reactor, id).await {
                Ok(Some(line)) => return Ok(Some((self.visible(vec![line]), Pages(None)))),
                Ok(None) => {}
                Err(error) => return self.failed(&error).await.map(|()| None),
            }
        }
        self.say(NO_ID).await?;
        Ok(None)
    }

    /// The lines behind the last ones; none at the end.
    async fn more_lines(&mut self, pages: &mut Pages) -> Result<Vec<OverviewLine>, End> {
        let Some((group, range)) = &mut pages.0 else { return Ok(Vec::new()) };
        let shared = Rc::clone(&self.shared);
        let lines = shared.store.overview(&self.wire.reactor, group, *range, LINES).await;
        let lines = self.or_abort(lines)?;
        range.first = lines.last().map_or(u64::MAX, OverviewLine::number).saturating_add(1);
        Ok(self.visible(lines))
    }

    /// The lines as the client may see them: without the groups in their Xref that it may not read.
    fn visible(&self, mut lines: Vec<OverviewLine>) -> Vec<OverviewLine> {
        let access = &self.session.access;
        if access.hides_any() {
            lines.iter_mut().for_each(|line| *line = line.visible(|group| access.may_read(group)));
        }
        lines
    }

    pub(super) async fn over(&mut self, which: Option<Articles>, is_old: bool) -> Result<(), End> {
        if !self.may(Right::Read).await? {
            return Ok(());
        }
        let Some((mut lines, mut pages)) = self.first_lines(which, is_old).await? else {
            return Ok(());
        };
        let shared = Rc::clone(&self.shared);
        let response = Response::fixed(224, "Overview follows");
        self.wire.begin(&response, shared.config.response_timeout);
        while !lines.is_empty() {
            for line in &lines {
                self.wire.push(|out| line.encode(out)).await?;
            }
            lines = self.more_lines(&mut pages).await?;
        }
        self.wire.end().await
    }

    pub(super) async fn hdr(
        &mut self,
        field: FieldName,
        which: Option<Articles>,
        is_old: bool,
    ) -> Result<(), End> {
        if !self.may(Right::Read).await? {
            return Ok(());
        }
        let source = match Source::of(&field) {
            Some(source) => source,
            None => return self.wrong(&Response::fixed(503, "There is no such metadata")).await,
        };
        let by_id = match &which {
            Some(Articles::Id(id)) if is_old => Some(id.clone()),
            _ => None,
        };
        let Some((mut lines, mut pages)) = self.first_lines(which, is_old).await? else {
            return Ok(());
        };
        let shared = Rc::clone(&self.shared);
        let code = if is_old { 221 } else { 225 };
        self.wire.begin(&Response::fixed(code, "Fields follow"), shared.config.response_timeout);
        while !lines.is_empty() {
            for line in &lines {
                let value = match source {
                    Source::Overview(at) => line.field(at).unwrap_or_default().to_vec(),
                    Source::Xref => line.extra("Xref").unwrap_or_default().to_vec(),
                    Source::Head => self.value_of(line, &field).await?,
                };
                let number = match &by_id {
                    Some(id) => id.to_string(),
                    None => line.number().to_string(),
                };
                let write = |out: &mut Vec<u8>| {
                    out.extend_from_slice(number.as_bytes());
                    out.push(b' ');
                    out.extend_from_slice(&value);
                };
                self.wire.push(write).await?;
            }
            lines = self.more_lines(&mut pages).await?;
        }
        self.wire.end().await
    }

    /// The value of a field that is not in the overview.
    async fn value_of(&mut self, line: &OverviewLine, field: &FieldName) -> Result<Vec<u8>, End> {
        let Some(id) = line.message_id() else { return Ok(Vec::new()) };
        let shared = Rc::clone(&self.shared);
        let open = shared.store.open(&self.wire.reactor, &Locator::Id(id)).await;
        let Some(mut open) = self.or_abort(open)? else { return Ok(Vec::new()) };
        let (mut filter, mut head) = (PartFilter::new(Part::Head), Vec::new());
        while !filter.is_done() && head.len() < HEAD_MAX {
            let piece = open.text.read(&self.wire.reactor).await;
            let piece = self.or_abort(piece)?;
            if piece.is_empty() {
                break;
            }
            head.extend_from_slice(filter.filter(&piece));
        }
        let limits = crate::nntp::codec::ArticleLimits::default().head_max(HEAD_MAX);
        let article = crate::nntp::codec::Article::new(head, &limits);
        let value = article.ok().and_then(|article| article.field(field.as_str()).map(hdr_value));
        Ok(value.unwrap_or_default())
    }
}

/// Where the overview goes on: the group, and the rest of the range.
struct Pages(Option<(GroupName, Range)>);

/// Where the value of a field is.
#[derive(Clone, Copy)]
enum Source {
    Overview(usize),
    Xref,
    Head,
}

impl Source {
    /// `None` for metadata that there is not.
    fn of(field: &FieldName) -> Option<Self> {
        let at =
            ["Subject", "From", "Date", "Message-ID", "References", ":bytes", ":lines", "Xref"]
                .iter()
                .position(|name| name.eq_ignore_ascii_case(field.as_str()));
        match at {
            Some(7) => Some(Self::Xref),
            Some(at) => Some(Self::Overview(at)),
            None => (!field.is_metadata()).then_some(Self::Head),
        }
    }
}

fn head_of(part: Part, found: &Found) -> Response {
    Response::of_checked(part.code(), format!("{} {}", found.number, found.id))
}
