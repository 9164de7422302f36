//! Other clients with our server.

use std::{
    cell::RefCell,
    process::{Command, Output},
    rc::Rc,
};

use sinew_mail::smtp::server::ServerConfig;
use sinew_transports::{ReactorTcp, reactor::Reactor};

use super::program;
use crate::support::{self, Mail, Notes, Shared};

const MESSAGE: &str =
    "From: ann@example.net\nTo: bob@example.org\nSubject: hello\n\n.dot\n..\n.\nlast\n";

/// Runs a client with a server on this port, and returns what it prints, and what the server has.
fn with_server(
    config: ServerConfig,
    input: &'static str,
    client: impl FnOnce(u16) -> Command,
) -> (Output, Vec<Mail>) {
    crate::watchdog::watch_this_test();
    let reactor = Reactor::new().unwrap();
    let notes: Shared = Rc::new(RefCell::new(Notes::default()));
    let port = reactor.listen_tcp("127.0.0.1:0", support::server(config, &notes)).unwrap();
    let client = client(port.local().port());
    let output = reactor.defer_to_thread(move || program::run(client, input));
    let output = reactor.run_until(output).unwrap().unwrap();
    let mails = notes.borrow().mails.clone();
    (output, mails)
}

fn assert_success(output: &Output) {
    let said = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(output.status.success(), "{}\n{}", said(&output.stdout), said(&output.stderr));
}

fn assert_message(mails: &[Mail]) {
    let [mail] = mails else { panic!("{} mails", mails.len()) };
    assert_eq!(
        (mail.from.as_str(), &mail.to[..]),
        ("ann@example.net", &["bob@example.org".to_owned()][..])
    );
    // swaks adds an empty line.
    let text = mail.text.trim_end();
    assert!(text.ends_with("\r\n\r\n.dot\r\n..\r\n.\r\nlast"), "{text}");
}

#[test]
fn swaks() {
    for (options, lmtp) in [
        (&[][..], false),
        (&["--pipeline"], false),
        (&["--protocol", "LMTP"], true),
        (&["--protocol", "SMTP"], false),
    ] {
        let Some(mut swaks) = program::find("swaks") else { return };
        let (output, mails) = with_server(support::config().lmtp(lmtp), MESSAGE, |port| {
            swaks.args([
                "--server",
                "127.0.0.1",
                "--port",
                &port.to_string(),
                "--from",
                "ann@example.net",
            ]);
            swaks
                .args(["--to", "bob@example.org", "--helo", "client.example", "--data", "-"])
                .args(options);
            swaks
        });
        if String::from_utf8_lossy(&output.stderr).contains("requires") {
            eprintln!("skipped: swaks lacks a module for {options:?}");
            continue;
        }
        assert_success(&output);
        assert_message(&mails);
    }
}

#[test]
fn swaks_and_a_recipient_that_is_refused() {
    let Some(mut swaks) = program::find("swaks") else { return };
    let (output, mails) = with_server(support::config(), "", |port| {
        swaks.args([
            "--server",
            "127.0.0.1",
            "--port",
            &port.to_string(),
            "--from",
            "ann@example.net",
        ]);
        swaks.args(["--to", "nobody@example.org", "--helo", "client.example"]);
        swaks
    });
    // Its manual: 24 for an error of RCPT.
    assert_eq!(output.status.code(), Some(24));
    assert!(mails.is_empty());
}

fn msmtp(port: u16, options: &[&str], to: &str) -> Option<Command> {
    let mut msmtp = program::find("msmtp")?;
    msmtp.args([
        "--file=/dev/null",
        "--host=127.0.0.1",
        "--from=ann@example.net",
        "--domain=client.example",
    ]);
    msmtp.arg(format!("--port={port}")).args(options).arg(to);
    Some(msmtp)
}

#[test]
fn msmtp_delivers_and_says_what_was_refused() {
    if msmtp(0, &[], "").is_none() {
        return;
    }
    let (output, mails) = with_server(support::config(), MESSAGE, |port| {
        msmtp(port, &[], "bob@example.org").unwrap()
    });
    assert_success(&output);
    assert_message(&mails);
    let (output, mails) = with_server(support::config(), MESSAGE, |port| {
        msmtp(port, &[], "nobody@example.org").unwrap()
    });
    assert!(String::from_utf8_lossy(&output.stderr).contains("5.1.1 No such mailbox here"));
    assert!(mails.is_empty());
}

/// It makes the head of the message itself.
#[test]
fn s_nail_delivers() {
    let Some(_) = program::find("s-nail") else { return };
    let (output, mails) = with_server(support::config(), "Hello, Bob.\n.\n..\n", |port| {
        let mut nail = program::find("s-nail").unwrap();
        nail.args([
            "-:/",
            "-Sv15-compat",
            "-Ssendwait",
            "-Ssmtp-auth=none",
            "-Shostname=client.example",
        ]);
        nail.arg(format!("-Smta=smtp://127.0.0.1:{port}"));
        nail.args(["-r", "ann@example.net", "-s", "hello", "bob@example.org"]);
        nail
    });
    assert_success(&output);
    let [mail] = &mails[..] else { panic!("{} messages", mails.len()) };
    assert_eq!(mail.from, "ann@example.net");
    assert!(mail.text.contains("\r\nSubject: hello\r\n"), "{}", mail.text);
    assert!(mail.text.ends_with("\r\n\r\nHello, Bob.\r\n.\r\n..\r\n"), "{}", mail.text);
}

