//! The text format of recordings: printing and parsing. Pure; the input may come from anyone.

use std::{collections::BTreeSet, fmt, net::SocketAddr, str::FromStr, time::Duration};

use sinew_reactor::Excerpt;

use super::{Record, RecordKind, Recording};
use sinew_transports::Peer;

/// The first line of every recording.
const HEADER: &str = "sinew recording 1";

/// The last line of a truncated recording.
const TRUNCATED: &str = "truncated";

/// The first word of the first record of a connection.
const MADE: &str = "made";

/// Decimal places of a time: nanoseconds.
const PLACES: usize = 9;

/// The records that consist of one word.
const WORDS: [(&str, RecordKind); 12] = [
    ("read_closed", RecordKind::ReadClosed),
    ("end_discarded", RecordKind::EndDiscarded),
    ("blocked", RecordKind::Blocked),
    ("write_closed", RecordKind::WriteClosed),
    ("timer_fired", RecordKind::TimerFired),
    ("idle_timeout", RecordKind::IdleTimeout),
    ("drain_requested", RecordKind::DrainRequested),
    ("writing_paused", RecordKind::WritingPaused),
    ("writing_resumed", RecordKind::WritingResumed),
    ("reading_resumed", RecordKind::ReadingResumed),
    ("reset", RecordKind::Reset),
    ("closed", RecordKind::Closed),
];

/// Why a text is not a valid recording.
#[derive(Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {fault}")]
pub struct ParseRecordingError {
    line: usize,
    fault: Fault,
}

sinew_reactor::error_debug!(ParseRecordingError);

impl ParseRecordingError {
    /// The line number, starting at 1.
    #[must_use]
    pub const fn line(&self) -> usize {
        self.line
    }
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Fault {
    #[error("a recording must begin with \"{HEADER}\"")]
    Header,
    #[error("a record must begin with a time in seconds, such as 1.250000")]
    Time,
    #[error("this record is earlier than the previous one")]
    Order,
    #[error("expected a connection such as #1 after the time")]
    Connection,
    #[error("the connection has no \"made\" record, or more than one")]
    Made,
    #[error("{:?} is not an address", Excerpt::new(.0))]
    Address(String),
    #[error("unknown record {:?}", Excerpt::new(.0))]
    Word(String),
    #[error(
        "expected a quoted text, with the escapes \\n, \\r, \\t, \\\\, \\', \\\" and \\x00 to \\xff"
    )]
    Quoted,
    #[error("\"{TRUNCATED}\" must be the last line")]
    Truncated,
}

// ---- printing ----

impl fmt::Display for Recording {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{HEADER}")?;
        self.0.records.borrow().iter().try_for_each(|record| writeln!(f, "{record}"))?;
        if self.is_truncated() { writeln!(f, "{TRUNCATED}") } else { Ok(()) }
    }
}

impl fmt::Display for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} #{} {}", Seconds(self.at), self.connection, self.kind)
    }
}

/// A time in seconds, with microseconds if that is exact, otherwise with nanoseconds.
pub(super) struct Seconds(pub(super) Duration);

impl fmt::Display for Seconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (seconds, nanos) = (self.0.as_secs(), self.0.subsec_nanos());
        match nanos % 1_000 {
            0 => write!(f, "{seconds}.{:06}", nanos / 1_000),
            _ => write!(f, "{seconds}.{nanos:09}"),
        }
    }
}

impl fmt::Display for RecordKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (word, data) = match self {
            Self::Made { by_peer, peer, local } => return write_made(f, *by_peer, peer, *local),
            Self::Received(data) => ("received", &data[..]),
            Self::Discarded(data) => ("discarded", &data[..]),
            Self::Sent(data) => ("sent", &data[..]),
            Self::Failed(why) => ("failed", why.as_bytes()),
            Self::Lost(why) => ("lost", why.as_bytes()),
            word => {
                let found = WORDS.iter().find(|(_, kind)| kind == word);
                return f.write_str(found.map_or("", |(word, _)| word));
            }
        };
        write!(f, "{word} \"{}\"", data.escape_ascii())
    }
}

fn write_made(
    f: &mut fmt::Formatter<'_>,
    by_peer: bool,
    peer: &Peer,
    local: Option<SocketAddr>,
) -> fmt::Result {
    match peer.socket_addr() {
        Some(addr) => write!(f, "{MADE} {} {addr}", if by_peer { "from" } else { "to" })?,
        None => write!(f, "{MADE} with memory")?,
    }
    local.map_or(Ok(()), |local| write!(f, " at {local}"))
}

// ---- parsing ----

impl FromStr for Recording {
    type Err = ParseRecordingError;

    fn from_str(text: &str) -> Result<Self, ParseRecordingError> {
        let mut lines = (1..).zip(text.lines());
        if lines.next().is_none_or(|(_, line)| line.trim() != HEADER) {
            return Err(ParseRecordingError { line: 1, fault: Fault::Header });
        }
        let recording = Self::new().bytes_max(usize::MAX);
        let mut made = BTreeSet::new();
        for (number, line) in lines {
            let line = line.trim();
            if !line.is_empty() && !line.starts_with('#') {
                recording
                    .read(line, &mut made)
                    .map_err(|fault| ParseRecordingError { line: number, fault })?;
            }
        }
        Ok(recording)
    }
}

