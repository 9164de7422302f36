//! The same commands to Dovecot and to our server: the answers are compared, line by line.
//!
//! Dovecot's `imap` runs by itself, on its standard input, with mail in a temporary folder. What is not compared: the texts behind the
//! status and its code, numbers that are made by each server (UIDVALIDITY, modification sequences), the order of flags, and what a
//! command of [`ALLOWED`] answers.

use std::{
    fs,
    io::{BufRead, BufReader, Write},
    os::unix::fs::PermissionsExt,
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
};

use super::folder::Folder;
use crate::{
    program,
    support::{Client, MIXED, World},
};

const PROGRAM: &str = "/usr/lib/dovecot/imap";

/// How commands end whose answers may differ, and why that is right.
const ALLOWED: &[(&str, &str)] = &[
    (
        "[1.1]",
        "a part that is not of several parts has no first part; Dovecot takes it for its own",
    ),
    ("[1.1.MIME]", "the same"),
    (
        "9 BODYSTRUCTURE",
        "several parts without a boundary are told as octets, which the grammar has; Dovecot tells one text",
    ),
    ("9 BODY", "the same"),
    ("9 BODY.PEEK[1]", "the same"),
    ("9 BODY.PEEK[1.MIME]", "the same"),
    (
        "5 BODY.PEEK[HEADER.FIELDS (SUBJECT From)]",
        "a message without an empty line has none in its header (RFC 3501 6.4.5)",
    ),
    ("FETCH 1:* (UID FLAGS)", "with EXAMINE, messages are not told as recent here"),
    ("STORE 1 FLAGS ()", "with EXAMINE, Dovecot says OK and does nothing"),
    ("EXPUNGE", "the same"),
];

struct Dovecot {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
    _folder: Folder,
}

impl Dovecot {
    fn start() -> Option<Self> {
        if !fs::exists(PROGRAM).unwrap() {
            eprintln!("skipped: dovecot is not installed");
            return None;
        }
        let folder = Folder::new();
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let mail = folder.path().join("mail");
        fs::create_dir(&mail).unwrap();
        // It does not serve mail as the administrator.
        let mut id = "65534".to_owned();
        if program::is_root() {
            std::os::unix::fs::chown(folder.path(), Some(65_534), Some(65_534)).unwrap();
            std::os::unix::fs::chown(&mail, Some(65_534), Some(65_534)).unwrap();
        } else {
            let own = Command::new("id").arg("-u").output().unwrap().stdout;
            id = String::from_utf8(own).unwrap().trim().to_owned();
        }
        let config = folder.write(
            "dovecot.conf",
            &format!(
                "base_dir = {0}/run\nlog_path = /dev/stderr\nmail_location = maildir:{0}/mail:LAYOUT=fs\nfirst_valid_uid = 0\n\
                 mail_uid = {id}\nmail_gid = {id}\nnamespace inbox {{\n inbox = yes\n separator = /\n}}\n",
                folder.path().display()
            ),
        );
        let mut child = Command::new(PROGRAM)
            .arg("-c")
            .arg(config)
            .env("HOME", folder.path())
            .env("USER", "ann")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let input = child.stdin.take().unwrap();
        let output = BufReader::new(child.stdout.take().unwrap());
        let mut dovecot = Self { child, input, output, _folder: folder };
        let mut greeting = String::new();
        dovecot.output.read_line(&mut greeting).unwrap();
        if !greeting.starts_with("* PREAUTH") {
            eprintln!("skipped: dovecot does not run here: {greeting}");
            return None;
        }
        Some(dovecot)
    }

    /// What is answered, up to the line with the tag.
    fn say(&mut self, command: &str) -> String {
        self.input.write_all(format!("t {command}\r\n").as_bytes()).unwrap();
        let mut answer = Vec::new();
        loop {
            let start = answer.len();
            assert!(
                self.output.read_until(b'\n', &mut answer).unwrap() > 0,
                "{command}: Dovecot has gone"
            );
            if answer[start..].starts_with(b"t ") {
                return String::from_utf8_lossy(&answer).into_owned();
            }
        }
    }
}

