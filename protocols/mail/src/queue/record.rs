//! The files of a spool as text: envelopes, and how far deliveries have come. Pure.
//!
//! Each is a line `sinew-KIND 1 LENGTH HASH`, and so many bytes of lines. The lines of an envelope are commands of SMTP, read by its
//! codec. A file of a message has the envelope, the message, and then a trailer. The hash is FNV-1a of 64 bits: it finds what
//! disks and editors do, not what somebody does on purpose.

use std::fmt::Write;

use sinew_protocols::basic::Word;

use super::{DeliveryStage, Progress, QueuedEnvelope, QueuedRecipient, Status};
use crate::smtp::codec::{Command, EnhancedCode, MessageFacts, xtext};

/// Most bytes of an envelope or of a state.
pub(crate) const RECORD_MAX: usize = 64 << 20;
/// Most bytes of the first line.
pub(crate) const HEAD_MAX: usize = 64;
/// Bytes of a trailer.
pub(crate) const TRAILER_LEN: usize = 47;

const ENVELOPE: &str = "envelope";
const STATE: &str = "state";

/// A file of a spool is not what this program writes.
#[derive(Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a file of the spool is damaged: {0}")]
pub struct Damaged(pub(crate) &'static str);

sinew_transports::reactor::error_debug!(Damaged);

/// A hash that is fed in pieces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Hash(pub(crate) u64);

impl Default for Hash {
    fn default() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }
}

impl Hash {
    pub(crate) fn feed(&mut self, bytes: &[u8]) {
        self.0 = bytes
            .iter()
            .fold(self.0, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3));
    }
}

/// The envelope, and when it was accepted, in milliseconds since 1970.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EnvelopeRecord {
    pub(crate) arrived: u64,
    pub(crate) envelope: QueuedEnvelope,
}

/// How far a message has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StateRecord {
    pub(crate) is_held: bool,
    /// How many reports about the message there were.
    pub(crate) reports: u32,
    /// One for each recipient of the envelope.
    pub(crate) progress: Vec<Progress>,
}

/// What is behind a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Trailer {
    pub(crate) facts: MessageFacts,
    pub(crate) hash: Hash,
}

impl EnvelopeRecord {
    /// Writes the record.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut text = String::new();
        let _ = writeln!(text, "ARRIVED {}", self.arrived);
        let _ = writeln!(text, "{}", Command::Mail(self.envelope.sender.clone()));
        for to in &self.envelope.recipients {
            let _ = writeln!(text, "{}", Command::Rcpt(to.recipient.clone()));
            let _ = write!(text, "VIA {}", kind(to));
            push_word(&mut text, &String::from_utf8_lossy(&to.agent));
            text.push(' ');
            push_word(&mut text, &to.argument);
            text.push('\n');
            if let Some(sender) = &to.sender {
                let _ = writeln!(text, "OWNER {}", Command::Mail(sender.clone()));
            }
        }
        seal(ENVELOPE, &text)
    }

    /// Reads a record from the front of a file, and returns how many bytes it has.
    ///
    /// # Errors
    ///
    /// It is [`Damaged`].
    pub fn decode(bytes: &[u8]) -> Result<(Self, usize), Damaged> {
        let (text, len) = unseal(ENVELOPE, bytes)?;
        let mut lines = text.lines();
        let arrived = lines.next().and_then(|line| line.strip_prefix("ARRIVED "));
        let arrived = arrived.and_then(|arrived| arrived.parse().ok()).ok_or(Damaged("arrival"))?;
        let Some(Ok(Command::Mail(sender))) =
            lines.next().map(|line| Command::parse(line.as_bytes()))
        else {
            return Err(Damaged("sender"));
        };
        let mut recipients: Vec<QueuedRecipient> = Vec::new();
        let mut lines = lines.peekable();
        while let Some(line) = lines.next() {
            let Ok(Command::Rcpt(recipient)) = Command::parse(line.as_bytes()) else {
                return Err(Damaged("recipient"));
            };
            let way = lines.next().and_then(|line| line.strip_prefix("VIA "));
            let mut to = decode_way(recipient, way.ok_or(Damaged("way"))?)?;
            if let Some(owner) = lines.peek().and_then(|line| line.strip_prefix("OWNER ")) {
                let Ok(Command::Mail(owner)) = Command::parse(owner.as_bytes()) else {
                    return Err(Damaged("owner"));
                };
                to.sender = Some(owner);
                lines.next();
            }
            recipients.push(to);
        }
        Ok((Self { arrived, envelope: QueuedEnvelope { sender, recipients } }, len))
    }
}

