//! Logins by SASL before the welcome.

use sinew_auth::{Authenticator, Channel, ClientLogin, SaslServer, ServerStep, Users};
use sinew_chat::irc::codec::sasl_pieces;

use crate::support::{Script, config};

fn plain() -> Script {
    let login = ClientLogin::password("ann", "secret").allow_plaintext(true);
    let script = Script::new(config().login(login));
    script.sent();
    script
}

#[test]
fn plain_in_order() {
    let script = plain();
    script.receive(":irc CAP * LS :sasl=EXTERNAL,PLAIN batch\n");
    assert_eq!(script.sent(), "CAP REQ :batch sasl\n");
    script.receive(":irc CAP * ACK :batch sasl\n");
    assert_eq!(script.sent(), "AUTHENTICATE PLAIN\n");
    script.receive("AUTHENTICATE +\n");
    assert_eq!(script.sent(), "AUTHENTICATE AGFubgBzZWNyZXQ=\n");
    script.receive(":irc 900 bot bot!b@h ann :You are now logged in\n:irc 903 bot :ok\n");
    assert_eq!(script.sent(), "CAP END\n");
    assert!(script.irc.is_logged_in());
    script.receive(":irc 001 bot :Welcome\n");
    assert_eq!(script.notes(), ["signed_on"]);
}

#[test]
fn sasl_fails_then_cap_end() {
    // Without its login the client does not go on: it is neither welcomed as nobody, nor does it say CAP END.
    for (lines, expected) in [
        (":irc 904 bot :Failed\n", "the IRC server refused the login: 904 Failed"),
        (":irc 902 bot :Locked\n", "the IRC server refused the login: 902 Locked"),
        (":irc 903 bot :ok\n", "could not log in to the IRC server"),
        (":irc 001 bot :Welcome\n", "a login is wanted, and the IRC server does not offer SASL"),
    ] {
        let script = plain();
        script.receive(":irc CAP * LS :sasl=PLAIN\n:irc CAP * ACK :sasl\n");
        script.sent();
        script.receive(lines);
        script.wire.close();
        script.advance(10_000);
        let sent = script.sent();
        assert!(!sent.contains("CAP END"), "{lines}: {sent}");
        assert_eq!(script.notes(), [format!("registration_failed {expected}")], "{lines}");
    }
}

#[test]
fn servers_that_do_not_offer_it() {
    for lines in [
        ":irc CAP * LS :batch\n",
        ":irc 421 * CAP :Unknown command\n",
        ":irc 001 bot :Welcome\n",
        ":irc CAP * LS :sasl\n:irc CAP * NAK :sasl\n",
    ] {
        let script = plain();
        script.receive(lines);
        script.wire.close();
        script.advance(10_000);
        assert_eq!(
            script.notes(),
            ["registration_failed a login is wanted, and the IRC server does not offer SASL"],
            "{lines}"
        );
    }
    // A password is not sent in plaintext without leave.
    let script = Script::new(config().login(ClientLogin::password("ann", "secret")));
    script.receive(":irc CAP * LS :sasl=PLAIN\n:irc CAP * ACK :sasl\n");
    script.wire.close();
    script.advance(10_000);
    assert!(!script.sent().contains("AUTHENTICATE"));
    assert_eq!(script.notes().len(), 1);
}

