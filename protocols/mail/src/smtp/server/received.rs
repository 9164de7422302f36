//! The trace that a server adds to a message: its `Received` line (RFC 5321 4.4). Pure.

use std::{fmt::Write, time::SystemTime};

use super::Session;
use crate::smtp::codec::date::date;

/// The line, folded, with its CRLFs.
pub(super) fn line(session: &Session, hostname: &str, now: SystemTime) -> String {
    let mut line = String::from("Received: from ");
    line.push_str(session.helo().filter(|name| is_plain(name)).unwrap_or("unknown"));
    match session.peer().ip() {
        Some(ip) if ip.is_ipv6() => {
            let _ = write!(line, " ([IPv6:{ip}])");
        }
        Some(ip) => {
            let _ = write!(line, " ([{ip}])");
        }
        None => {}
    }
    let _ = write!(line, "\r\n\tby {hostname} with {}", session.protocol());
    // More than one would tell each recipient of the others.
    if let [only] = session.recipients() {
        let _ = write!(line, "\r\n\tfor <{}>", only.address());
    }
    let _ = write!(line, ";\r\n\t{}\r\n", date(now));
    line
}

/// Whether a name is a domain or an address, and so cannot be taken for another part of the line.
fn is_plain(name: &str) -> bool {
    name.chars().all(|char| char.is_alphanumeric() || "-._:[]".contains(char))
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use sinew_protocols::basic::Word;
    use sinew_transports::Transport;

    use super::*;
    use crate::smtp::{
        codec::{Recipient, Sender},
        server::session::Greeting,
    };

    #[test]
    fn the_line_says_what_is_known() {
        let (transport, _wire) = Transport::memory();
        let mut session = Session::new(&transport, false);
        session.greeting = Greeting::Extended(Word::from_static("client.example"));
        session.sender = Some(Sender::default());
        session.recipients.push(Recipient::new("bob@example.org".parse().unwrap()));
        let now = UNIX_EPOCH + Duration::from_secs(784_111_777);
        assert_eq!(
            line(&session, "mail.example", now),
            "Received: from client.example\r\n\tby mail.example with ESMTP\r\n\tfor <bob@example.org>;\r\n\tSun, 06 Nov 1994 08:49:37 +0000\r\n"
        );
        session.greeting = Greeting::Helo(Word::from_static("evil;(by"));
        session.recipients.push(Recipient::new("eve@example.org".parse().unwrap()));
        let line = line(&session, "mail.example", now);
        assert!(
            line.starts_with("Received: from unknown\r\n\tby mail.example with SMTP;"),
            "{line}"
        );
    }
}