impl Drop for Dovecot {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// An answer without what is not compared.
fn comparable(answer: &str) -> Vec<String> {
    // A section that is not there is NIL here and empty there; days below 10 have a blank in front here and a 0 there.
    let answer = answer.replace(" {0}\r\n", " NIL").replace("INTERNALDATE \"0", "INTERNALDATE \" ");
    // Dovecot writes a text that was folded as a literal.
    let answer = answer.replace("{15}\r\nfolded and more", "\"folded and more\"");
    // RFC 7162 3.1.2.1: here it is told whether or not the client has enabled CONDSTORE.
    let lines = answer.lines().filter(|line| !line.starts_with("* OK [HIGHESTMODSEQ"));
    // How many are recent need not be told when messages go.
    let is_selected = answer.contains("UIDVALIDITY");
    let lines = lines.filter(|line| is_selected || !line.ends_with(" RECENT"));
    let mut lines: Vec<_> = lines.map(line).collect();
    // Mailboxes are told in any order.
    if answer.starts_with("* LIST") {
        lines.sort_unstable();
    }
    lines
}

fn line(text: &str) -> String {
    let mut words = text.splitn(3, ' ');
    let (tag, status, rest) = (words.next(), words.next(), words.next().unwrap_or_default());
    if let (Some(tag @ ("*" | "t")), Some(status @ ("OK" | "NO" | "BAD" | "BYE"))) = (tag, status) {
        let code =
            rest.strip_prefix('[').and_then(|rest| rest.split_once(']')).map(|(code, _)| code);
        let mut code = code.unwrap_or_default().to_owned();
        for made in ["UIDVALIDITY", "HIGHESTMODSEQ", "APPENDUID", "COPYUID"] {
            if let Some(rest) = code.strip_prefix(made) {
                let kept = rest.trim_start().split_once(' ').map_or("", |(_, rest)| rest);
                code = format!("{made} {kept}");
            }
        }
        if status == "OK"
            && tag == "t"
            && !code.contains("UID")
            && !code.starts_with("READ-")
            && !code.starts_with("MODIFIED")
        {
            code.clear();
        }
        if let Some((charset @ "BADCHARSET", _)) = code.split_once(' ') {
            code = charset.to_owned();
        }
        if code == "NONEXISTENT" {
            // RFC 5530, which that version of Dovecot does not tell.
            code.clear();
        }
        if code.starts_with("PERMANENTFLAGS") {
            code = sorted_flags(&code);
        }
        return format!("{tag} {status} [{code}]");
    }
    let mut text = without_numbers(&sorted_flags(text));
    if let Some(items) = text.strip_prefix("* STATUS ") {
        let mut words: Vec<_> = items.split([' ', '(', ')']).collect();
        words.sort_unstable();
        return words.join(" ");
    }
    if text.starts_with("* LIST (") || text.starts_with("* LSUB (") {
        text = text.replace("\\NonExistent ", "").replace("\\Noselect", "\\NoSelect");
    }
    // The names of fields are told as they were asked for, or in capitals.
    if let Some(at) = text.find("HEADER.FIELDS") {
        let end = text[at..].find(')').map_or(text.len(), |len| at + len);
        text[at..end].make_ascii_uppercase();
    }
    text
}

/// With each list of flags in order.
fn sorted_flags(text: &str) -> String {
    let Some(at) = text.find("FLAGS (") else { return text.to_owned() };
    let start = at + "FLAGS (".len();
    let Some(len) = text[start..].find(')') else { return text.to_owned() };
    let mut flags: Vec<_> = text[start..start + len].split(' ').collect();
    flags.sort_unstable();
    format!("{}{}{}", &text[..start], flags.join(" "), &text[start + len..])
}

/// Without numbers that each server makes.
fn without_numbers(text: &str) -> String {
    let mut text = text.to_owned();
    for made in ["MODSEQ (", "UIDVALIDITY ", "HIGHESTMODSEQ "] {
        if let Some(at) = text.find(made) {
            let start = at + made.len();
            let len = text[start..].bytes().take_while(u8::is_ascii_digit).count();
            text.replace_range(start..start + len, "n");
        }
    }
    text
}

/// Messages, most of them awkward.
fn messages() -> Vec<String> {
    let nested = format!(
        "Subject: outer\r\nMIME-Version: 1.0\r\nContent-Type: message/rfc822\r\n\r\n{MIXED}"
    );
    let deep = "From: a@b\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=a\r\n\r\n--a\r\n\
        Content-Type: multipart/alternative; boundary=ab\r\n\r\n--ab\r\nContent-Type: text/plain\r\n\r\n1\r\n--ab\r\n\
        Content-Type: text/html; charset=utf-8\r\nContent-Language: de, en\r\nContent-Location: x\r\n\r\n<p>1\r\n--ab--\r\n\r\n--a\r\n\
        Content-Type: application/pdf; name=\"a b.pdf\"\r\nContent-Disposition: attachment; filename=\"a b.pdf\"\r\n\
        Content-Transfer-Encoding: base64\r\nContent-ID: <1@b>\r\nContent-Description: a text\r\nContent-MD5: Q2hlY2s=\r\n\r\nAAAA\r\n\r\n--a--\r\n";
    vec![
        MIXED.to_owned(),
        nested,
        deep.to_owned(),
        "From: \"A, B\" <a.b@example.org>, c@d (Cee)\r\nTo: team: x@y, Zet <z@y>;, undisclosed-recipients:;\r\nCc: \r\n\
         Reply-To: <@r1,@r2:a@b>\r\nSubject: folded\r\n and more\r\nDate: Mon, 1 Jan 2024 10:00:00 +0100\r\nIn-Reply-To: <0@x>\r\n\r\ntext"
            .to_owned(),
        "Subject: no text\r\n".to_owned(),
        "\r\nonly text\r\n".to_owned(),
        "MIME-Version: 1.0\r\nContent-Type: multipart/digest; boundary=d\r\n\r\n--d\r\n\r\nSubject: one\r\n\r\n1\r\n--d\r\n\r\nSubject: two\r\n\r\n2\r\n--d--\r\n"
            .to_owned(),
        "MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=e\r\n\r\nnothing\r\n".to_owned(),
        "MIME-Version: 1.0\r\nContent-Type: multipart/mixed\r\n\r\n--x\r\n\r\n1\r\n".to_owned(),
        "Subject: not mime\r\nContent-Type: text/html\r\n\r\n<p>\r\n".to_owned(),
    ]
}

/// The commands, in their order.
fn commands() -> Vec<String> {
    let mut commands = Vec::new();
    for (index, message) in messages().iter().enumerate() {
        let flags = if index % 2 == 0 { "(\\Seen)" } else { "($Label1 \\Flagged)" };
        let date = format!("\"{:2}-Feb-2024 12:00:00 +0000\"", index + 1);
        commands.push(format!("APPEND INBOX {flags} {date} {{{}+}}\r\n{message}", message.len()));
    }
    let count = commands.len();
    let plain = [
        "STATUS INBOX (MESSAGES UIDNEXT UNSEEN SIZE)",
        "STATUS nowhere (MESSAGES)",
        "SELECT INBOX",
        "FETCH 1:* (UID FLAGS INTERNALDATE RFC822.SIZE ENVELOPE)",
        "FETCH 1 FULL",
    ];
    commands.extend(plain.map(str::to_owned));
    for number in 1..=count {
        commands.push(format!("FETCH {number} BODYSTRUCTURE"));
        commands.push(format!("FETCH {number} BODY"));
        for section in [
            "", "HEADER", "TEXT", "1", "1.MIME", "2", "2.MIME", "1.1", "1.2", "1.HEADER", "1.TEXT",
            "2.HEADER", "1.1.MIME", "3", "1.2.3",
        ] {
            commands.push(format!("FETCH {number} BODY.PEEK[{section}]"));
        }
        commands.push(format!("FETCH {number} BODY.PEEK[HEADER.FIELDS (SUBJECT From)]"));
        commands.push(format!("FETCH {number} BODY.PEEK[HEADER.FIELDS.NOT (SUBJECT From)]"));
    }
    let plain = [
        "FETCH 1 BODY.PEEK[]<10.20>",
        "FETCH 1 BODY.PEEK[TEXT]<0.5>",
        "FETCH 1 BODY.PEEK[1]<100000.5>",
        "FETCH 2 BODY[TEXT]<0.5>",
        "FETCH 3 RFC822.HEADER",
        "FETCH 99 FLAGS",
        "UID FETCH 99 FLAGS",
        "UID FETCH 99:* FLAGS",
        "FETCH 1 (FLAGS",
        "FETCH 1 FLAGS UID",
        "SEARCH ALL",
        "SEARCH UNSEEN",
        "SEARCH NOT SEEN FLAGGED",
        "SEARCH OR SEEN FLAGGED",
        "SEARCH KEYWORD $Label1",
        "SEARCH FROM ann",
        "SEARCH SUBJECT two",
        "SEARCH TEXT only",
        "SEARCH BODY nothing",
        "SEARCH SINCE 3-Feb-2024 BEFORE 5-Feb-2024",
        "SEARCH ON 3-Feb-2024",
        "SEARCH SENTON 1-Jan-2024",
        "SEARCH LARGER 200",
        "SEARCH HEADER Reply-To \"\"",
        "SEARCH 2:3 UID 3:4",
        "SEARCH CHARSET X-NONE ALL",
        "SEARCH FOO",
        "UID SEARCH RETURN (MIN MAX COUNT ALL) 2:4",
        "SEARCH RETURN (COUNT) SMALLER 1",
        "STORE 1 +FLAGS (\\Deleted)",
        "STORE 1 -FLAGS.SILENT (\\Seen)",
        "UID STORE 2 FLAGS (\\Answered New)",
        "CREATE Work/Sub",
        "CREATE Work/Sub",
        "CREATE INBOX",
        "LIST \"\" *",
        "LIST \"\" %",
        "LIST \"\" \"\"",
        "LIST \"\" Work/%",
        "SUBSCRIBE Work/Sub",
        "LSUB \"\" *",
        "LSUB \"\" %",
        "COPY 1:2 Work/Sub",
        "COPY 1 nowhere",
        "UID COPY 99 Work/Sub",
        "MOVE 3 Work/Sub",
        "STATUS Work/Sub (MESSAGES UIDNEXT RECENT)",
        "EXPUNGE",
        "UID EXPUNGE 1:99",
        "NOOP",
        "RENAME Work/Sub Work/New",
        "DELETE nowhere",
        "EXAMINE Work/New",
        "FETCH 1:* (UID FLAGS)",
        "STORE 1 FLAGS ()",
        "EXPUNGE",
        "CLOSE",
        "CHECK",
        "FETCH 1 UID",
        "SELECT INBOX",
        "UNSELECT",
        "DELETE Work/New",
        "ENABLE CONDSTORE",
        "SELECT INBOX (CONDSTORE)",
        "STORE 1 +FLAGS (\\Draft)",
        "NAMESPACE",
        "FOO",
    ];
    commands.extend(plain.map(str::to_owned));
    commands
}

fn ours(client: &Client, command: &str) -> String {
    client.say(format!("t {command}\r\n"))
}

#[test]
fn the_same_commands_have_the_same_answers() {
    let Some(mut dovecot) = Dovecot::start() else { return };
    let world = World::new();
    let client = world.client();
    let mut differences = Vec::new();
    let mut seen = Vec::new();
    for command in commands() {
        let (theirs, ours) = (dovecot.say(&command), ours(&client, &command));
        let command = command.lines().next().unwrap_or_default().to_owned();
        if comparable(&theirs) == comparable(&ours) {
            continue;
        }
        match ALLOWED.iter().position(|(allowed, _)| command.ends_with(allowed)) {
            Some(at) => seen.push(at),
            None => differences.push(format!("{command}\n--- dovecot\n{theirs}--- sinew\n{ours}")),
        }
    }
    assert!(
        differences.is_empty(),
        "{}\n{} differences",
        differences.join("\n"),
        differences.len()
    );
    let unused: Vec<_> =
        (0..ALLOWED.len()).filter(|at| !seen.contains(at)).map(|at| ALLOWED[at].0).collect();
    assert!(unused.is_empty(), "these do not differ any more: {unused:?}");
}
