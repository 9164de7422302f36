//! The words of the command line: [`Words`]. Pure.

use std::{net::IpAddr, time::Duration};

use sinew::{
    dns::{
        codec::{DNSClass, Name, Question, RecordType},
        zone::type_of_text,
    },
    reactor::Excerpt,
};

/// What is asked, and how.
#[derive(Debug)]
pub(super) struct Words {
    /// As they were written.
    pub(super) text: Vec<String>,
    pub(super) server: Option<String>,
    pub(super) asked: Vec<Asked>,
    pub(super) flags: Flags,
}

/// One question.
#[derive(Debug, PartialEq)]
pub(super) struct Asked {
    pub(super) name: Name,
    pub(super) record_type: RecordType,
    pub(super) class: DNSClass,
}

/// Words with a plus sign.
#[derive(Debug, PartialEq)]
pub(super) struct Flags {
    pub(super) is_short: bool,
    pub(super) is_trace: bool,
    pub(super) is_tcp: bool,
    pub(super) is_tls: bool,
    pub(super) has_edns: bool,
    pub(super) is_dnssec: bool,
    pub(super) is_recursive: bool,
    pub(super) is_checking_disabled: bool,
    pub(super) timeout: Duration,
    pub(super) tries: u32,
}

/// The flags that can be turned off by `no`, with their other names.
const SWITCHES: [(&str, &str); 8] = [
    ("short", ""),
    ("trace", ""),
    ("tcp", "vc"),
    ("tls", ""),
    ("edns", ""),
    ("dnssec", "do"),
    ("recurse", "rec"),
    ("cd", "cdflag"),
];

impl Default for Flags {
    fn default() -> Self {
        Self {
            is_short: false,
            is_trace: false,
            is_tcp: false,
            is_tls: false,
            has_edns: true,
            is_dnssec: false,
            is_recursive: true,
            is_checking_disabled: false,
            timeout: Duration::from_secs(5),
            tries: 3,
        }
    }
}

impl Flags {
    pub(super) fn question(&self, asked: &Asked) -> Question {
        Question::new(asked.name.clone(), asked.record_type)
            .class(asked.class)
            .recursion_desired(self.is_recursive)
            .checking_disabled(self.is_checking_disabled)
            .dnssec_ok(self.is_dnssec)
    }

    fn set(&mut self, word: &str) -> Result<(), String> {
        if let Some((name, value)) = word.split_once('=') {
            let number = value.parse::<u32>().ok();
            let number = number.filter(|number| (1..=300).contains(number));
            let number =
                number.ok_or_else(|| format!("+{}: a number of 1 to 300", Excerpt::new(word)))?;
            match name {
                "time" | "timeout" => self.timeout = Duration::from_secs(number.into()),
                "tries" => self.tries = number,
                _ => return Err(unknown(word)),
            }
            return Ok(());
        }
        let is_known = |word: &str| {
            SWITCHES
                .iter()
                .find(|(name, other)| !word.is_empty() && (word == *name || word == *other))
        };
        let (switch, on) = match (is_known(word), word.strip_prefix("no").and_then(is_known)) {
            (Some(switch), _) => (switch.0, true),
            (None, Some(switch)) => (switch.0, false),
            (None, None) => return Err(unknown(word)),
        };
        *match switch {
            "short" => &mut self.is_short,
            "trace" => &mut self.is_trace,
            "tcp" => &mut self.is_tcp,
            "tls" => &mut self.is_tls,
            "edns" => &mut self.has_edns,
            "dnssec" => &mut self.is_dnssec,
            "recurse" => &mut self.is_recursive,
            _ => &mut self.is_checking_disabled,
        } = on;
        Ok(())
    }
}

fn unknown(word: &str) -> String {
    let known: Vec<_> = SWITCHES.iter().map(|(name, _)| format!("+[no]{name}")).collect();
    format!(
        "unknown flag +{}; there are {}, +time=SECONDS and +tries=N",
        Excerpt::new(word),
        known.join(", ")
    )
}