#[cfg(feature = "tls")]
fn tls() -> sinew_transports::tls::TlsServerConfig {
    use sinew_transports::tls::{Identity, TlsServerConfig};

    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let identity = Identity::from_pem(made.cert.pem(), made.signing_key.serialize_pem());
    TlsServerConfig::new(identity.unwrap())
}

#[cfg(feature = "tls")]
#[test]
fn msmtp_over_tls() {
    if msmtp(0, &[], "").is_none() {
        return;
    }
    let config = support::config().starttls(tls()).tls_required(true);
    let (output, mails) = with_server(config, MESSAGE, |port| {
        msmtp(port, &["--tls=on", "--tls-starttls=on", "--tls-certcheck=off"], "bob@example.org")
            .unwrap()
    });
    assert_success(&output);
    assert_message(&mails);
}

/// The password is asked for over TLS only, so the client has to do both.
#[cfg(feature = "tls")]
#[test]
fn msmtp_logs_in() {
    use sinew_auth::Users;

    if msmtp(0, &[], "").is_none() {
        return;
    }
    let tls = tls();
    for (mechanism, password, is_right) in [
        ("plain", "secret", true),
        ("login", "secret", true),
        ("scram-sha-256", "secret", true),
        ("plain", "wrong", false),
    ] {
        let config = support::config().starttls(tls.clone()).auth_required(true);
        let config = config.auth(Users::new().user("ann", "secret"));
        let auth = format!("--auth={mechanism}");
        let password = format!("--passwordeval=echo {password}");
        let options = [
            "--tls=on",
            "--tls-starttls=on",
            "--tls-certcheck=off",
            "--user=ann",
            &auth,
            &password,
        ];
        let (output, mails) =
            with_server(config, MESSAGE, |port| msmtp(port, &options, "bob@example.org").unwrap());
        if is_right {
            assert_success(&output);
            assert_message(&mails);
        } else {
            let said = String::from_utf8_lossy(&output.stderr).into_owned();
            assert!(said.contains("5.7.8") && mails.is_empty(), "{said}");
        }
    }
}

const SMTPLIB: &str = r#"
import smtplib, sys
client = smtplib.SMTP("127.0.0.1", int(sys.argv[1]), local_hostname="client.example")
refused = client.sendmail("ann@example.net", ["bob@example.org", "nobody@example.org"], sys.stdin.read())
assert list(refused) == ["nobody@example.org"], refused
assert refused["nobody@example.org"][0] == 550, refused
assert client.has_extn("size") and client.has_extn("smtputf8")
client.rset()
assert client.docmd("HALLO")[0] == 500
assert client.vrfy("bob")[0] == 252
client.sendmail("änne@example.net", ["bob@bücher.example"], b"Subject: x\r\n\r\n", mail_options=["SMTPUTF8"])
client.quit()
"#;

#[test]
fn smtplib() {
    let Some(mut python) = program::python("smtplib") else { return };
    let (output, mails) = with_server(support::config(), MESSAGE, |port| {
        python.args(["-c", SMTPLIB, &port.to_string()]);
        python
    });
    assert_success(&output);
    assert_message(&mails[..1]);
    assert_eq!(mails[1].to, ["bob@bücher.example"]);
}

const SMTPLIB_LOGIN: &str = r#"
import smtplib, sys
client = smtplib.SMTP("127.0.0.1", int(sys.argv[1]), local_hostname="client.example")
try:
    client.login("ann", "wrong")
    sys.exit("that was the wrong password")
except smtplib.SMTPAuthenticationError as error:
    assert error.smtp_code == 535, error
client.login("ann", "secret")
client.sendmail("ann@example.net", "bob@example.org", sys.stdin.read())
client.quit()
"#;

#[test]
fn smtplib_logs_in() {
    use sinew_auth::{Authenticator, AuthenticatorConfig, FailureLimiter, Mechanism, Users};

    for mechanism in [Mechanism::Plain, Mechanism::Login, Mechanism::CramMd5] {
        let Some(mut python) = program::python("smtplib") else { return };
        let accepted = AuthenticatorConfig::default().allow_plaintext(true).mechanisms([mechanism]);
        let accepted = accepted.limiter(FailureLimiter::off());
        let users = Authenticator::with(Users::new().user("ann", "secret"), accepted);
        let config = support::config().auth(users).auth_required(true);
        let (output, mails) = with_server(config, MESSAGE, |port| {
            python.args(["-c", SMTPLIB_LOGIN, &port.to_string()]);
            python
        });
        assert_success(&output);
        assert_message(&mails);
    }
}

#[test]
fn smtp_source() {
    // Sessions at once, messages, recipients of each.
    for (sessions, options) in [
        (10, &["-m", "300"][..]),
        (3, &["-m", "60", "-r", "5", "-d"]),
        (4, &["-m", "40", "-l", "300000"]),
    ] {
        let Some(mut source) = program::postfix("smtp-source") else { return };
        let count: usize = options[1].parse().unwrap();
        let (output, mails) = with_server(support::config(), "", |port| {
            source.args(["-s", &sessions.to_string()]).args(options);
            source.args([
                "-f",
                "ann@example.net",
                "-t",
                "bob@example.org",
                &format!("inet:127.0.0.1:{port}"),
            ]);
            source
        });
        assert_success(&output);
        assert_eq!(mails.len(), count, "{options:?}");
        if options.contains(&"300000") {
            assert!(mails.iter().all(|mail| mail.text.len() >= 300_000));
        }
    }
}
