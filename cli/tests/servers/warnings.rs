//! What `sinew check` and the start of a server warn of: mistakes with which it runs, but does not do what is wanted.

use std::{fs, os::unix::fs::PermissionsExt};

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

/// A file of users for its owner alone, whatever the umask is.
pub(super) fn users_file(scratch: &Scratch, text: &str) -> String {
    let path = scratch.write("users", text);
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).expect("its owner");
    path
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
    let users = format!("users = '{}'", users_file(&scratch, &password::line_of("ann")));
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
fn a_check_says_which_catch_alls_catch_nothing() {
    let scratch = Scratch::new();
    let users = format!("users = '{}'", users_file(&scratch, &password::line_of("ann")));
    let more = format!("domain = ['example.org', 'example.net']\npostmaster = 'ann'\n{users}");
    for (aliases, expected) in [
        ("@example.org: ann\n@EXAMPLE.net: bob@example.com\n", None),
        (
            "@example.org: nobody\n",
            Some("what the alias @example.org catches is refused: there is no such"),
        ),
        ("@example.org: a\na: x@example.net\n@example.net: a@example.org\n", Some("is refused: ")),
        (
            "@a.example: ann\n@b.example: ann\n",
            Some(
                "the alias @a.example catches nothing, since a.example is no domain of this server; there are 2 of",
            ),
        ),
    ] {
        scratch.write("aliases", aliases);
        let found = warnings(&scratch, &mail(&scratch, &more));
        match expected {
            None => assert!(found.is_empty(), "{aliases:?}: {found:?}"),
            Some(text) => assert!(
                !found.is_empty() && found.iter().all(|found| found.contains(text)),
                "{aliases:?}: {found:?}"
            ),
        }
    }
}

/// Files of users that everyone may read: of every server that has one.
#[test]
fn hashes_that_everyone_may_read_are_warned_of() {
    const EXPOSED: &str =
        "everyone on this machine may read the hashes of its passwords; chmod 640";
    let scratch = Scratch::new();
    scratch.write("aliases", "");
    let users = users_file(&scratch, &password::line_of("ann"));
    let mode = |mode| fs::set_permissions(&users, fs::Permissions::from_mode(mode)).unwrap();
    let folder = scratch.text("folder");
    fs::create_dir(&folder).unwrap();
    let of_mail = mail(&scratch, &format!("postmaster = 'ann'\nusers = '{users}'"));
    for (config, count) in [
        (of_mail, 1),
        (format!("[services.irc]\naccounts = '{users}'\noperators = '{users}'"), 2),
        (
            format!(
                "[services.xmpp]\ndomain = 'localhost'\nplaintext_logins = true\nstorage = '{folder}'\nusers = '{users}'"
            ),
            1,
        ),
        (
            format!(
                "[services.news]\nname = 'news.localhost'\nspool = '{folder}'\nusers = '{users}'"
            ),
            1,
        ),
        (format!("[services.http]\ndirectory = '{folder}'\nhtpasswd = '{users}'"), 1),
    ] {
        mode(0o640);
        let found = warnings(&scratch, &config);
        assert!(found.is_empty(), "{config}: {found:?}");
        mode(0o644);
        let found = warnings(&scratch, &config);
        let is_right = |found: &String| found.contains(&users) && found.contains(EXPOSED);
        assert!(found.len() == count && found.iter().all(is_right), "{config}: {found:?}");
    }
}

/// At the start, of several reactors once; and whenever the file is read again.
#[test]
fn the_log_warns_of_hashes_that_everyone_may_read() {
    const EXPOSED: &str = "everyone on this machine may read the hashes";
    let scratch = Scratch::new();
    scratch.write("aliases", "");
    let users = users_file(&scratch, &password::line_of("ann"));
    let mode = |mode| fs::set_permissions(&users, fs::Permissions::from_mode(mode)).unwrap();
    mode(0o644);
    let file = |name: &str, config: String| scratch.write(name, &config);
    let of_mail = mail(&scratch, &format!("postmaster = 'ann'\nusers = '{users}'\nwatch = '1h'"));
    let of_xmpp = format!(
        "[services.xmpp]\nlisten = '127.0.0.1:0'\ndomain = 'localhost'\nplaintext_logins = true\nstorage = '{}'\nusers = '{users}'\nwatch = '1h'",
        scratch.text("xmpp"),
    );
    let of_irc = format!("[services.irc]\nlisten = '127.0.0.1:0'\naccounts = '{users}'");
    for (name, config, read_again) in [
        ("mail.toml", of_mail, "the users are read again"),
        ("xmpp.toml", of_xmpp, "the users are read again"),
        ("irc.toml", of_irc, "the message of the day and the bans were read again"),
    ] {
        let mut server = Server::start(&["run", &file(name, config)]);
        server.signal(Signal::SIGHUP);
        server.all_lines(&[read_again, EXPOSED]);
        let log = server.stop();
        assert_eq!(log.matches(EXPOSED).count(), 2, "{name}: {log}");
    }
    let http = format!(
        "[reactor]\nreactors = 3\n[services.http]\nlisten = '127.0.0.1:0'\ndirectory = '{}'\nhtpasswd = '{users}'",
        scratch.text("xmpp"),
    );
    let log = Server::start(&["run", &file("http.toml", http)]).stop();
    assert_eq!(log.matches(EXPOSED).count(), 1, "{log}");
}

#[test]
fn the_log_says_it_whenever_it_changes() {
    const REFUSED: &str = "mail for postmaster@localhost is refused: there is no such mailbox here";
    const READ: &str = "the users are read again";
    let scratch = Scratch::new();
    scratch.write("aliases", "");
    let users = users_file(&scratch, &password::line_of("ann"));
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
