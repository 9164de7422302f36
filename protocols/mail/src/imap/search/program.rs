//! A search key made ready to be decided for many messages: [`Program`].

use super::needles::{Needle, TextSearch};
use crate::{
    imap::{
        codec::{AString, Atom, Date, DateTime, SearchKey, merged_ranges},
        message::{Charset, date_of_field, field_text, fields},
    },
    store::{Keyword, MessageInfo, SystemFlag},
};

/// What a key is decided with.
#[derive(Clone, Copy)]
pub(crate) struct Known<'a> {
    /// What the mailbox knows.
    pub(crate) info: &'a MessageInfo,
    /// Its sequence number in the session.
    pub(crate) number: u32,
    pub(crate) is_recent: bool,
    /// The header, if it was read.
    pub(crate) header: Option<&'a [u8]>,
    /// Which of the texts were found, if the message was read.
    pub(crate) found: Option<&'a [bool]>,
}

/// What has to be read of a message to decide.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Need {
    Header,
    Text,
}

/// What a key means in a session.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SearchContext {
    /// The sequence number of the last message.
    pub(crate) last_number: u32,
    /// Its UID.
    pub(crate) last_uid: u32,
    /// The time, in seconds since 1970.
    pub(crate) now: i64,
}

/// Why there is no search.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NoProgram {
    /// Its charset is not known: BADCHARSET.
    UnknownCharset,
    /// A text is none of the charset, as bytes that are no UTF-8: it would match nothing, or what was not meant.
    NotOfCharset,
}

/// A search key, ready to be decided for many messages.
#[derive(Debug)]
pub(crate) struct Program {
    root: Node,
    bodies: Vec<Needle>,
    texts: Vec<Needle>,
    nodes: usize,
    /// Keys that look for a text or a field.
    text_keys: usize,
    has_mod_seq: bool,
    /// Whether all texts are of the charset.
    is_of_charset: bool,
}

/// Ranges that are sorted and do not overlap.
type Ranges = Vec<(u32, u32)>;

#[derive(Debug)]
enum Node {
    Always(bool),
    And(Vec<Self>),
    Or(Vec<Self>),
    Not(Box<Self>),
    /// Ranges as they were sent, not the messages in them: a key of three bytes may mean all of a mailbox.
    Numbers(Ranges),
    Uids(Ranges),
    Flag(SystemFlag),
    Keyword(Keyword),
    Recent,
    Date(When, Date),
    Sent(When, Date),
    Larger(u64),
    Smaller(u64),
    ModSeq(u64),
    /// Received at this time or later, in seconds since 1970.
    After(i64),
    Header(Box<(Vec<u8>, Needle)>),
    /// The text with this index among those that are looked for in bodies, or in all.
    Body(usize),
    Text(usize),
}

#[derive(Clone, Copy, Debug)]
enum When {
    Before,
    On,
    Since,
}

impl When {
    fn is(self, date: Date, day: Date) -> bool {
        match self {
            Self::Before => date < day,
            Self::On => date == day,
            Self::Since => date >= day,
        }
    }
}

impl Program {
    /// Makes a key ready. Its nesting is bounded by the parser.
    pub(crate) fn new(
        key: &SearchKey,
        charset: Option<&[u8]>,
        context: &SearchContext,
    ) -> Result<Self, NoProgram> {
        let charset = match charset {
            Some(name) => Charset::named(name).ok_or(NoProgram::UnknownCharset)?,
            None => Charset::UTF_8,
        };
        let mut program = Self {
            root: Node::Always(true),
            bodies: Vec::new(),
            texts: Vec::new(),
            nodes: 0,
            text_keys: 0,
            has_mod_seq: false,
            is_of_charset: true,
        };
        program.root = program.node(key, charset, context);
        match program.is_of_charset {
            true => Ok(program),
            false => Err(NoProgram::NotOfCharset),
        }
    }

    /// How much work one decision is, in keys.
    pub(crate) fn cost(&self) -> usize {
        self.nodes
    }

    /// How many texts and fields are looked for.
    pub(crate) fn text_keys(&self) -> usize {
        self.text_keys
    }

