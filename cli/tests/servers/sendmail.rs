//! `sinew sendmail` with a server of this process, and with Postfix's smtp-sink where it is installed.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::Path,
    process::{Command, Output, Stdio},
    sync::mpsc::{self, Receiver, Sender},
    thread,
};

use sinew::{
    auth::Users,
    mail::{
        smtp::{codec::Reply, server::ServerConfig},
        testing::{Reaction, Step, TestServer},
    },
    prelude::*,
    transports::endpoint::ServerEndpoint,
};

use super::peers::{closed_port, free_port, has_program, run_with_input};
use crate::kit::{Scratch, sinew};

/// How often smtp-sink is started, at most, until it has a port of its own.
const SINK_STARTS: usize = 20;

/// What a server has received: the command MAIL and the recipients, and the message.
pub(super) type Mail = (Vec<String>, String);

/// Refuses some recipients, by their names, and passes on what comes.
fn react(step: &Step<'_>, mails: &Sender<Mail>) -> Reaction {
    let reply = |code, text: &str| Reaction::Refuse(Reply::new(code, text).expect("a reply"));
    match step {
        Step::Rcpt(to) => match to.address().local() {
            "nobody" => Reaction::Refuse(Reply::no_such_mailbox()),
            "never" => reply(554, "5.7.1 not to\u{1b}[2J you"),
            "later" => reply(450, "4.2.1 later"),
            _ => Reaction::Accept,
        },
        Step::Delivery(to, _) if to.address().local() == "full" => {
            Reaction::Refuse(Reply::try_later())
        }
        Step::Message(mail) => {
            let to = mail.to.iter().map(ToString::to_string);
            let envelope = [mail.from.to_string()].into_iter().chain(to).collect();
            // A test that has seen enough does not wait.
            let _ = mails.send((envelope, mail.text()));
            Reaction::Accept
        }
        _ => Reaction::Accept,
    }
}

/// A server on a thread, until the test ends: its port, and what it receives.
pub(super) fn serve(
    endpoint: &str,
    configure: impl FnOnce(ServerConfig) -> ServerConfig + Send + 'static,
) -> (u16, Receiver<Mail>) {
    let endpoint: ServerEndpoint = endpoint.parse().expect("an endpoint");
    let ((mails, received), (ports, port)) = (mpsc::channel(), mpsc::channel());
    thread::spawn(move || {
        let reactor = Reactor::builder().stop_signals(false).build().expect("a reactor");
        let config = ServerConfig::new("mail.example").expect("a name").received_line(false);
        let server = TestServer::new().config(configure(config));
        let server = server.react(move |step| react(step, &mails));
        let listening = endpoint.listen(&reactor, server.factory()).expect("a free port");
        let _ = ports.send(listening.local().socket_addr().map_or(0, |addr| addr.port()));
        reactor.run()
    });
    (port.recv().expect("a server"), received)
}

/// Runs the command with a message.
fn sendmail(arguments: &[&str], message: &str) -> Output {
    run_with_input(&mut command(arguments), message.as_bytes())
}

/// Without the files of settings of the user who runs the tests.
fn command(arguments: &[&str]) -> Command {
    let mut command = sinew(&["sendmail"]);
    command.args(["--hostname", "client.example", "--domain", "example.net"]).args(arguments);
    command.env("XDG_CONFIG_HOME", "/nonexistent").stdin(Stdio::piped());
    command
}

fn said(output: &Output) -> (i32, String) {
    let text = String::from_utf8_lossy(&[&output.stdout[..], &output.stderr].concat()).into_owned();
    (output.status.code().unwrap_or(-1), text)
}

const MESSAGE: &str =
    "From: Ann <ann@example.net>\nDate: d\nMessage-ID: <1@x>\n\nHello.\n.\nmore\n";

