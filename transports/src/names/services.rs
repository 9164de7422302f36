//! The ports of services by name, from IANA's registry: those over TCP that people type. A table and not `/etc/services`, so
//! that a name means the same on every machine and in a simulation.

/// Sorted by name.
const SERVICES: &[(&str, u16)] = &[
    ("acap", 674),
    ("amqp", 5672),
    ("amqps", 5671),
    ("chargen", 19),
    ("daytime", 13),
    ("discard", 9),
    ("domain", 53),
    ("echo", 7),
    ("finger", 79),
    ("ftp", 21),
    ("ftp-data", 20),
    ("ftps", 990),
    ("git", 9418),
    ("gopher", 70),
    ("http", 80),
    ("http-alt", 8080),
    ("https", 443),
    ("imap", 143),
    ("imaps", 993),
    ("irc", 6667),
    ("ircs-u", 6697),
    ("ldap", 389),
    ("ldaps", 636),
    ("mqtt", 1883),
    ("mysql", 3306),
    ("nntp", 119),
    ("nntps", 563),
    ("pop3", 110),
    ("pop3s", 995),
    ("postgresql", 5432),
    ("qotd", 17),
    ("redis", 6379),
    ("rsync", 873),
    ("secure-mqtt", 8883),
    ("sieve", 4190),
    ("sip", 5060),
    ("sips", 5061),
    ("smtp", 25),
    ("socks", 1080),
    ("ssh", 22),
    ("submission", 587),
    ("submissions", 465),
    ("telnet", 23),
    ("telnets", 992),
    ("time", 37),
    ("whois", 43),
    ("xmpp-client", 5222),
    ("xmpp-server", 5269),
];

/// A port by its number or its name.
pub(crate) fn port(text: &str) -> Option<u16> {
    // `parse` would take a sign.
    if text.bytes().next()?.is_ascii_digit() {
        return text.parse().ok();
    }
    let name = text.to_ascii_lowercase();
    let at = SERVICES.binary_search_by(|(service, _)| (*service).cmp(&name)).ok()?;
    Some(SERVICES[at].1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_numbers() {
        assert!(SERVICES.is_sorted());
        for (name, number) in SERVICES {
            assert_eq!(port(name), Some(*number));
        }
        let cases = [
            ("80", Some(80)),
            ("65535", Some(65535)),
            ("HTTPS", Some(443)),
            ("65536", None),
            ("+80", None),
            ("", None),
            ("8o", None),
            ("nobody", None),
        ];
        for (text, expected) in cases {
            assert_eq!(port(text), expected, "{text:?}");
        }
    }
}
