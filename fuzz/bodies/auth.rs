//! Logins: whatever a client of SASL sends, it is let in only if it knows the password; whatever a server sends, the client takes it
//! for the right one only if that knows the password, too. And files of users.

use std::{fmt::Display, fs, time::Duration};

use sinew::{
    auth::{
        Authenticator, AuthenticatorConfig, Channel, ChannelBinding, ClientLogin, FailureLimiter,
        Mechanism, PasswordFile, PasswordFileError, SaslServer, ServerStep, Users,
    },
    prelude::*,
    reactor::Failure,
};

use super::input::Input;

const LEN_MAX: usize = 2 * 1024;

/// The password of the user `ann`.
const PASSWORD: &str = "secret";

/// Most messages of an exchange.
const MESSAGES_MAX: usize = 4;

/// The result of what needs no more than a job on a simulated thread.
fn now<T, E: From<Failure> + Display>(
    reactor: &Reactor,
    deferred: &Deferred<T, E>,
) -> Result<T, E> {
    reactor.advance(Duration::from_millis(500)).expect("the loop comes to rest");
    deferred.take().expect("it takes no time")
}

fn channel() -> Channel {
    Channel::new().encrypted(true).binding(ChannelBinding::exporter([1; 32])).external("nobody")
}

/// A number for a mechanism, then lines that a client sends. The only way in is the password.
pub(crate) fn server(data: &mut Input<'_>) {
    let mechanism = Mechanism::ALL[usize::from(data.byte()) % Mechanism::ALL.len()];
    let users = Authenticator::with(
        Users::new().user("ann", PASSWORD),
        AuthenticatorConfig::default()
            .mechanisms(Mechanism::ALL)
            .limiter(FailureLimiter::off())
            .scram_iterations(1),
    );
    let text = data.bytes(LEN_MAX);
    let knows_password = text.windows(PASSWORD.len()).any(|piece| piece == PASSWORD.as_bytes());
    let reactor = Reactor::simulated(0);
    let server = SaslServer::new(&users, channel());
    let mut step = now(&reactor, &server.start(&reactor, mechanism.name(), None));
    for message in text.split(|byte| *byte == b'\n').take(MESSAGES_MAX) {
        let text = String::from_utf8_lossy(message);
        // In what a client of SCRAM answers, `%R` stands for the nonce, which it cannot know beforehand.
        let message = match &step {
            Ok(ServerStep::Challenge(challenge)) => {
                let challenge = String::from_utf8_lossy(challenge);
                text.replace("%R", challenge.split(',').next().unwrap_or_default())
            }
            _ => text.into_owned(),
        };
        step = now(&reactor, &server.respond(&reactor, message.as_bytes()));
        if let Ok(ServerStep::Done { identity, .. }) = &step {
            let is_plaintext = matches!(mechanism, Mechanism::Plain | Mechanism::Login);
            assert!(is_plaintext && knows_password && identity.name() == "ann", "{mechanism}");
        }
    }
    // In base64, or what is none: an exchange that has ended is begun anew.
    let server = SaslServer::new(&users, channel());
    let begun = now(&reactor, &server.start_encoded(&reactor, mechanism.name(), Some(text)));
    if let Ok(ServerStep::Done { identity, .. }) = begun {
        assert_eq!((mechanism, identity.name()), (Mechanism::Plain, "ann"));
    }
}

/// A number for a mechanism, then lines that a server sends. What is not SCRAM proves nothing.
pub(crate) fn client(data: &mut Input<'_>) {
    let mechanism = Mechanism::ALL[usize::from(data.byte()) % Mechanism::ALL.len()];
    let login = match mechanism {
        Mechanism::External => ClientLogin::external(),
        Mechanism::OAuthBearer | Mechanism::XOAuth2 => ClientLogin::token("ann", "abc"),
        _ => ClientLogin::password("ann", PASSWORD),
    };
    let login = login.mechanisms(Mechanism::ALL).iterations(1..=100);
    let client = login.choose([mechanism.name()], &channel()).expect("it is offered");
    let initial = client.initial().expect("it has not begun");
    assert_eq!(initial.is_some(), mechanism.is_client_first());
    let reactor = Reactor::simulated(0);
    for message in data.bytes(LEN_MAX).split(|byte| *byte == b'\n').take(MESSAGES_MAX) {
        // `%R` stands for the nonce of the client.
        let first = initial.as_deref().map(String::from_utf8_lossy).unwrap_or_default();
        let nonce = first.rsplit(",r=").next().unwrap_or_default();
        let message = String::from_utf8_lossy(message).replace("%R", nonce);
        let _ = now(&reactor, &client.respond(&reactor, message.as_bytes()));
    }
    let is_scram = matches!(mechanism, Mechanism::Scram(_) | Mechanism::ScramPlus(_));
    let believes = client.finish(None).is_ok();
    assert!(!(is_scram && believes), "{mechanism}");
}

/// A file of users.
pub(crate) fn password_file(data: &mut Input<'_>) {
    let text = data.bytes(LEN_MAX);
    let name = format!("sinew-fuzz-password-file-{}", std::process::id());
    let path = std::env::temp_dir().join(name);
    fs::write(&path, text).expect("a folder for temporary files");
    let opened = PasswordFile::open(&path);
    fs::remove_file(&path).expect("it is there");
    let Ok(text) = std::str::from_utf8(text) else {
        return assert!(matches!(opened, Err(PasswordFileError::Io { .. })), "{opened:?}");
    };
    let is_blank = |line: &str| line.trim().is_empty() || line.trim().starts_with('#');
    let hashes = ["$2a$", "$2b$", "$2y$", "$apr1$", "{SHA}", "$5$", "$6$", "$argon2", "SCRAM-SHA-"];
    let may_be_good = |line: &str| {
        line.trim()
            .split_once(':')
            .is_some_and(|(_, hash)| hashes.iter().any(|kind| hash.starts_with(kind)))
    };
    match opened {
        // The first line that is none is named.
        Err(PasswordFileError::Line { line, .. }) => {
            let mut before = text.lines().take(line - 1);
            assert!(before.all(|line| is_blank(line) || may_be_good(line)));
            assert!(!is_blank(text.lines().nth(line - 1).expect("a line")));
        }
        Err(error) => panic!("{error}"),
        Ok(_) => assert!(text.lines().all(|line| is_blank(line) || may_be_good(line))),
    }
}