#[test]
fn a_message_is_completed_and_sent() {
    let (port, mails) = serve("tcp:0:interface=127.0.0.1", |config| config);
    let server = format!("127.0.0.1:{port}");
    let message =
        "To: Bob <bob@example.org>, root\nBcc: hidden@example.org\nSubject: s\n\n.\n\u{e4}\n";
    let output =
        sendmail(&["-s", &server, "-t", "-oi", "-F", "Lee, Ann", "-f", "ann", "-v"], message);
    let (code, text) = said(&output);
    assert_eq!(code, 0, "{text}");
    assert_eq!(text.matches(": delivered: 250 2.0.0 ").count(), 3, "{text}");
    let (envelope, text) = mails.recv().expect("a mail");
    let size = format!(" SIZE={} BODY=8BITMIME", text.len());
    let to = ["<bob@example.org>", "<root@example.net>", "<hidden@example.org>"];
    assert_eq!(envelope[0], format!("<ann@example.net>{size}"));
    assert_eq!(envelope[1..], to);
    let start = "To: Bob <bob@example.org>, root\r\nSubject: s\r\nFrom: \"Lee, Ann\" <ann@example.net>\r\nDate: ";
    assert!(text.starts_with(start), "{text}");
    assert!(text.ends_with("@example.net>\r\n\r\n.\r\n\u{e4}\r\n"), "{text}");
    assert_eq!(text.matches("\r\n").count(), 8, "{text}");
    // The other way round: recipients and reports by arguments, a dot ends it, the sender is the author.
    let options = [
        "-s",
        &server,
        "-N",
        "delay,failure",
        "-R",
        "hdrs",
        "-V",
        "id+1",
        "-bm",
        "-oem",
        "-B8BITMIME",
        "--",
    ];
    let output = sendmail(&[&options[..], &["bob, Carol <carol@example.org>"]].concat(), MESSAGE);
    assert_eq!(said(&output), (0, String::new()));
    let (envelope, text) = mails.recv().expect("a mail");
    let notify = "NOTIFY=FAILURE,DELAY";
    assert_eq!(envelope[0], format!("<ann@example.net> SIZE={} RET=HDRS ENVID=id+2B1", text.len()));
    assert_eq!(
        envelope[1..],
        [format!("<bob@example.net> {notify}"), format!("<carol@example.org> {notify}")]
    );
    assert_eq!(
        text,
        "From: Ann <ann@example.net>\r\nDate: d\r\nMessage-ID: <1@x>\r\n\r\nHello.\r\n"
    );
    // A long message, which is not in memory as a whole.
    let long: String = (0..60_000).map(|at| format!(".{at} {}\n", "x".repeat(at % 100))).collect();
    let output = sendmail(&["-s", &server, "-i", "bob"], &format!("{MESSAGE}{long}"));
    assert_eq!(said(&output), (0, String::new()));
    let (_, text) = mails.recv().expect("a mail");
    assert!(text.len() > 3 << 20 && text.ends_with(&long.replace('\n', "\r\n")), "{}", text.len());
    // Many recipients, in groups; and the null path.
    let many: Vec<_> = (0..150).map(|at| format!("user{at}@example.org")).collect();
    let mut options = vec!["-s", &server, "-i", "-f", "<>"];
    options.extend(many.iter().map(String::as_str));
    assert_eq!(said(&sendmail(&options, MESSAGE)), (0, String::new()));
    let groups = [mails.recv().expect("a mail").0, mails.recv().expect("a mail").0];
    assert_eq!([groups[0].len(), groups[1].len()], [101, 51]);
    assert!(groups[0][0].starts_with("<> SIZE="), "{}", groups[0][0]);
}

