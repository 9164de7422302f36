//! SEARCH: one message after the other, with as little reading as possible, so that no search stops the loop.

use std::rc::Rc;

use super::{
    answer::Done,
    reading::{ReadError, Reading},
    session::{Closed, Session},
};
use crate::{
    imap::{
        codec::{SearchCommand, SearchReturn, Tag},
        message::{Content, Part, field_text, fields},
        search::{Known, Need, NoProgram, PartReader, Program, SearchContext, TextSearch},
    },
    store::{Mailbox, MessageInfo, ModSeq, Uid, UidSet},
};

/// How many keys are decided before others have the loop.
const KEYS_IN_TURN: usize = 20_000;

/// Most texts of one search: each is looked for in all that is read.
const TEXT_KEYS_MAX: usize = 50;

/// How much of a header is searched.
const HEADER_MAX: usize = 64 << 10;

/// How much of a line of results is in memory.
const OUT_MAX: usize = 16 << 10;

/// How many messages are asked of the mailbox at once.
const MESSAGES_AT_ONCE: usize = 1_000;

/// What a search has found.
#[derive(Default)]
struct Found {
    uids: UidSet,
    /// The highest modification sequence of what was found.
    mod_seq: Option<ModSeq>,
}

impl Session {
    pub(super) async fn search(&self, tag: &Tag, command: SearchCommand) -> Result<Done, Done> {
        let reactor = self.reactor()?;
        let now = reactor.wall_clock().duration_since(std::time::SystemTime::UNIX_EPOCH);
        let now = now.map_or(0, |now| i64::try_from(now.as_secs()).unwrap_or(i64::MAX));
        let charset = command.charset.as_ref().map(AsRef::as_ref);
        let context = self.with_selected(|selected| SearchContext {
            last_number: selected.view.len(),
            last_uid: selected.view.last().unwrap_or(u32::MAX),
            now,
        })?;
        let program =
            Program::new(&command.key, charset, &context).map_err(|reason| match reason {
                NoProgram::UnknownCharset => Done::no("This charset is not known")
                    .code("BADCHARSET (UTF-8 US-ASCII ISO-8859-1)"),
                NoProgram::NotOfCharset => Done::bad("A text is not of the charset"),
            })?;
        if program.text_keys() > TEXT_KEYS_MAX {
            return Err(Done::no("There are too many texts to search for").code("LIMIT"));
        }
        if program.has_mod_seq() {
            self.enable_condstore();
        }
        let mailbox = self.mailbox()?;
        let searching = self.search_mailbox(&mailbox, &program);
        let Ok(found) = reactor.timeout(self.config.search_timeout, searching).await else {
            return Err(Done::no("The search took too long").code("LIMIT"));
        };
        let found = found?;
        self.write_found(tag, &command, &program, &found).await?;
        Ok(Done::ok("Done"))
    }

    async fn search_mailbox(
        &self,
        mailbox: &Rc<dyn Mailbox>,
        program: &Program,
    ) -> Result<Found, Done> {
        let mut found = Found::default();
        let mut keys = 0;
        let mut from = Some(Uid::MIN);
        while let Some(first) = from {
            let messages = mailbox.messages(first, MESSAGES_AT_ONCE);
            for info in &messages {
                // A message that is gone meanwhile is not found.
                if self.is_found(mailbox, info, program).await?.unwrap_or(false) {
                    found.uids.insert(info.uid);
                    found.mod_seq = found.mod_seq.max(Some(info.mod_seq));
                }
                keys += program.cost();
                if keys >= KEYS_IN_TURN {
                    keys = 0;
                    self.pause().await?;
                }
            }
            from = messages.last().and_then(|last| last.uid.next());
            if messages.is_empty() {
                break;
            }
        }
        Ok(found)
    }

    /// `None` if the message is not in the view, or is gone.
    async fn is_found(
        &self,
        mailbox: &Rc<dyn Mailbox>,
        info: &MessageInfo,
        program: &Program,
    ) -> Result<Option<bool>, Done> {
        let place = self.with_selected(|selected| {
            let number = selected.view.number(info.uid)?;
            Some((number, selected.recent.contains(info.uid)))
        })?;
        let Some((number, is_recent)) = place else { return Ok(None) };
        let known = Known { info, number, is_recent, header: None, found: None };
        let mut need = match program.decide(&known) {
            Ok(is_found) => return Ok(Some(is_found)),
            Err(need) => need,
        };
        let reading = Reading::new(mailbox, info);
        let result = async {
            let (part, _) = reading.header(self).await?;
            let header = reading.bytes(self, part.header.clone(), HEADER_MAX).await?;
            let known = Known { header: Some(&header), ..known };
            if need == Need::Header {
                match program.decide(&known) {
                    Ok(is_found) => return Ok(is_found),
                    Err(other) => need = other,
                }
            }
            debug_assert_eq!(need, Need::Text, "there is nothing else to be needed");
            let found = self.find_texts(&reading, &header, program).await?;
            Ok::<_, ReadError>(
                program.decide(&Known { found: Some(&found), ..known }).unwrap_or(false),
            )
        };
        match result.await {
            Ok(is_found) => Ok(Some(is_found)),
            Err(ReadError::Closed) => Err(Closed.into()),
            Err(error) => {
                tracing::debug!(?error, uid = %info.uid, "a message could not be searched");
                Ok(None)
            }
        }
    }