    /// Whether modification sequences are asked for.
    pub(crate) fn has_mod_seq(&self) -> bool {
        self.has_mod_seq
    }

    /// Whether a message fulfils it, or what has to be read to know.
    pub(crate) fn decide(&self, known: &Known<'_>) -> Result<bool, Need> {
        self.root.decide(known, self.bodies.len())
    }

    /// The search for the texts in bodies.
    pub(crate) fn body_search(&self) -> TextSearch {
        TextSearch::new(self.bodies.clone())
    }

    /// The search for the texts in headers and bodies.
    pub(crate) fn text_search(&self) -> TextSearch {
        TextSearch::new(self.texts.clone())
    }

    fn node(&mut self, key: &SearchKey, charset: Charset, context: &SearchContext) -> Node {
        self.nodes += 1;
        let not = |node| Node::Not(Box::new(node));
        match key {
            SearchKey::All => Node::Always(true),
            SearchKey::And(keys) => {
                Node::And(keys.iter().map(|key| self.node(key, charset, context)).collect())
            }
            SearchKey::Or(one, other) => {
                Node::Or(vec![self.node(one, charset, context), self.node(other, charset, context)])
            }
            SearchKey::Not(key) => not(self.node(key, charset, context)),
            SearchKey::Sequence(numbers) => {
                Node::Numbers(merged_ranges(numbers.ranges(context.last_number)))
            }
            SearchKey::Uid(uids) => Node::Uids(merged_ranges(uids.ranges(context.last_uid))),
            SearchKey::Answered => Node::Flag(SystemFlag::Answered),
            SearchKey::Deleted => Node::Flag(SystemFlag::Deleted),
            SearchKey::Draft => Node::Flag(SystemFlag::Draft),
            SearchKey::Flagged => Node::Flag(SystemFlag::Flagged),
            SearchKey::Seen => Node::Flag(SystemFlag::Seen),
            SearchKey::Recent => Node::Recent,
            SearchKey::Unanswered => not(Node::Flag(SystemFlag::Answered)),
            SearchKey::Undeleted => not(Node::Flag(SystemFlag::Deleted)),
            SearchKey::Undraft => not(Node::Flag(SystemFlag::Draft)),
            SearchKey::Unflagged => not(Node::Flag(SystemFlag::Flagged)),
            SearchKey::Unseen => not(Node::Flag(SystemFlag::Seen)),
            SearchKey::New => Node::And(vec![Node::Recent, not(Node::Flag(SystemFlag::Seen))]),
            SearchKey::Old => not(Node::Recent),
            SearchKey::Keyword(word) => keyword(word),
            SearchKey::Unkeyword(word) => not(keyword(word)),
            SearchKey::Larger(len) => Node::Larger(*len),
            SearchKey::Smaller(len) => Node::Smaller(*len),
            SearchKey::Younger(seconds) => {
                Node::After(context.now.saturating_sub(i64::from(*seconds)))
            }
            SearchKey::Older(seconds) => {
                not(Node::After(context.now.saturating_sub(i64::from(*seconds))))
            }
            SearchKey::ModSeq(mod_seq, _) => {
                self.has_mod_seq = true;
                Node::ModSeq(*mod_seq)
            }
            SearchKey::Before(day) => Node::Date(When::Before, *day),
            SearchKey::On(day) => Node::Date(When::On, *day),
            SearchKey::Since(day) => Node::Date(When::Since, *day),
            SearchKey::SentBefore(day) => self.sent(When::Before, *day),
            SearchKey::SentOn(day) => self.sent(When::On, *day),
            SearchKey::SentSince(day) => self.sent(When::Since, *day),
            other => self.text_node(other, charset),
        }
    }

    /// The field `Date` is looked for.
    fn sent(&mut self, when: When, day: Date) -> Node {
        self.text_keys += 1;
        Node::Sent(when, day)
    }