#[test]
fn each_recipient_has_a_result_and_exit_codes_say_the_worst() {
    let (port, _mails) = serve("tcp:0:interface=127.0.0.1", |config| config.size_max(1000));
    let server = format!("127.0.0.1:{port}");
    for (recipients, code, texts) in [
        (&["bob@x"][..], 0, &[][..]),
        (&["nobody@x"], 67, &["nobody@x: refused, RCPT: 550 5.1.1 "]),
        (&["later@x", "bob@x"], 75, &["later@x: refused, RCPT: 450 4.2.1 later"]),
        (&["later@x", "nobody@x"], 67, &["later@x: refused", "nobody@x: refused"]),
        (&["bob@x", "never@x"], 69, &["never@x: refused, RCPT: 554 5.7.1 not to\\u{1b}[2J you"]),
    ] {
        let output = sendmail(&[&["-s", &server, "-i"], recipients].concat(), MESSAGE);
        let (ended, text) = said(&output);
        assert_eq!((ended, text.lines().count()), (code, texts.len()), "{recipients:?}: {text}");
        assert!(texts.iter().all(|expected| text.contains(expected)), "{recipients:?}: {text}");
    }
    let long = format!("{MESSAGE}{}\n", "x".repeat(1000));
    let (code, text) = said(&sendmail(&["-s", &server, "-i", "bob"], &long));
    assert!(code == 69 && text.contains("bob@example.net: the message has "), "{text}");
    let (at, _held) = closed_port();
    let (code, text) = said(&sendmail(&["-s", &at.to_string(), "bob", "carol"], MESSAGE));
    assert!(
        code == 75 && text.matches("could not connect to the mail server: ").count() == 2,
        "{text}"
    );
}

#[test]
fn wrong_arguments_and_messages() {
    for (arguments, message, code, text) in [
        (&["bob\r\nDATA@x"][..], "", 64, "is not a mail address"),
        (&["<bob@x"], "", 64, "< is not closed"),
        (&["-f", "ann@x> SIZE=1\nDATA", "bob"], "", 64, "--from: "),
        (&["-F", "Ann\nBcc: eve", "bob"], "", 64, "a name has no control characters"),
        (&["-V", "a\nb", "bob"], "", 64, "control characters"),
        (&["-N", "never,delay", "bob"], "", 64, "write never, or some of"),
        (&["bob@x y"], "", 64, "is not a domain"),
        (&["-bs"], "", 64, "possible values: m"),
        (&[], "", 64, "no recipients: name some, or take those of the message by -t"),
        (
            &["-t"],
            "Subject: s\n\nTo: bob\n",
            65,
            "no recipients: the header of the message names none",
        ),
        (
            &["-t"],
            "To: \"bob\n",
            65,
            "the field To has no list of addresses: a quote is not closed",
        ),
        (&["-t"], "To: a b@x\n", 65, "is not a mail address"),
        (&["--max-size", "10", "bob"], MESSAGE, 65, "the message has more than 10 bytes"),
        (&["-s", "tls:a:1", "--tls", "none", "bob"], MESSAGE, 64, "TLS from the start"),
        (&["-C", "/nonexistent/x.toml", "bob"], MESSAGE, 66, "does not exist"),
    ] {
        let (ended, said) = said(&sendmail(arguments, message));
        assert!(ended == code && said.contains(text), "{arguments:?}: {ended}: {said}");
    }
}

