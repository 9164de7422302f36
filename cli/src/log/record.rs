//! One message and its fields, and how it is written: as text, as a JSON object, and in the format of journald. Pure.

use std::fmt::{self, Write as _};

use serde_json::{Map, Value};
use tracing::{
    Level,
    field::{Field, Visit},
};

/// The longest text of a message or a field, in bytes. The rest is cut off.
const TEXT_MAX: usize = 8_192;
/// The most fields of one message.
const FIELDS_MAX: usize = 64;

/// The fields of an event or a span, with their types.
#[derive(Clone, Debug, Default)]
pub(super) struct Fields {
    pub(super) message: String,
    pub(super) values: Vec<(&'static str, Value)>,
}

/// An event.
#[derive(Debug)]
pub(super) struct Record<'a> {
    /// As in RFC 3339.
    pub(super) time: &'a str,
    pub(super) level: Level,
    pub(super) target: &'a str,
    pub(super) fields: Fields,
    /// From the outermost to the innermost.
    pub(super) spans: Vec<(&'static str, Fields)>,
}

impl Fields {
    fn add(&mut self, field: &Field, value: Value) {
        if self.values.len() < FIELDS_MAX {
            self.values.push((field.name(), value));
        }
    }

    fn add_text(&mut self, field: &Field, text: String) {
        if field.name() == "message" {
            self.message = text;
        } else {
            self.add(field, text.into());
        }
    }
}

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        let mut text = Limited(String::new());
        let _ = write!(text, "{value:?}");
        self.add_text(field, text.0);
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        let mut text = Limited(String::new());
        let _ = text.write_str(value);
        self.add_text(field, text.0);
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.add(field, value.into());
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.add(field, value.into());
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.add(field, value.into());
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.add(field, value.into());
    }
}

/// Text that does not grow over the limit.
struct Limited(String);

impl fmt::Write for Limited {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let mut end = text.len().min(TEXT_MAX - self.0.len().min(TEXT_MAX));
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        self.0.push_str(&text[..end]);
        if end == text.len() { Ok(()) } else { Err(fmt::Error) }
    }
}

impl Record<'_> {
    /// One line. Control characters are escaped, so that no text can begin a line of its own.
    pub(super) fn text(&self, colour: bool) -> Vec<u8> {
        let mut line = String::new();
        let paint = |code: &'static str| if colour { code } else { "" };
        let level = match self.level {
            Level::ERROR => "\x1b[31m",
            Level::WARN => "\x1b[33m",
            Level::INFO => "\x1b[32m",
            Level::DEBUG => "\x1b[34m",
            Level::TRACE => "\x1b[35m",
        };
        let (dim, end) = (paint("\x1b[2m"), paint("\x1b[0m"));
        let _ = write!(line, "{dim}{}{end} {}{:>5}{end} ", self.time, paint(level), self.level);
        for (name, fields) in &self.spans {
            let _ = write!(line, "{name}{{{}}}: ", Pairs(fields).to_string().trim_start());
        }
        let _ = write!(line, "{dim}{}:{end} ", self.target);
        escape(&mut line, &self.fields.message);
        let _ = writeln!(line, "{}", Pairs(&self.fields));
        line.into_bytes()
    }

    /// One JSON object on a line.
    pub(super) fn json(&self) -> Vec<u8> {
        let object = |fields: &Fields| {
            fields.values.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect()
        };
        let mut record = Map::new();
        record.insert("timestamp".to_owned(), self.time.into());
        record.insert("level".to_owned(), self.level.as_str().into());
        record.insert("target".to_owned(), self.target.into());
        record.insert("message".to_owned(), self.fields.message.as_str().into());
        record.insert("fields".to_owned(), Value::Object(object(&self.fields)));
        let spans = self.spans.iter().map(|(name, fields)| {
            let mut span: Map<String, Value> = object(fields);
            span.insert("name".to_owned(), (*name).into());
            Value::Object(span)
        });
        record.insert("spans".to_owned(), spans.collect());
        let mut line = Value::Object(record).to_string().into_bytes();
        line.push(b'\n');
        line
    }

    /// A datagram of the native protocol of journald: a variable on each line, or with its length if it has line breaks.
    pub(super) fn journald(&self) -> Vec<u8> {
        let mut datagram = Vec::new();
        // The levels of syslog(3).
        let priority = match self.level {
            Level::ERROR => "3",
            Level::WARN => "4",
            Level::INFO => "6",
            Level::DEBUG | Level::TRACE => "7",
        };
        variable(&mut datagram, "PRIORITY", priority);
        variable(&mut datagram, "SYSLOG_IDENTIFIER", "sinew");
        variable(&mut datagram, "TARGET", self.target);
        variable(&mut datagram, "MESSAGE", &self.fields.message);
        let of_spans = self.spans.iter().flat_map(|(_, fields)| &fields.values);
        for (name, value) in of_spans.chain(&self.fields.values) {
            let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            variable(&mut datagram, &variable_name(name), &text);
        }
        datagram
    }
}

