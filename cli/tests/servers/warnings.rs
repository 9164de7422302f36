//! What `sinew check` and the start of a server warn of: mistakes with which it runs, but does not do what is wanted.

use nix::sys::signal::Signal;

use super::password;
use crate::kit::{Scratch, Server, output};

/// What a check of this file warns of. It is good otherwise.
pub(super) fn warnings(scratch: &Scratch, config: &str) -> Vec<String> {
    let output = output(&["check", &scratch.write("file.toml", config)]);
    let said = String::from_utf8(output.stdout).expect("text");
    assert!(output.status.success() && said.contains(": good; one service"), "{said}");
    assert!(output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
    let is_warning = |line: &&str| line.starts_with("warning: ");
    said.lines().filter(is_warning).map(str::to_owned).collect()
}

pub(super) fn mail(scratch: &Scratch, more: &str) -> String {
    let text = |name| scratch.text(name);
    format!(
        "[services.mail]\nlisten = 'tcp:0:interface=127.0.0.1'\nhostname = 'localhost'\nmailboxes = '{}'\nqueue = '{}'\naliases = '{}'\n{more}\n",
        text("boxes"),
        text("queue"),
        text("aliases"),
    )
}

#[test]
fn a_check_says_where_mail_for_postmaster_is_refused() {
    let scratch = Scratch::new();
    let users = format!("users = '{}'", scratch.write("users", &password::line_of("ann")));
    let (both, org) = (&["example.org", "example.net"][..], &["example.org"][..]);
    for (who, aliases, refused) in [
        ("ann", "", &[][..]),
        ("ANN", "", &[]),
        ("anna", "", both),
        ("anna", "anna: ann\n", &[]),
        ("anna", "postmaster: ann\n", &[]),
        ("ann", "postmaster@example.org: anna\n", org),
        ("ann", "postmaster: a\na: b\nb: a\n", both),
        ("carol@example.com", "", &[]),
    ] {
        scratch.write("aliases", aliases);
        let more =
            format!("domain = ['example.org', 'example.net']\npostmaster = '{who}'\n{users}");
        let found = warnings(&scratch, &mail(&scratch, &more));
        assert_eq!(found.len(), refused.len(), "{who} {aliases:?}: {found:?}");
        for (warning, domain) in found.iter().zip(refused) {
            let expected =
                format!("file.toml:1:11: services.mail: mail for postmaster@{domain} is refused: ");
            assert!(warning.contains(&expected), "{warning}");
        }
    }
    assert!(!scratch.path("queue").exists());
}

#[test]
fn the_log_says_it_whenever_it_changes() {
    const REFUSED: &str = "mail for postmaster@localhost is refused: there is no such mailbox here";
    const READ: &str = "the users are read again";
    let scratch = Scratch::new();
    scratch.write("aliases", "");
    let users = scratch.write("users", &password::line_of("ann"));
    let more = format!("postmaster = 'bob'\nusers = '{users}'\nwatch = '1h'");
    let mut server = Server::begin(&mut crate::kit::sinew(&[
        "run",
        &scratch.write("mail.toml", &mail(&scratch, &more)),
    ]));
    server.all_lines(&["the queue is open", REFUSED]);
    let both = ["ann", "bob"].map(password::line_of).concat();
    scratch.write("users", &both);
    server.signal(Signal::SIGHUP);
    server.line(READ);
    scratch.write("users", &password::line_of("ann"));
    server.signal(Signal::SIGHUP);
    server.line(READ);
    server.line(REFUSED);
    let log = server.stop();
    assert_eq!(log.matches(REFUSED).count(), 2, "{log}");
}
