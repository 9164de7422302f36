//! Every command in every state, as the table at the head of the server's connection says.

use std::time::Duration;

use crate::support::Client;

/// The command, and its code without a group, in an empty group, and with a current article.
const TABLE: [(&str, [u16; 3]); 43] = [
    ("CAPABILITIES", [101; 3]),
    ("DATE", [111; 3]),
    ("HELP", [100; 3]),
    ("MODE READER", [200; 3]),
    ("MODE STREAM", [203; 3]),
    ("GROUP a.open", [211; 3]),
    ("GROUP b.secret", [411; 3]),
    ("GROUP no.such", [411; 3]),
    ("LISTGROUP", [412, 211, 211]),
    ("LISTGROUP a.open", [211; 3]),
    ("LISTGROUP no.such", [411; 3]),
    ("LIST", [215; 3]),
    ("LIST MOTD", [503; 3]),
    ("LIST NOTHING", [501; 3]),
    ("NEWGROUPS 20000101 000000", [231; 3]),
    ("NEWNEWS * 20000101 000000", [230; 3]),
    ("NEXT", [412, 420, 223]),
    ("LAST", [412, 420, 422]),
    ("ARTICLE", [412, 420, 220]),
    ("HEAD", [412, 420, 221]),
    ("BODY", [412, 420, 222]),
    ("STAT", [412, 420, 223]),
    ("STAT 1", [412, 423, 223]),
    ("STAT 9", [412, 423, 423]),
    ("STAT <1@a>", [223; 3]),
    ("STAT <secret@a>", [430; 3]),
    ("STAT <no@a>", [430; 3]),
    ("OVER", [412, 420, 224]),
    ("OVER 1-", [412, 423, 224]),
    ("OVER 9-", [412, 423, 423]),
    ("OVER <1@a>", [224; 3]),
    ("OVER <no@a>", [430; 3]),
    ("XOVER 9-", [412, 420, 420]),
    ("HDR Subject", [412, 420, 225]),
    ("HDR :none 1", [503; 3]),
    ("XHDR Subject 1-", [412, 420, 221]),
    ("POST", [340; 3]),
    ("IHAVE <new@a>", [335; 3]),
    ("IHAVE <1@a>", [435; 3]),
    ("CHECK <new@a>", [238; 3]),
    ("STARTTLS", [580; 3]),
    ("AUTHINFO USER ann", [502; 3]),
    ("QUIT", [205; 3]),
];

fn client(state: usize) -> Client {
    let client = Client::new();
    client.put("<1@a>", &["a.open"], "one\r\n");
    client.put("<2@a>", &["a.open"], "two\r\n");
    client.put("<secret@a>", &["b.secret"], "three\r\n");
    let select = ["", "GROUP a.closed\r\n", "GROUP a.open\r\n"][state];
    client.say(select);
    client
}

#[test]
fn every_command_in_every_state() {
    for (command, expect) in TABLE {
        for (state, expect) in expect.into_iter().enumerate() {
            let client = client(state);
            let codes = client.codes(format!("{command}\r\n"));
            assert_eq!(codes.first(), Some(&expect), "{command} in state {state}: {codes:?}");
        }
    }
}

#[test]
fn the_current_article_moves() {
    let client = client(2);
    for (command, expect) in [
        ("STAT", "223 1 <1@a>"),
        ("NEXT", "223 2 <2@a> retrieved"),
        ("NEXT", "421 There is no next article"),
        ("STAT", "223 2 <2@a>"),
        ("LAST", "223 1 <1@a> retrieved"),
        ("STAT 2", "223 2 <2@a>"),
        ("STAT <1@a>", "223 0 <1@a>"),
        ("STAT", "223 2 <2@a>"),
        ("GROUP a.moderated", "211 0 1 0 a.moderated"),
        ("STAT", "420 There is no current article"),
        ("GROUP no.such", "411 There is no such group"),
        ("LISTGROUP", "211 0 1 0 a.moderated list follows"),
    ] {
        let said = client.say(format!("{command}\r\n"));
        assert_eq!(said.lines().next(), Some(expect), "{command}");
    }
}

#[test]
fn pipelined_commands_are_answered_in_order() {
    let client = client(0);
    let codes = client.codes("GROUP a.open\r\nSTAT 2\r\nNO\r\nSTAT 9\r\nQUIT\r\nDATE\r\n");
    assert_eq!(codes, [211, 223, 500, 423, 205]);
    assert!(client.is_closed());
}

/// Others have their turn however much a client pipelines, and it is not forgotten.
#[test]
fn commands_of_a_turn_are_bounded() {
    const COMMANDS: usize = 1_000;
    for (command, end) in [("DATE", "111 "), ("HELP", "100 "), ("STAT", "412 ")] {
        let client = Client::greeted();
        client.wire.receive(format!("{command}\r\n").repeat(COMMANDS).as_bytes());
        let mut replied = 0;
        let mut turns = 0;
        while replied < COMMANDS {
            client.reactor.turn(Some(Duration::ZERO)).expect("it turns");
            let replies = String::from_utf8(client.wire.take(usize::MAX)).expect("text");
            let in_turn = replies.lines().filter(|line| line.starts_with(end)).count();
            assert!(in_turn <= 32, "{in_turn} times {command} in one turn");
            replied += in_turn;
            turns += 1;
            assert!(turns < COMMANDS, "{replied} replies to {command} in {turns} turns");
        }
    }
}
