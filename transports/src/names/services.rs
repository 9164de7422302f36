//! Ports by service name, from IANA's registry: common TCP services. A built-in table, not `/etc/services`, so
//! that a name means the same on every machine and in a simulation.

use sinew_reactor::Excerpt;

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

/// Parses a port, by number or service name.
pub(crate) fn port(text: &str) -> Option<u16> {
    // `parse` would accept a sign.
    if text.bytes().next()?.is_ascii_digit() {
        return text.parse().ok();
    }
    let order =
        |service: &str| service.bytes().cmp(text.bytes().map(|byte| byte.to_ascii_lowercase()));
    let at = SERVICES.binary_search_by(|(service, _)| order(service)).ok()?;
    Some(SERVICES[at].1)
}

/// Why a text is not a port.
pub(crate) fn port_error(text: &str) -> String {
    let shown = Excerpt::new(text);
    let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if is_number {
        format!("port {shown} is above {}", u16::MAX)
    } else {
        format!("{shown:?} is not a port: neither 0 to 65535 nor a service name")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn invalid_ports() {
        assert_eq!(port_error("99999"), "port 99999 is above 65535");
        for text in ["-1", "", "8o", "eighty", "80 "] {
            assert!(port_error(text).starts_with(&format!("{text:?} is not a port: ")), "{text:?}");
        }
    }

    #[test]
    fn service_names_and_numbers() {
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