/// ` name=value` for each field, strings in quotes.
struct Pairs<'a>(&'a Fields);

impl fmt::Display for Pairs<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, value) in &self.0.values {
            match value.as_str() {
                Some(text) if is_plain(text) => write!(f, " {name}={text}")?,
                Some(text) => {
                    let mut escaped = String::new();
                    escape(&mut escaped, &text.replace('\\', "\\\\").replace('"', "\\\""));
                    write!(f, " {name}=\"{escaped}\"")?;
                }
                None => write!(f, " {name}={value}")?,
            }
        }
        Ok(())
    }
}

fn is_plain(text: &str) -> bool {
    !text.is_empty()
        && text.bytes().all(|byte| byte.is_ascii_graphic() && !matches!(byte, b'"' | b'\\' | b'='))
}

/// Appends `text` with its control characters, and those that change the direction of text, escaped.
fn escape(to: &mut String, text: &str) {
    for c in text.chars() {
        let changes_layout = matches!(c, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
        if c.is_control() || changes_layout {
            to.extend(c.escape_default());
        } else {
            to.push(c);
        }
    }
}

/// Upper case, digits and underscores, and in a name space of its own, so that no field can pass for one of journald's.
fn variable_name(name: &str) -> String {
    let allowed = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' };
    std::iter::once('F').chain(std::iter::once('_')).chain(name.chars().map(allowed)).collect()
}

fn variable(datagram: &mut Vec<u8>, name: &str, value: &str) {
    datagram.extend(name.as_bytes());
    if value.contains('\n') {
        datagram.push(b'\n');
        datagram.extend((value.len() as u64).to_le_bytes());
    } else {
        datagram.push(b'=');
    }
    datagram.extend(value.as_bytes());
    datagram.push(b'\n');
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record() -> Record<'static> {
        let values = vec![
            ("peer", Value::from("127.0.0.1:9")),
            ("name", Value::from("evil\n\"\u{202e}\x1b[31m")),
            ("count", Value::from(3)),
            ("span.id", Value::from("a b")),
        ];
        Record {
            time: "2026-11-30T09:00:00Z",
            level: Level::WARN,
            target: "sinew::test",
            fields: Fields { message: "a message\nof two lines".to_owned(), values },
            spans: vec![(
                "connection",
                Fields { message: String::new(), values: vec![("id", Value::from(7))] },
            )],
        }
    }

    #[test]
    fn text_is_one_line_and_escaped() {
        let text = String::from_utf8(record().text(false)).unwrap();
        let expected = "2026-11-30T09:00:00Z  WARN connection{id=7}: sinew::test: a message\\nof two lines peer=127.0.0.1:9 \
            name=\"evil\\n\\\"\\u{202e}\\u{1b}[31m\" count=3 span.id=\"a b\"\n";
        assert_eq!(text, expected);
        let colourful = String::from_utf8(record().text(true)).unwrap();
        assert!(colourful.contains("\x1b[33m WARN\x1b[0m"), "{colourful:?}");
    }

    #[test]
    fn json_keeps_the_types() {
        let line = String::from_utf8(record().json()).unwrap();
        assert_eq!(line.matches('\n').count(), 1);
        let value: Value = serde_json::from_str(&line).unwrap();
        assert_eq!(value["message"], "a message\nof two lines");
        assert_eq!(value["fields"]["count"], 3);
        assert_eq!(value["spans"][0]["name"], "connection");
        assert_eq!(value["level"], "WARN");
    }

    #[test]
    fn no_value_can_begin_a_variable_of_the_journal() {
        let datagram = record().journald();
        let expected = b"PRIORITY=4\nSYSLOG_IDENTIFIER=sinew\nTARGET=sinew::test\nMESSAGE\n\x16\0\0\0\0\0\0\0a message\nof two lines\n\
            F_ID=7\nF_PEER=127.0.0.1:9\nF_NAME\n";
        assert_eq!(datagram[..expected.len()], expected[..], "{}", datagram.escape_ascii());
        let rest = String::from_utf8_lossy(&datagram[expected.len() + 8..]);
        assert!(rest.ends_with("F_COUNT=3\nF_SPAN_ID=a b\n"), "{rest:?}");
    }

    #[test]
    fn long_text_is_cut_at_a_character() {
        let mut text = Limited(String::new());
        let _ = write!(text, "x{}", "ä".repeat(TEXT_MAX));
        assert_eq!(text.0.len(), TEXT_MAX - 1);
        assert!(text.write_str("more").is_err());
    }
}
