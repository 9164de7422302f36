//! Input that nobody should send.

use crate::server::network::{Network, config};

#[test]
fn nul_refused_and_other_rubbish() {
    let network = Network::new(config());
    let [ann, bob] = network.in_channel(["ann", "bob"]);
    for line in [
        &b"PRIVMSG #a :a\0b\n"[..],
        b"\0\n",
        b"\x01\x02\n",
        b":source\n",
        b"@tags\n",
        b"@tags :source\n",
        b": \n",
        b"@\n",
        b"@=;=;== \n",
        b"\xff\xfe\n",
    ] {
        ann.send(line);
        assert!(!ann.is_closed());
        assert!(!bob.received().contains("PRIVMSG"), "{line:?}");
    }
    ann.received();
    // A source that a client claims counts for nothing.
    ann.send(b":bob!b@h PRIVMSG #a :x\n");
    assert_eq!(bob.received(), ":ann!~ann@localhost PRIVMSG #a :x\n");
}

/// A page can make a browser send a request to any port, with lines of IRC in its body.
#[test]
fn requests_of_browsers() {
    let network = Network::new(config());
    let body = "NICK eve\r\nUSER eve 0 * :x\r\nJOIN #a\r\n";
    for method in
        ["GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH", "post"]
    {
        let client = network.connect();
        client.send(format!("{method} / HTTP/1.1\r\nHost: irc\r\n\r\n{body}").as_bytes());
        let received = client.received();
        assert_eq!(received, "ERROR :Closing Link: localhost (This is not a web server)\n");
        assert!(client.is_closed(), "{method}");
    }
    // To those who have been welcomed it is a command that is not known.
    assert_eq!(network.client("ann").codes("POST / HTTP/1.1"), ["421"]);
}

#[test]
fn cr_alone_and_lf_alone() {
    let network = Network::new(config());
    let client = network.connect();
    client.send(b"NICK ann\rUSER ann 0 * :x\rPRIVMSG ann :a\n");
    assert!(client.received().ends_with("PRIVMSG ann :a\n"));
}

#[test]
fn parameters_that_would_break_out_of_replies() {
    let network = Network::new(config());
    let ann = network.client("ann");
    for line in [
        "NICK :a b :c",
        "JOIN :#a b",
        "WHOIS ::x y",
        "MODE ::x",
        "WHO ::x y",
        "WHOWAS :a b",
        "INVITE :a b #c",
        "TOPIC :#a b",
        "PRIVMSG :a b :x",
        "KICK :#a b :c d",
        "MODE #a +k :a b",
        "HELP :a b",
        "CAP ::x",
        "STATS :a b",
    ] {
        for reply in ann.say(line).lines() {
            let (front, _) = reply[1..].split_once(" :").unwrap_or((&reply[1..], ""));
            assert!(
                !front.contains("::") && front.split(' ').all(|word| !word.is_empty()),
                "{line}: {reply}"
            );
        }
    }
}

#[test]
fn tags_up_to_their_limit() {
    let network = Network::new(config());
    let ann = network.with("ann", "message-tags echo-message");
    let tags = |len: usize| format!("@+a={} PRIVMSG ann :x", "x".repeat(len));
    assert!(ann.say(&tags(4_091)).contains("PRIVMSG"));
    assert!(ann.say(&tags(4_092)).contains(" 417 "));
    assert!(ann.say(&format!("PRIVMSG ann :{}", "x".repeat(497))).contains("PRIVMSG"));
    assert!(ann.say(&format!("PRIVMSG ann :{}", "x".repeat(498))).contains(" 417 "));
}

#[test]
fn a_client_that_is_gone_gets_and_sends_nothing() {
    let network = Network::new(config());
    let [ann, bob] = network.in_channel(["ann", "bob"]);
    ann.send(b"QUIT :x\nPRIVMSG #a :after\nJOIN #b\n");
    assert_eq!(bob.received(), ":ann!~ann@localhost QUIT :Quit: x\n");
    bob.say("PRIVMSG #a :x\nPRIVMSG ann :x");
    assert!(!ann.received().contains("PRIVMSG"));
    assert_eq!(network.server.report().channels, 1);
}
