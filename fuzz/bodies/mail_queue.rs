//! A queue of mail: whatever is in a file of aliases, or in a file of the spool, it is read without harm, and what was read is written and
//! read as the same; and whatever others have said, a report about it is a report.

use sinew::mail::{
    queue::{
        MessageId, Status,
        record::{EnvelopeRecord, StateRecord},
        report::{Action, Report, Returned},
    },
    routing::{Aliases, Target, TargetRules, parse_targets},
    smtp::codec::{Command, MessageFacts, Return},
};
use sinew::protocols::basic::Word;

use super::input::Input;

pub(crate) fn aliases(data: &mut Input<'_>) {
    let flags = data.byte();
    let rules = TargetRules::default()
        .programs(flags & 1 != 0)
        .files(flags & 2 != 0)
        .includes(flags & 4 != 0);
    let text = String::from_utf8_lossy(data.rest()).into_owned();
    if let Ok(aliases) = Aliases::parse(&text, rules) {
        for domain in aliases.catch_all_domains() {
            assert!(aliases.catch_all(domain).is_some(), "{domain:?}");
        }
        let included = aliases.including(rules, |_| Ok(text.clone()));
        drop(included);
    }
    for target in parse_targets(&text, rules, 50).into_iter().flatten() {
        let shown = target.to_string();
        assert!(!shown.contains(char::is_control), "{shown:?}");
        match target {
            // Spaces at its ends are not a part of a command.
            Target::Program(_) | Target::Include(_) => {}
            target => assert_eq!(Target::parse(&shown, rules), Ok(target), "{shown:?}"),
        }
    }
}

/// A record as the spool has it, by a second implementation.
fn sealed(kind: &str, text: &str) -> Vec<u8> {
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    for byte in text.bytes() {
        hash ^= u64::from(byte);
        hash = hash.wrapping_mul(1_099_511_628_211);
    }
    format!("sinew-{kind} 1 {} {hash:016x}\n{text}", text.len()).into_bytes()
}

pub(crate) fn spool(data: &mut Input<'_>) {
    let is_sealed = data.byte() & 1 != 0;
    let bytes = data.rest();
    let text = String::from_utf8_lossy(bytes);
    let of = |kind| if is_sealed { sealed(kind, &text) } else { bytes.to_vec() };
    if let Ok((record, len)) = EnvelopeRecord::decode(&of("envelope")) {
        assert!(len <= of("envelope").len());
        let written = record.encode();
        assert_eq!(EnvelopeRecord::decode(&written), Ok((record, written.len())));
    }
    if let Ok(record) = StateRecord::decode(&of("state")) {
        let written = record.encode();
        assert_eq!(StateRecord::decode(&written), Ok(record));
    }
}

pub(crate) fn report(data: &mut Input<'_>) {
    let (flags, text) = (data.byte(), data.rest());
    // A line for what a server has said, one for the recipient, and the message.
    let mut parts = text.splitn(3, |byte| *byte == b'\n');
    let (said, to, message) = (parts.next(), parts.next(), parts.next());
    let said = String::from_utf8_lossy(said.unwrap_or_default());
    let Ok(Command::Rcpt(to)) = Command::parse(to.unwrap_or_default()) else { return };
    let message = message.unwrap_or_default();
    let mut facts = MessageFacts::default();
    facts.feed(message);
    let (hostname, id) = (Word::from_static("mail.example"), "a-1".parse::<MessageId>());
    let (id, sender) = (id.expect("a name"), "ann@example.net".parse().expect("an address"));
    let status = Status::new(flags >> 5, 1, 1, &said).said_by(&said);
    let action = [Action::Failed, Action::Delayed, Action::Delivered, Action::Expanded]
        [usize::from(flags & 3)];
    let wanted = (flags & 4 != 0).then_some(Return::Headers);
    let report = Report::new(&hostname, &id, &sender, [1, 2, u64::MAX])
        .envelope_id(Some(&said))
        .about(&to, action, Some(&status), 3)
        .returning(Returned::choose(message, &facts, wanted));
    let report = report.encode();
    check(&report, message);
}

/// A report has a header, three parts, and no line too long before what is returned.
fn check(report: &[u8], message: &[u8]) {
    let lossy = String::from_utf8_lossy(report);
    let boundary = lossy.split("boundary=\"").nth(1).and_then(|rest| rest.split('"').next());
    let boundary = format!("--{}", boundary.expect("a boundary"));
    let count = lossy.matches(&boundary).count();
    assert_eq!(count, 4, "{lossy}");
    let returned = lossy.match_indices(&boundary).nth(2).expect("four").0;
    let ours = &lossy[..returned];
    assert!(ours.is_ascii() && !ours.contains('\0'), "{lossy}");
    assert!(
        ours.split("\r\n").all(|line| line.len() < 998 && !line.contains(['\r', '\n'])),
        "{lossy}"
    );
    let (head, _) = ours.split_once("\r\n\r\n").expect("a header");
    let fields = head.split("\r\n").filter(|line| !line.starts_with([' ', '\t']));
    assert_eq!(fields.count(), if head.contains("Transfer-Encoding") { 9 } else { 8 }, "{head}");
    for (field, times) in
        [("\r\nFinal-Recipient: ", 1), ("\r\nAction: ", 1), ("\r\nReporting-MTA: ", 1)]
    {
        assert_eq!(ours.matches(field).count(), times, "{lossy}");
    }
    assert!(report.len() < message.len() * 2 + 20_000, "{}", report.len());
}