/// The word before the agent.
fn kind(to: &QueuedRecipient) -> &'static str {
    match (to.is_expanded, to.is_twin) {
        (true, _) => "expanded ",
        (_, true) => "twin ",
        _ => "",
    }
}

fn decode_way(
    recipient: crate::smtp::codec::Recipient,
    way: &str,
) -> Result<QueuedRecipient, Damaged> {
    let is_expanded = way.starts_with("expanded ");
    let is_twin = way.starts_with("twin ");
    let way = way.split_once(' ').filter(|_| is_expanded || is_twin).map_or(way, |(_, way)| way);
    let (agent, argument) = way.split_once(' ').ok_or(Damaged("way"))?;
    let agent = Word::try_from(pop_word(agent)?).map_err(|_| Damaged("agent"))?;
    let argument = pop_word(argument)?.into();
    Ok(QueuedRecipient { recipient, agent, argument, sender: None, is_expanded, is_twin })
}

impl StateRecord {
    /// Writes the record.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut text = String::new();
        let _ = writeln!(text, "REPORTS {} {}", self.reports, u8::from(self.is_held));
        for progress in &self.progress {
            let Progress { stage, tries, next, last, report, is_delay_reported, .. } = progress;
            let is_late = u8::from(*is_delay_reported);
            let _ = write!(text, "TO {} {tries} {next} {last} {is_late} ", letter(*stage));
            match report {
                Some(report) => drop(write!(text, "{report}")),
                None => text.push('-'),
            }
            if let Some(Status { code, remote, text: words, is_reply }) = &progress.status {
                let _ = write!(text, " {code} {} ", u8::from(*is_reply));
                push_word(&mut text, remote.as_deref().unwrap_or_default());
                text.push(' ');
                push_word(&mut text, words);
            }
            text.push('\n');
        }
        seal(STATE, &text)
    }

    /// Reads a record.
    ///
    /// # Errors
    ///
    /// It is [`Damaged`].
    pub fn decode(bytes: &[u8]) -> Result<Self, Damaged> {
        let (text, len) = unseal(STATE, bytes)?;
        if len != bytes.len() {
            return Err(Damaged("more than a state"));
        }
        let mut lines = text.lines();
        let first = lines.next().and_then(|line| line.strip_prefix("REPORTS "));
        let (reports, is_held) =
            first.and_then(|line| line.split_once(' ')).ok_or(Damaged("reports"))?;
        let reports = number(reports)?;
        let is_held = flag(is_held)?;
        let progress = lines.map(decode_progress).collect::<Result<_, _>>()?;
        Ok(Self { is_held, reports, progress })
    }
}

fn decode_progress(line: &str) -> Result<Progress, Damaged> {
    let mut words = line.split(' ');
    let mut word = || words.next().ok_or(Damaged("progress"));
    if word()? != "TO" {
        return Err(Damaged("progress"));
    }
    let stage = stage(word()?)?;
    let (tries, next, last) = (number(word()?)?, number(word()?)?, number(word()?)?);
    let is_delay_reported = flag(word()?)?;
    let report = match word()? {
        "-" => None,
        report => Some(number(report)?),
    };
    let status = match word() {
        Err(_) => None,
        Ok(code) => Some(decode_status(code, [word()?, word()?, word()?])?),
    };
    if words.next().is_some() {
        return Err(Damaged("progress"));
    }
    Ok(Progress { stage, tries, next, last, status, report, is_delay_reported })
}