#[test]
fn mechanisms_that_are_known_only_after_a_refusal() {
    let refused = "the IRC server refused the login: 904 Failed";
    for (lines, sent, expected) in [
        (":irc 908 bot PLAIN :are available\n:irc 904 bot :Failed\n", "AUTHENTICATE PLAIN\n", None),
        // The mechanism is there, so it is the password that is wrong.
        (
            ":irc 908 bot PLAIN,SCRAM-SHA-256 :are available\n:irc 904 bot :Failed\n",
            "",
            Some(refused),
        ),
        (":irc 904 bot :Failed\n", "", Some(refused)),
        (":irc 908 bot\n:irc 904 bot :Failed\n", "", Some(refused)),
        (":irc 908 bot :\n:irc 904 bot :Failed\n", "", Some(refused)),
        (
            ":irc 908 bot :GSSAPI\n:irc 904 bot :Failed\n",
            "",
            Some("could not log in to the IRC server"),
        ),
        // There is one other login.
        (
            ":irc 908 bot :PLAIN\n:irc 904 bot :Failed\n:irc 908 bot :LOGIN\n:irc 904 bot :Failed\n",
            "AUTHENTICATE PLAIN\n",
            Some(refused),
        ),
    ] {
        let script = plain();
        script.receive(":irc CAP * LS :sasl\n:irc CAP * ACK :sasl\n");
        assert_eq!(script.sent(), "CAP REQ :sasl\nAUTHENTICATE SCRAM-SHA-256\n");
        script.receive(lines);
        assert_eq!(script.sent(), sent, "{lines}");
        let failed = expected.map(|expected| format!("registration_failed {expected}"));
        if failed.is_some() {
            script.wire.close();
            script.advance(10_000);
        }
        assert_eq!(script.notes(), Vec::from_iter(failed), "{lines}");
    }
    // What was known before is not changed.
    let script = plain();
    script.receive(":irc CAP * LS :sasl=PLAIN,LOGIN\n:irc CAP * ACK :sasl\n");
    script.sent();
    script.receive(":irc 908 bot LOGIN :are available\n:irc 904 bot :Failed\n");
    assert_eq!(script.sent(), "");
}

#[test]
fn scram_with_a_real_server_of_sasl() {
    let script = Script::new(config().login(ClientLogin::password("ann", "secret")));
    script.sent();
    script.receive(":irc CAP * LS :sasl\n:irc CAP * ACK :sasl\n");
    let sent = script.sent();
    let name = sent.lines().last().unwrap().strip_prefix("AUTHENTICATE ").unwrap().to_owned();
    assert_eq!(name, "SCRAM-SHA-256");
    script.receive("AUTHENTICATE +\n");
    let users = Authenticator::new(Users::new().user("ann", "secret"));
    let server = SaslServer::new(&users, Channel::new());
    let mut is_first = true;
    loop {
        let mut sent = script.sent();
        for _ in 0..1_000 {
            if sent.is_empty() {
                script.advance(1);
                sent = script.sent();
            }
        }
        assert!(!sent.is_empty(), "{:?}", script.notes());
        let response = sent.trim_end().strip_prefix("AUTHENTICATE ").unwrap();
        let response = if response == "+" { "" } else { response };
        let step = match std::mem::take(&mut is_first) {
            true => server.start_encoded(&script.reactor, &name, Some(response.as_bytes())),
            false => server.respond_encoded(&script.reactor, response.as_bytes()),
        };
        for _ in 0..1_000 {
            if !step.is_settled() {
                script.advance(1);
            }
        }
        match step.take().expect("it is checked").unwrap() {
            ServerStep::Challenge(challenge) => {
                let encoded = data_encoding::BASE64.encode(&challenge);
                for piece in sasl_pieces(&encoded) {
                    script.receive(&format!("AUTHENTICATE {piece}\n"));
                }
            }
            ServerStep::Done { .. } => break,
            other => panic!("{other:?}"),
        }
    }
    script.receive(":irc 903 bot :ok\n:irc 001 bot :Welcome\n");
    assert_eq!(script.notes(), ["signed_on"]);
}

#[test]
fn a_challenge_without_end() {
    let script = plain();
    script.receive(":irc CAP * LS :sasl=PLAIN\n:irc CAP * ACK :sasl\n");
    let piece = format!("AUTHENTICATE {}\n", "A".repeat(400));
    for _ in 0..200 {
        script.receive(&piece);
    }
    assert!(script.sent().contains("AUTHENTICATE *\n"));
}
