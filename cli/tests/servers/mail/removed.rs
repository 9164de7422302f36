//! Sessions of a user who is removed from the file of users.

use std::fs;

use super::{Fixture, port};
use crate::servers::peers::has_program;

/// Bob by each protocol, and ann, who stays. The script removes bob.
const REMOVED: &str = r#"
import os, signal
pop3s, imaps, submissions, pid, users, rest = sys.argv[2:]
imap = imaplib.IMAP4_SSL("localhost", int(imaps), ssl_context=context)
imap.login("bob", "bob")
pop3 = poplib.POP3_SSL("localhost", int(pop3s), context=context)
pop3.user("bob")
pop3.pass_("bob")
smtp = smtplib.SMTP_SSL("localhost", int(submissions), context=context)
smtp.login("bob", "bob")
ann = imaplib.IMAP4_SSL("localhost", int(imaps), ssl_context=context)
ann.login("ann", "ann")
with open(users + ".new", "w") as file:
    file.write(rest)
os.rename(users + ".new", users)
os.kill(int(pid), signal.SIGHUP)
print(imap.readline(), imap.readline())
print(pop3.file.readline(), pop3.file.readline())
print(smtp.getreply())
print(ann.noop()[0])
try:
    imaplib.IMAP4_SSL("localhost", int(imaps), ssl_context=context).login("bob", "bob")
except imaplib.IMAP4.error as error:
    print(error)
"#;

#[test]
fn sessions_end_with_their_credentials() {
    if !has_program("python3") {
        return;
    }
    let fixture = Fixture::new();
    let mut server = fixture.start();
    let ports = ["/pop3s", "/imaps", "/submissions"].map(|group| port(&server, group));
    let [pop3s, imaps, submissions] = &ports;
    let (pid, users) = (server.pid().to_string(), fixture.scratch.text("users"));
    let lines = fs::read_to_string(&users).expect("a file");
    let rest = lines.lines().next().expect("ann");
    let said = fixture.python(REMOVED, &[pop3s, imaps, submissions, &pid, &users, rest]);
    let words = "The credentials are not valid any more";
    for expected in [
        format!("b'* BYE [EXPIRED] {words}\\r\\n' b''\n"),
        format!("b'-ERR [AUTH] {words}\\r\\n' b''\n"),
        format!("(421, b'4.7.0 {words}')\nOK\n"),
        "[AUTHENTICATIONFAILED]".to_owned(),
    ] {
        assert!(said.contains(&expected), "{said}");
    }
    server.line("the user's credentials have changed: its sessions end user=bob sessions=3");
    server.stop();
}