impl Recording {
    /// Parses a line. `made` holds the connections seen so far.
    fn read(&self, line: &str, made: &mut BTreeSet<u32>) -> Result<(), Fault> {
        if self.is_truncated() {
            return Err(Fault::Truncated);
        }
        if line == TRUNCATED {
            self.0.truncated.set(true);
            return Ok(());
        }
        let record: Record = line.parse()?;
        let mut records = self.0.records.borrow_mut();
        if records.last().is_some_and(|last| last.at > record.at) {
            return Err(Fault::Order);
        }
        let is_made = matches!(record.kind, RecordKind::Made { .. });
        let is_there = if is_made {
            made.insert(record.connection)
        } else {
            made.contains(&record.connection)
        };
        if !is_there {
            return Err(Fault::Made);
        }
        self.0.connections.set(self.0.connections.get().max(record.connection));
        records.push(record);
        Ok(())
    }
}

impl FromStr for Record {
    type Err = Fault;

    fn from_str(line: &str) -> Result<Self, Fault> {
        let (at, rest) = line.split_once(' ').ok_or(Fault::Time)?;
        let at = seconds(at).ok_or(Fault::Time)?;
        let (connection, kind) = rest.trim_start().split_once(' ').ok_or(Fault::Connection)?;
        let connection = connection.strip_prefix('#').and_then(|number| number.parse().ok());
        let connection = connection.filter(|number| *number > 0).ok_or(Fault::Connection)?;
        Ok(Self { at, connection, kind: kind.trim_start().parse()? })
    }
}

/// `1`, `1.5`, `1.500000000`.
fn seconds(text: &str) -> Option<Duration> {
    let (whole, part) = text.split_once('.').unwrap_or((text, "0"));
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if !is_number(whole) || !is_number(part) || part.len() > PLACES {
        return None;
    }
    // Limited to 32 bits of seconds, far beyond simulated clocks.
    let whole = whole.parse::<u32>().ok()?;
    Some(Duration::new(whole.into(), format!("{part:0<PLACES$}").parse().ok()?))
}

impl FromStr for RecordKind {
    type Err = Fault;

    fn from_str(text: &str) -> Result<Self, Fault> {
        if let Some((_, kind)) = WORDS.iter().find(|(word, _)| *word == text) {
            return Ok(kind.clone());
        }
        let (word, rest) = text.split_once(' ').unwrap_or((text, ""));
        let in_words = || Ok(String::from_utf8_lossy(&quoted(rest)?).into_owned());
        match word {
            MADE => read_made(rest),
            "received" => Ok(Self::Received(quoted(rest)?)),
            "discarded" => Ok(Self::Discarded(quoted(rest)?)),
            "sent" => Ok(Self::Sent(quoted(rest)?)),
            "failed" => Ok(Self::Failed(in_words()?)),
            "lost" => Ok(Self::Lost(in_words()?)),
            _ => Err(Fault::Word(text.to_owned())),
        }
    }
}

/// `from 127.0.0.1:40000 at 127.0.0.1:80`, `with memory`.
fn read_made(text: &str) -> Result<RecordKind, Fault> {
    let address = |text: &str| text.parse().map_err(|_| Fault::Address(text.to_owned()));
    let (how, rest) = text.split_once(' ').unwrap_or((text, ""));
    let (peer, local) = match rest.split_once(" at ") {
        Some((peer, local)) => (peer, Some(address(local)?)),
        None => (rest, None),
    };
    let peer = match (how, peer) {
        ("from" | "to", peer) => Peer::Inet(address(peer)?),
        ("with", "memory") => Peer::Memory,
        _ => return Err(Fault::Word(format!("{MADE} {text}"))),
    };
    Ok(RecordKind::Made { by_peer: how == "from", peer, local })
}

/// Parses the quoted output of [`escape_ascii`](slice::escape_ascii). Other UTF-8 text is taken literally.
fn quoted(text: &str) -> Result<Vec<u8>, Fault> {
    let inside = text.strip_prefix('"').and_then(|text| text.strip_suffix('"'));
    unescaped(inside.ok_or(Fault::Quoted)?.as_bytes()).ok_or(Fault::Quoted)
}

fn unescaped(text: &[u8]) -> Option<Vec<u8>> {
    let hex = |digit: u8| char::from(digit).to_digit(16);
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.iter().copied();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'"' => return None,
            b'\\' => match rest.next()? {
                b'n' => b'\n',
                b'r' => b'\r',
                b't' => b'\t',
                b'x' => u8::try_from(hex(rest.next()?)? * 16 + hex(rest.next()?)?).ok()?,
                escaped @ (b'\\' | b'\'' | b'"') => escaped,
                _ => return None,
            },
            byte => byte,
        });
    }
    Some(bytes)
}