fn decode_status(code: &str, [is_reply, remote, text]: [&str; 3]) -> Result<Status, Damaged> {
    let mut parts = code.split('.');
    let mut part = || parts.next().ok_or(Damaged("code"));
    let code = EnhancedCode {
        class: number(part()?)?,
        subject: number(part()?)?,
        detail: number(part()?)?,
    };
    let remote = Some(pop_word(remote)?).filter(|remote| !remote.is_empty());
    let remote = remote.map(String::into_boxed_str);
    Ok(Status { code, remote, text: pop_word(text)?.into(), is_reply: flag(is_reply)? })
}

impl Trailer {
    pub(crate) fn encode(&self) -> [u8; TRAILER_LEN] {
        let flags =
            u8::from(self.facts.header_is_8bit()) | u8::from(self.facts.body_is_8bit()) << 1;
        let text =
            format!("\nsinew-end {:016x} {flags:x} {:016x}\n", self.facts.len(), self.hash.0);
        let mut bytes = [0; TRAILER_LEN];
        bytes.copy_from_slice(text.as_bytes());
        bytes
    }

    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, Damaged> {
        const WRONG: Damaged = Damaged("its end is missing");
        let text = str::from_utf8(bytes).map_err(|_| WRONG)?;
        let text = text.strip_prefix("\nsinew-end ").and_then(|text| text.strip_suffix('\n'));
        let mut words = text.ok_or(WRONG)?.split(' ');
        let mut hex =
            || words.next().and_then(|word| u64::from_str_radix(word, 16).ok()).ok_or(WRONG);
        let (len, flags, hash) = (hex()?, hex()?, hex()?);
        let facts = MessageFacts::noted(len, flags & 1 != 0, flags & 2 != 0);
        let trailer = Self { facts, hash: Hash(hash) };
        if trailer.encode() == bytes { Ok(trailer) } else { Err(WRONG) }
    }
}

fn seal(kind: &str, text: &str) -> Vec<u8> {
    let mut hash = Hash::default();
    hash.feed(text.as_bytes());
    format!("sinew-{kind} 1 {} {:016x}\n{text}", text.len(), hash.0).into_bytes()
}

/// The length of the first line and of the record behind it.
pub(crate) fn record_len(front: &[u8]) -> Result<usize, Damaged> {
    let front = &front[..front.len().min(HEAD_MAX)];
    let head = front.iter().position(|byte| *byte == b'\n').ok_or(Damaged("its first line"))?;
    let line = str::from_utf8(&front[..head]).map_err(|_| Damaged("its first line"))?;
    let len: usize = number(line.split(' ').nth(2).ok_or(Damaged("its first line"))?)?;
    if len > RECORD_MAX {
        return Err(Damaged("a record longer than any"));
    }
    Ok(head + 1 + len)
}

fn unseal<'a>(kind: &str, bytes: &'a [u8]) -> Result<(&'a str, usize), Damaged> {
    let len = record_len(bytes)?;
    let record = bytes.get(..len).ok_or(Damaged("it is cut"))?;
    let text = str::from_utf8(record).map_err(|_| Damaged("not text"))?;
    let (_, text) = text.split_once('\n').ok_or(Damaged("its first line"))?;
    if seal(kind, text) == record { Ok((text, len)) } else { Err(Damaged("its hash")) }
}

/// A text as one word, which may be empty.
fn push_word(out: &mut String, text: &str) {
    out.push('=');
    xtext::push(out, text);
}

fn pop_word(word: &str) -> Result<String, Damaged> {
    word.strip_prefix('=').and_then(xtext::decode).ok_or(Damaged("a word"))
}

fn number<N: std::str::FromStr>(word: &str) -> Result<N, Damaged> {
    word.parse().map_err(|_| Damaged("a number"))
}

fn flag(word: &str) -> Result<bool, Damaged> {
    match word {
        "0" => Ok(false),
        "1" => Ok(true),
        _ => Err(Damaged("a flag")),
    }
}