impl Words {
    /// Reads the words, and the addresses of `-x`.
    pub(super) fn parse(words: &[String], reverse: &[IpAddr]) -> Result<Self, String> {
        let mut flags = Flags::default();
        let mut server = None;
        let mut asked = Vec::<Partly>::new();
        for word in words {
            if let Some(name) = word.strip_prefix('@') {
                if name.is_empty() || server.replace(name.to_owned()).is_some() {
                    return Err("one server is expected, as @192.0.2.53".to_owned());
                }
                continue;
            }
            if let Some(flag) = word.strip_prefix('+') {
                flags.set(flag)?;
                continue;
            }
            // A word is a type or a class if it can be, and none was given for the name before it.
            let may_be_type = asked.last().is_none_or(|(_, known, _)| known.is_none());
            let may_be_class = asked.last().is_none_or(|(.., known)| known.is_none());
            if let Some(record_type) = type_of_text(word).filter(|_| may_be_type) {
                last(&mut asked).1 = Some(record_type);
            } else if let Some(class) = class_of_text(word).filter(|_| may_be_class) {
                last(&mut asked).2 = Some(class);
            } else {
                if asked.last().is_some_and(|(known, ..)| known.is_some()) {
                    asked.push((None, None, None));
                }
                last(&mut asked).0 = Some(name(word)?);
            }
        }
        let mut all: Vec<_> = asked
            .into_iter()
            .map(|(name, record_type, class)| {
                // Without a name, it is the servers of the root.
                let otherwise = if name.is_some() { RecordType::A } else { RecordType::NS };
                Asked {
                    name: name.unwrap_or_else(Name::root),
                    record_type: record_type.unwrap_or(otherwise),
                    class: class.unwrap_or(DNSClass::IN),
                }
            })
            .collect();
        let ptr = |ip: &IpAddr| Asked {
            name: (*ip).into(),
            record_type: RecordType::PTR,
            class: DNSClass::IN,
        };
        all.extend(reverse.iter().map(ptr));
        if all.is_empty() {
            all.push(Asked {
                name: Name::root(),
                record_type: RecordType::NS,
                class: DNSClass::IN,
            });
        }
        if all.iter().any(|asked| asked.record_type == RecordType::IXFR) {
            return Err("only whole zones can be transferred: ask for AXFR".to_owned());
        }
        Ok(Self { text: words.to_vec(), server, asked: all, flags })
    }
}

/// A question as far as it is known.
type Partly = (Option<Name>, Option<RecordType>, Option<DNSClass>);

/// The last of them; the first, if there is none yet.
fn last(asked: &mut Vec<Partly>) -> &mut Partly {
    if asked.is_empty() {
        asked.push((None, None, None));
    }
    let at = asked.len() - 1;
    &mut asked[at]
}

/// A class that can be asked for; ANY is rather meant as a type.
fn class_of_text(text: &str) -> Option<DNSClass> {
    text.to_ascii_uppercase().parse().ok().filter(|class| *class != DNSClass::ANY)
}

/// A name, which is absolute with or without a dot at its end; also one in another script (IDNA).
fn name(text: &str) -> Result<Name, String> {
    let read = if text.is_ascii() { Name::from_ascii(text) } else { Name::from_utf8(text) };
    let mut name =
        read.map_err(|error| format!("{:?} is not a name: {error}", Excerpt::new(text)))?;
    name.set_fqdn(true);
    Ok(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Words, String> {
        let words: Vec<_> = text.split_whitespace().map(str::to_owned).collect();
        Words::parse(&words, &[])
    }

    fn asked(text: &str) -> Vec<String> {
        let words = parse(text).unwrap();
        words
            .asked
            .iter()
            .map(|it| format!("{} {} {}", it.name.to_ascii(), it.class, it.record_type))
            .collect()
    }

    #[test]
    fn names_types_and_classes() {
        for (text, expected) in [
            ("", &[". IN NS"][..]),
            ("example.org", &["example.org. IN A"]),
            ("@192.0.2.1 +short example.org. mx", &["example.org. IN MX"]),
            ("MX example.org", &["example.org. IN MX"]),
            ("version.bind CH TXT", &["version.bind. CH TXT"]),
            ("version.bind TXT CH", &["version.bind. CH TXT"]),
            (
                "a.example MX b.example c.example AAAA",
                &["a.example. IN MX", "b.example. IN A", "c.example. IN AAAA"],
            ),
            ("mx. mx", &["mx. IN MX"]),
            ("a.example any", &["a.example. IN ANY"]),
            ("SOA", &[". IN SOA"]),
            ("münchen.example", &["xn--mnchen-3ya.example. IN A"]),
        ] {
            assert_eq!(asked(text), expected, "{text}");
        }
        let x = Words::parse(&[], &["192.0.2.7".parse().unwrap()]).unwrap();
        assert_eq!(x.asked[0].name.to_ascii(), "7.2.0.192.in-addr.arpa.");
    }

    #[test]
    fn flags() {
        let flags = parse("+short +tcp +norecurse +do +noedns +time=2 +tries=1").unwrap().flags;
        let expected = Flags {
            is_short: true,
            is_tcp: true,
            is_recursive: false,
            is_dnssec: true,
            has_edns: false,
            timeout: Duration::from_secs(2),
            tries: 1,
            ..Flags::default()
        };
        assert_eq!(flags, expected);
        for text in
            ["+bogus", "+", "+no", "+time=0", "+time=x", "+x=1", "@", "@a @b", "a..b", "x IXFR"]
        {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