    /// Which of the texts are in the message: in its bodies, and in its bodies and headers.
    async fn find_texts(
        &self,
        reading: &Reading,
        header: &[u8],
        program: &Program,
    ) -> Result<Vec<bool>, ReadError> {
        let (mut bodies, mut texts) = (program.body_search(), program.text_search());
        search_header(header, &mut texts);
        let (message, _) = reading.structure(self).await?;
        let mut parts = Vec::new();
        collect(&message, false, &mut parts);
        for (part, is_inner) in parts {
            if bodies.is_done() && texts.is_done() {
                break;
            }
            if is_inner {
                let header = reading.bytes(self, part.header.clone(), HEADER_MAX).await?;
                search_header(&header, &mut texts);
                search_header(&header, &mut bodies);
            }
            if let (Content::Single, Some(mut of_bodies), Some(mut of_texts)) =
                (&part.content, PartReader::new(&part.fields), PartReader::new(&part.fields))
            {
                reading
                    .range(self, part.body.clone(), |piece| {
                        of_bodies.push(&piece, &mut bodies);
                        of_texts.push(&piece, &mut texts);
                        !(bodies.is_done() && texts.is_done())
                    })
                    .await?;
                of_bodies.finish(&mut bodies);
                of_texts.finish(&mut texts);
            }
        }
        Ok([bodies.found(), texts.found()].concat())
    }

    async fn write_found(
        &self,
        tag: &Tag,
        command: &SearchCommand,
        program: &Program,
        found: &Found,
    ) -> Result<(), Done> {
        let ranges: Vec<(u32, u32)> = match command.is_uid {
            true => {
                found.uids.ranges().map(|range| (range.start().get(), range.end().get())).collect()
            }
            false => self.with_selected(|selected| selected.view.numbers(&found.uids))?,
        };
        let mod_seq = found.mod_seq.filter(|_| program.has_mod_seq());
        let mut out = String::new();
        match &command.returns {
            None => {
                out += "* SEARCH";
                let numbers = ranges.iter().flat_map(|(from, to)| *from..=*to);
                self.write_pieces(&mut out, numbers.map(|number| format!(" {number}"))).await?;
                out += &mod_seq.map(|mod_seq| format!(" (MODSEQ {mod_seq})")).unwrap_or_default();
            }
            Some(returns) => {
                out += &format!("* ESEARCH (TAG \"{tag}\")");
                out += if command.is_uid { " UID" } else { "" };
                self.write_pieces(&mut out, returned(returns, &ranges)).await?;
                out += &mod_seq.map(|mod_seq| format!(" MODSEQ {mod_seq}")).unwrap_or_default();
            }
        }
        out += "\r\n";
        self.write(out.as_bytes());
        Ok(())
    }

    /// Writes a long line as the client receives it.
    async fn write_pieces(
        &self,
        out: &mut String,
        pieces: impl Iterator<Item = String>,
    ) -> Result<(), Closed> {
        for piece in pieces {
            *out += &piece;
            if out.len() > OUT_MAX {
                self.write(std::mem::take(out).as_bytes());
                self.room().await?;
                self.pause().await?;
            }
        }
        Ok(())
    }
}

/// The results of ESEARCH (RFC 4731 3.1), in pieces. Of nothing, only the count is told.
fn returned(returns: &[SearchReturn], ranges: &[(u32, u32)]) -> impl Iterator<Item = String> {
    let returns = if returns.is_empty() { &[SearchReturn::All] } else { returns };
    let has = |what| returns.contains(&what) && !ranges.is_empty();
    let first = ranges.first().filter(|_| has(SearchReturn::Min));
    let last = ranges.last().filter(|_| has(SearchReturn::Max));
    let all = if has(SearchReturn::All) { ranges } else { &[] };
    let count = ranges.iter().map(|(from, to)| u64::from(to - from) + 1).sum::<u64>();
    let count = returns.contains(&SearchReturn::Count).then(|| format!(" COUNT {count}"));
    let min = first.map(|(min, _)| format!(" MIN {min}"));
    let max = last.map(|(_, max)| format!(" MAX {max}"));
    let all = all.iter().enumerate().map(|(at, (from, to))| {
        let before = if at == 0 { " ALL " } else { "," };
        match from == to {
            true => format!("{before}{from}"),
            false => format!("{before}{from}:{to}"),
        }
    });
    min.into_iter().chain(max).chain(all).chain(count)
}

fn search_header(header: &[u8], search: &mut TextSearch) {
    // Each piece is searched together with the end of those before it: thousands of small ones would take long.
    let mut text = String::new();
    for field in fields(header) {
        text += &String::from_utf8_lossy(field.name());
        text += ": ";
        text += &field_text(&field.text());
        text.push('\n');
    }
    search.push(&text);
    search.end_text();
}

/// The parts of a message, and whether each has a header that is not that of the message.
fn collect<'a>(part: &'a Part, is_inner: bool, parts: &mut Vec<(&'a Part, bool)>) {
    parts.push((part, is_inner));
    match &part.content {
        Content::Single => {}
        Content::Multipart(inner) => inner.iter().for_each(|part| collect(part, true, parts)),
        Content::Message { message, .. } => collect(message, true, parts),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_of_esearch() {
        use SearchReturn::{All, Count, Max, Min};
        type Case<'a> = (&'a [SearchReturn], &'a [(u32, u32)], &'a str);
        let cases: [Case<'_>; 5] = [
            (&[], &[(1, 3), (5, 5)], " ALL 1:3,5"),
            (&[Min, Max, All, Count], &[(2, 3)], " MIN 2 MAX 3 ALL 2:3 COUNT 2"),
            (&[Min, Max, All, Count], &[], " COUNT 0"),
            (&[All], &[], ""),
            (&[Count], &[(1, u32::MAX)], " COUNT 4294967295"),
        ];
        for (returns, ranges, expected) in cases {
            assert_eq!(returned(returns, ranges).collect::<String>(), expected);
        }
    }
}