#[test]
fn over_tls_with_a_login_and_settings_of_a_file() {
    let scratch = Scratch::new();
    let (cert, key) = scratch.certificate();
    let identity = Identity::from_pem_files(&cert, &key).expect("a certificate");
    let (port, mails) = serve("tcp:0:interface=127.0.0.1", |config| {
        let users = Users::new().user("ann", "secret");
        config.starttls(TlsServerConfig::new(identity)).auth(users).auth_required(true)
    });
    let password = scratch.write("password", "secret\n");
    let settings = |more: &str| {
        let text = format!("server = 'localhost:{port}'\nca = '{cert}'\nuser = 'ann'\n{more}");
        scratch.write("sendmail.toml", &text)
    };
    let file = settings(&format!(
        "tls = 'starttls'\nfrom = 'ann@example.org'\npassword_file = '{password}'"
    ));
    // A file that others can read is not used.
    let (code, text) = said(&sendmail(&["-C", &file, "bob"], MESSAGE));
    assert!(code == 78 && text.contains("others than its owner may use it"), "{text}");
    fs::set_permissions(&password, fs::Permissions::from_mode(0o600)).expect("a file");
    assert_eq!(said(&sendmail(&["-C", &file, "bob"], MESSAGE)), (0, String::new()));
    assert!(mails.recv().expect("a mail").0[0].starts_with("<ann@example.org> "));
    // The settings of the user, and a password of the environment.
    let folder = scratch.path("sinew");
    fs::create_dir_all(&folder).expect("a folder");
    let file = settings("tls = 'starttls'\npassword_env = 'MAIL_PASSWORD'");
    fs::copy(&file, folder.join("sendmail.toml")).expect("a file");
    for (secret, expected) in [("secret", 0), ("wr0ng", 77), ("", 78)] {
        let mut command = command(&["bob"]);
        command.env("XDG_CONFIG_HOME", scratch.path("")).env("MAIL_PASSWORD", secret);
        let (code, text) = said(&run_with_input(&mut command, MESSAGE.as_bytes()));
        assert_eq!(code, expected, "{text}");
        assert!(!text.contains("wr0ng"), "{text}");
    }
    assert!(mails.recv().expect("a mail").0[0].starts_with("<ann@example.net> "));
    // A password is proved without being sent where there is no TLS; an unknown certificate is not accepted.
    let at = format!("localhost:{port}");
    for (arguments, expected, part) in [
        // By SCRAM.
        (&["--tls", "none"][..], 0, ""),
        (&["--tls", "starttls"], 76, "bob@example.net: STARTTLS: "),
        (&["--tls", "starttls", "--insecure"], 0, "warning: --insecure"),
    ] {
        let login = ["-s", &at, "-u", "ann", "--password-file", &password, "bob"];
        let (code, text) = said(&sendmail(&[arguments, &login].concat(), MESSAGE));
        assert!(code == expected && text.contains(part), "{arguments:?}: {code}: {text}");
    }
    // The cause is said once.
    let missing = ["-s", &at, "-u", "ann", "--password-file", "/no/such/file", "bob"];
    let (code, text) = said(&sendmail(&missing, MESSAGE));
    assert!(code == 66 && text.contains("password of /no/such/file: No such file"), "{text}");
    assert_eq!(text.matches("No such file").count(), 1, "{text}");
    let wrong = settings("to_domain = true");
    let (code, text) = said(&sendmail(&["-C", &wrong, "bob"], MESSAGE));
    assert!(code == 78 && text.contains("to_domain does not go together"), "{text}");
    let wrong = settings("pasword = 1");
    let (code, text) = said(&sendmail(&["-C", &wrong, "bob"], MESSAGE));
    assert!(code == 78 && text.contains("unknown field `pasword`"), "{text}");
}

#[test]
fn implicit_tls() {
    let scratch = Scratch::new();
    let (cert, key) = scratch.certificate();
    let at = format!("tls:0:interface=127.0.0.1:cert={cert}:key={key}");
    let (port, mails) = serve(&at, |config| config.tls_required(true));
    let at = format!("localhost:{port}");
    let options = ["-s", &at, "--tls", "implicit", "--ca", &cert, "bob"];
    assert_eq!(said(&sendmail(&options, MESSAGE)), (0, String::new()));
    mails.recv().expect("a mail");
    let (code, text) = said(&sendmail(&["-s", &at, "--tls", "implicit", "bob"], MESSAGE));
    assert_eq!(code, 76, "{text}");
}

/// LMTP over a Unix socket; and the servers of domains, of which literal addresses need no name server.
#[test]
fn lmtp_and_domains() {
    let scratch = Scratch::new();
    let at = format!("unix:{}", scratch.text("lmtp.sock"));
    let (_, mails) = serve(&at, |config| config.lmtp(true));
    let (code, text) = said(&sendmail(&["-s", &at, "--lmtp", "-v", "bob", "full"], MESSAGE));
    assert_eq!(code, 75, "{text}");
    assert!(text.contains("bob@example.net: delivered: 250"), "{text}");
    assert!(text.contains("full@example.net: refused, the message: 45"), "{text}");
    mails.recv().expect("a mail");
    let (port, mails) = serve("tcp:0:interface=127.0.0.1", |config| config);
    let port = port.to_string();
    let to = ["a@[127.0.0.1]", "b@[127.0.0.1]", "nobody@[127.0.0.1]"];
    let (code, text) =
        said(&sendmail(&[&["--to-domain", "--port", &port], &to[..]].concat(), MESSAGE));
    assert!(code == 67 && text.starts_with("sinew: nobody@[127.0.0.1]: refused"), "{text}");
    assert_eq!(mails.recv().expect("a mail").0.len(), 3);
}

