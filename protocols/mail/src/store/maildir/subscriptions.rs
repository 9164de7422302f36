//! The file of subscriptions: a line with the name of a folder for each, as Dovecot writes it for Maildir++, without the dot at the front.
//! Its newer form, with a line `V 2` at the top and tabs between parts, is read, too. Pure.

use std::collections::BTreeSet;

use super::folder_name;
use crate::store::MailboxName;

/// What is subscribed. Lines that cannot be the name of a mailbox are left out.
pub(crate) fn parse(text: &str) -> BTreeSet<MailboxName> {
    let is_newer = text.starts_with("V\t");
    let lines = text.lines().skip(if is_newer { 2 } else { 0 });
    lines
        .filter_map(|line| match line.eq_ignore_ascii_case("INBOX") {
            true => Some(MailboxName::inbox()),
            false if is_newer => folder_name::decode(&format!(".{}", line.replace('\t', "."))),
            false => folder_name::decode(&format!(".{line}")),
        })
        .collect()
}

/// The contents of the file. Names that are too long for a folder are left out.
pub(crate) fn format(names: &BTreeSet<MailboxName>) -> String {
    let mut text = String::new();
    for name in names {
        match folder_name::encode(name) {
            Some(folder) => text.push_str(&folder[1..]),
            None if name.is_inbox() => text.push_str(name.as_str()),
            None => continue,
        }
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_are_read_and_the_older_is_written() {
        let read = |text| parse(text).iter().map(ToString::to_string).collect::<Vec<_>>();
        let older = "INBOX\nEntw&APw-rfe.a&AC4-b\nx\n";
        assert_eq!(read(older), ["Entwürfe/a.b", "INBOX", "x"]);
        assert_eq!(read("V\t2\n\na\tb\ninbox\n"), ["INBOX", "a/b"]);
        assert_eq!(read("\n..\na/b\n\r\n"), [""; 0]);
        let names = parse(older);
        assert_eq!(parse(&format(&names)), names);
    }
}
