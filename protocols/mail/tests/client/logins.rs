//! Logins: with our server, and with servers that follow a script.

use std::{cell::RefCell, rc::Rc};

use data_encoding::BASE64;
use sinew_auth::{Authenticator, AuthenticatorConfig, ClientLogin, Mechanism, SaslError, Users};
use sinew_mail::smtp::{
    client::{ClientConfig, SmtpClient, SmtpError, Stage},
    server::ServerConfig,
};
use sinew_testkit::testing::task_test;
use sinew_transports::endpoint::{ClientEndpoint, ServerEndpoint};

use super::script::{Script, config, envelope, play, send, with_script};
use crate::support::{self, Notes, Shared};

const HELLO: &str = "220 mail.example\r\n";

fn users(config: AuthenticatorConfig) -> Authenticator {
    Authenticator::with(Users::new().user("ann", "secret"), config)
}

fn log_in(server: ServerConfig, client: ClientConfig) -> Result<(), SmtpError> {
    crate::watchdog::watch_this_test();
    task_test(move |reactor| async move {
        let notes: Shared = Rc::new(RefCell::new(Notes::default()));
        let at: ServerEndpoint = "memory:mail".parse().unwrap();
        let server = support::server(server.auth_required(true), &notes);
        let port = at.listen(&reactor, server).unwrap();
        let to: ClientEndpoint = "memory:mail".parse().unwrap();
        let sending = async {
            let mut client = SmtpClient::connect(&reactor, to, client).await?;
            client.send(&envelope(&["bob"]), "x").await?.complete()?;
            client.quit().await;
            Ok(())
        };
        let result = sending.await;
        port.stop_listening();
        assert_eq!(notes.borrow().mails.len(), usize::from(result.is_ok()));
        result
    })
}

#[test]
fn by_each_mechanism() {
    let login = || ClientLogin::password("ann", "secret").allow_plaintext(true);
    for mechanism in Mechanism::ALL {
        let is_by_password = matches!(
            mechanism,
            Mechanism::Scram(_) | Mechanism::Plain | Mechanism::Login | Mechanism::CramMd5
        );
        if is_by_password {
            let accepted =
                AuthenticatorConfig::default().allow_plaintext(true).mechanisms([mechanism]);
            let server = support::config().auth(users(accepted));
            let login = login().mechanisms([mechanism]);
            log_in(server, config().login(login))
                .unwrap_or_else(|error| panic!("{mechanism}: {error}"));
        }
    }
}

#[test]
fn a_wrong_password_and_no_password() {
    let server = || support::config().auth(users(AuthenticatorConfig::default()));
    let error =
        log_in(server(), config().login(ClientLogin::password("ann", "wrong"))).unwrap_err();
    let SmtpError::Refused { stage: Stage::Auth, reply } = &error else { panic!("{error}") };
    assert!(reply.code() == 535 && !error.is_temporary(), "{error}");
    let error = log_in(server(), config()).unwrap_err();
    assert!(matches!(&error, SmtpError::NotDelivered(_)), "{error}");
}

#[test]
fn no_password_is_sent_in_plaintext() {
    let script: Script = &[("EHLO client.example", "250-mail.example\r\n250 AUTH PLAIN LOGIN\r\n")];
    let client = config().login(ClientLogin::password("ann", "secret"));
    let error = send(HELLO, script, client, &["a"], "x").unwrap_err();
    assert!(matches!(error, SmtpError::Login(SaslError::EncryptionRequired)), "{error}");
}

#[test]
fn a_long_first_message_waits_for_the_challenge() {
    let token = "t".repeat(600);
    let first = BASE64.encode(format!("user=ann\x01auth=Bearer {token}\x01\x01").as_bytes());
    let login = ClientLogin::token("ann", token).allow_plaintext(true);
    let login = login.mechanisms([Mechanism::XOAuth2]);
    let script = vec![
        ("EHLO client.example", "250-mail.example\r\n250 AUTH XOAUTH2\r\n"),
        ("AUTH XOAUTH2", "334 \r\n"),
        (first.leak(), "235 ok\r\n"),
        ("QUIT", "221 bye\r\n"),
    ];
    let done = with_script(HELLO, script.leak(), config().login(login), |client| async move {
        client.quit().await;
        Ok(())
    });
    done.unwrap();
}

#[test]
fn a_challenge_that_is_none_ends_the_login() {
    let script: Script = &[
        ("EHLO client.example", "250-mail.example\r\n250 AUTH LOGIN\r\n"),
        ("AUTH LOGIN", "334 VXNlcm5hbWU6\r\n"),
        ("YW5u", "334 not base64!\r\n"),
        ("*", "501 5.7.0 aborted\r\n"),
    ];
    let login = ClientLogin::password("ann", "secret").allow_plaintext(true);
    let client = config().login(login);
    let (result, is_over) = play(HELLO, script, client, |client| async { Ok(client) });
    let error = result.unwrap_err();
    assert!(matches!(error, SmtpError::Login(SaslError::Base64)), "{error}");
    assert!(is_over, "the login is given up with *");
}