    fn text_node(&mut self, key: &SearchKey, charset: Charset) -> Node {
        self.text_keys += 1;
        let is_of_charset = &mut self.is_of_charset;
        let mut needle = |text: &AString| {
            *is_of_charset &= charset.has(text.as_bytes());
            Needle::new(&charset.read(text.as_bytes()))
        };
        let mut header =
            |name: &[u8], text: &AString| Node::Header(Box::new((name.to_vec(), needle(text))));
        match key {
            SearchKey::Bcc(text) => header(b"bcc", text),
            SearchKey::Cc(text) => header(b"cc", text),
            SearchKey::From(text) => header(b"from", text),
            SearchKey::To(text) => header(b"to", text),
            SearchKey::Subject(text) => header(b"subject", text),
            SearchKey::Header(name, text) => header(name.as_bytes(), text),
            SearchKey::Body(text) => {
                let needle = needle(text);
                self.bodies.push(needle);
                Node::Body(self.bodies.len() - 1)
            }
            SearchKey::Text(text) => {
                let needle = needle(text);
                self.texts.push(needle);
                Node::Text(self.texts.len() - 1)
            }
            // A key that came later and is not known here.
            _ => Node::Always(false),
        }
    }
}

fn keyword(word: &Atom) -> Node {
    let word = word.as_str().and_then(|word| word.parse().ok());
    // What cannot be a keyword of the store, no message has.
    word.map_or(Node::Always(false), Node::Keyword)
}

impl Node {
    fn decide(&self, known: &Known<'_>, bodies: usize) -> Result<bool, Need> {
        let info = known.info;
        Ok(match self {
            Self::Always(is) => *is,
            Self::And(nodes) => return all(nodes, known, bodies, false),
            Self::Or(nodes) => return all(nodes, known, bodies, true),
            Self::Not(node) => !node.decide(known, bodies)?,
            Self::Numbers(numbers) => contains(numbers, known.number),
            Self::Uids(uids) => contains(uids, info.uid.get()),
            Self::Flag(flag) => info.flags.contains(*flag),
            Self::Keyword(word) => info.flags.has_keyword(word),
            Self::Recent => known.is_recent,
            Self::Date(when, day) => when.is(DateTime::from_unix(unix(info)).date(), *day),
            Self::Larger(len) => info.size > *len,
            Self::Smaller(len) => info.size < *len,
            Self::ModSeq(mod_seq) => info.mod_seq.get() >= *mod_seq,
            Self::After(seconds) => unix(info) >= *seconds,
            Self::Sent(when, day) => {
                let header = known.header.ok_or(Need::Header)?;
                let date = fields(header).find(|field| field.is("date"));
                date.and_then(|field| date_of_field(&field.text()))
                    .is_some_and(|date| when.is(date, *day))
            }
            Self::Header(sought) => {
                let (name, needle) = &**sought;
                let header = known.header.ok_or(Need::Header)?;
                let mut named =
                    fields(header).filter(|field| field.name().eq_ignore_ascii_case(name));
                named.any(|field| needle.is_in(&field_text(&field.text())))
            }
            Self::Body(index) => known.found.ok_or(Need::Text)?[*index],
            Self::Text(index) => known.found.ok_or(Need::Text)?[bodies + index],
        })
    }
}

fn contains(ranges: &[(u32, u32)], number: u32) -> bool {
    let at = ranges.partition_point(|(_, to)| *to < number);
    ranges.get(at).is_some_and(|(from, _)| *from <= number)
}

/// Whether all nodes are true; with `is_any`, whether one is. One that decides is enough, whatever the others need.
fn all(nodes: &[Node], known: &Known<'_>, bodies: usize, is_any: bool) -> Result<bool, Need> {
    let mut need: Option<Need> = None;
    for node in nodes {
        match node.decide(known, bodies) {
            Ok(is) if is == is_any => return Ok(is),
            Ok(_) => {}
            // The least that decides one of them may decide all.
            Err(other) => need = Some(need.map_or(other, |need| need.min(other))),
        }
    }
    match need {
        Some(need) => Err(need),
        None => Ok(!is_any),
    }
}

pub(crate) fn unix(info: &MessageInfo) -> i64 {
    match info.date.duration_since(std::time::SystemTime::UNIX_EPOCH) {
        Ok(after) => i64::try_from(after.as_secs()).unwrap_or(i64::MAX),
        Err(before) => {
            i64::try_from(before.duration().as_secs()).map_or(i64::MIN, |seconds| -seconds)
        }
    }
}