#[test]
fn a_dry_run_sends_nothing() {
    let output =
        sendmail(&["--dry-run", "-s", "mail.invalid", "-f", "a@x", "bob"], "From: b@x\n\nx\n");
    let (code, text) = said(&output);
    assert_eq!(code, 0, "{text}");
    assert!(text.starts_with("from <a@x>\nto <bob@example.net>\n\nFrom: b@x\r\nDate: "), "{text}");
}

/// The terminal is asked for the password, and does not show it.
#[test]
fn a_password_of_the_terminal() {
    if !has_program("python3") {
        return;
    }
    let (port, mails) = serve("tcp:0:interface=127.0.0.1", |config| {
        let config = config.auth_required(true);
        config.auth(Users::new().user("ann", "secret"))
    });
    let script = r#"
import os, pty, sys
pid, terminal = pty.fork()
if pid == 0:
    message, end = os.pipe()
    os.write(end, b"Subject: s\n\nx\n")
    os.close(end)
    os.dup2(message, 0)
    os.execv(sys.argv[1], sys.argv[1:])
said = b""
while b"Password of ann: " not in said:
    said += os.read(terminal, 100)
os.write(terminal, b"secret\n")
try:
    while piece := os.read(terminal, 100):
        said += piece
except OSError:
    pass
print(said, os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
"#;
    let mut python = Command::new("python3");
    let at = format!("127.0.0.1:{port}");
    python.args([
        "-c",
        script,
        env!("CARGO_BIN_EXE_sinew"),
        "sendmail",
        "-s",
        &at,
        "-u",
        "ann",
        "-f",
        "ann@x",
        "bob@x",
    ]);
    let output = run_with_input(&mut python, b"");
    assert_eq!(said(&output), (0, "b'Password of ann: \\r\\n' 0\n".to_owned()));
    mails.recv().expect("a mail");
}

#[test]
fn smtp_sink() {
    let folder =
        std::path::Path::new(env!("CARGO_BIN_EXE_sinew")).parent().and_then(|path| path.parent());
    let own = folder.expect("the target directory").join("peers/postfix");
    let Some(program) = [own.join("usr/sbin/smtp-sink"), "/usr/sbin/smtp-sink".into()]
        .into_iter()
        .find(|path| path.exists())
    else {
        eprintln!("skipped: smtp-sink is not installed");
        return;
    };
    for (option, expected) in [("-4", 0), ("-frcpt", 69), ("-r.", 75), ("-qdata", 75)] {
        let starts = (0..SINK_STARTS).find_map(|_| ask_sink(&program, &own, option));
        let (code, text) = starts.expect("a port that no other program takes");
        assert_eq!(code, expected, "{option}: {text}");
    }
}

/// What sendmail says of a sink; `None` if the sink has ended: the port may be another program's.
fn ask_sink(program: &Path, own: &Path, option: &str) -> Option<(i32, String)> {
    let at = free_port().to_string();
    let mut sink = Command::new(program);
    sink.env("LD_LIBRARY_PATH", own.join("usr/lib/postfix"));
    if crate::kit::is_root() {
        sink.args(["-u", "nobody"]);
    }
    let mut sink = sink
        .args(["-c", option, &format!("inet:{at}"), "10"])
        .stdout(Stdio::null())
        .spawn()
        .expect("a sink");
    let (code, text) = loop {
        let (code, text) = said(&sendmail(&["-s", &at, "-i", "bob@example.org"], MESSAGE));
        // It does not listen yet.
        if !text.contains("could not connect") || sink.try_wait().expect("a child").is_some() {
            break (code, text);
        }
    };
    let has_ended = sink.try_wait().expect("a child").is_some();
    let _ = sink.kill();
    let _ = sink.wait();
    (!has_ended).then_some((code, text))
}