const STAGES: [(char, DeliveryStage); 6] = [
    ('P', DeliveryStage::Pending),
    ('D', DeliveryStage::Delivered),
    ('R', DeliveryStage::Relayed),
    ('N', DeliveryStage::RelayedWithoutReports),
    ('E', DeliveryStage::Expanded),
    ('F', DeliveryStage::Failed),
];

fn letter(stage: DeliveryStage) -> char {
    STAGES.iter().find(|row| row.1 == stage).map_or('P', |row| row.0)
}

fn stage(word: &str) -> Result<DeliveryStage, Damaged> {
    let found = STAGES.iter().find(|row| word.chars().eq([row.0]));
    found.map(|row| row.1).ok_or(Damaged("a stage"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::smtp::codec::{Notify, Recipient, Return, Sender};

    fn envelope() -> EnvelopeRecord {
        let sender = Sender::new(Some("\"ann lee\"@example.net".parse().unwrap()));
        let sender = sender.with_return(Return::Full).with_envelope_id("a b+c=d");
        let bob = Recipient::new("bob@example.org".parse().unwrap());
        let bob =
            bob.with_notify(Notify::SUCCESS).with_original(Word::from_static("rfc822"), "b ä");
        let list = Recipient::new("liste@bücher.example".parse().unwrap());
        let owner = Sender::new(Some("owner@example.org".parse().unwrap()));
        let envelope = QueuedEnvelope::new(sender)
            .with(QueuedRecipient::remote(bob))
            .with(
                QueuedRecipient::new(list.clone(), Word::from_static("local"))
                    .with_argument("a b")
                    .with_sender(owner),
            )
            .with(QueuedRecipient::expanded(list.clone()))
            .with(QueuedRecipient { is_twin: true, ..QueuedRecipient::remote(list) });
        EnvelopeRecord { arrived: 1_764_551_000_123, envelope }
    }

    fn state() -> StateRecord {
        let EnvelopeRecord { arrived, envelope } = envelope();
        let mut progress: Vec<_> =
            envelope.recipients.iter().map(|to| Progress::new(&envelope, to, arrived)).collect();
        progress[0].status = Some(Status::new(4, 4, 1, "no answer = ä").said_by("mx.example"));
        progress[1].status = Some(Status::new(5, 1, 1, ""));
        progress[1].stage = DeliveryStage::Failed;
        progress[1].is_delay_reported = true;
        StateRecord { is_held: true, reports: 7, progress }
    }

    #[test]
    fn records_are_read_as_they_were_written() {
        let bytes = envelope().encode();
        let mut file = bytes.clone();
        file.extend_from_slice(b"Subject: x\r\n\r\nsinew-envelope 1 0 0\n");
        assert_eq!(EnvelopeRecord::decode(&file), Ok((envelope(), bytes.len())));
        assert_eq!(StateRecord::decode(&state().encode()), Ok(state()));
        let mut facts = MessageFacts::default();
        facts.feed("\u{e4}\r\n\r\nx".as_bytes());
        let trailer =
            Trailer { facts: MessageFacts::noted(facts.len(), true, false), hash: Hash(1) };
        assert_eq!(Trailer::decode(&trailer.encode()), Ok(trailer));
    }

    #[test]
    fn no_byte_can_change_unnoticed_or_be_missing() {
        let trailer = Trailer { facts: MessageFacts::noted(1, false, true), hash: Hash(u64::MAX) };
        for bytes in [envelope().encode(), state().encode(), trailer.encode().to_vec()] {
            let is_read = |bytes: &[u8]| {
                EnvelopeRecord::decode(bytes).is_ok()
                    || StateRecord::decode(bytes).is_ok()
                    || Trailer::decode(bytes).is_ok_and(|read| read == trailer)
            };
            assert!(is_read(&bytes));
            for at in 0..bytes.len() {
                assert!(!is_read(&bytes[..at]), "cut at {at}");
                let mut changed = bytes.clone();
                changed[at] ^= 1;
                assert!(!is_read(&changed), "changed at {at}");
            }
        }
    }
}
