//! Messages of DCC: those of clients, and those that nobody should send.

use proptest::prelude::*;

use super::{Dcc, DccOffered, DccPart, DccSyntaxError, IrcText};

fn send<'a>(name: &'a str, at: DccOffered<'a>, size: Option<u64>) -> Dcc<'a> {
    Dcc::Send { name: IrcText::new(name.as_bytes()), at, size }
}

fn at(text: &str) -> DccOffered<'static> {
    DccOffered::At(text.parse().unwrap())
}

#[test]
fn messages_of_clients() {
    let token = || IrcText::new(b"7");
    let ip = || "1.2.3.4".parse().unwrap();
    for (text, expected) in [
        ("SEND a.txt 16909060 5000 10", send("a.txt", at("1.2.3.4:5000"), Some(10))),
        ("send a.txt 1.2.3.4 5000 10", send("a.txt", at("1.2.3.4:5000"), Some(10))),
        ("SEND a.txt 16909060 5000", send("a.txt", at("1.2.3.4:5000"), None)),
        ("SEND \"a b\" 16909060 5000 10", send("a b", at("1.2.3.4:5000"), Some(10))),
        ("SEND \"a\"b\" 16909060 5000 10", send("a\"b", at("1.2.3.4:5000"), Some(10))),
        ("SEND  a.txt  2001:db8::1  5000  10 ", send("a.txt", at("[2001:db8::1]:5000"), Some(10))),
        ("SEND a ::ffff:1.2.3.4 5000 1", send("a", at("1.2.3.4:5000"), Some(1))),
        ("SEND a 16909060 0 10 7", send("a", DccOffered::Passive(ip(), token()), Some(10))),
        (
            "SEND a 16909060 9 10 7",
            send("a", DccOffered::AtFor("1.2.3.4:9".parse().unwrap(), token()), Some(10)),
        ),
        ("SEND a 16909060 9 18446744073709551615", send("a", at("1.2.3.4:9"), Some(u64::MAX))),
        ("CHAT chat 16909060 5000", Dcc::Chat { at: at("1.2.3.4:5000") }),
        ("CHAT CHAT 16909060 0 7", Dcc::Chat { at: DccOffered::Passive(ip(), token()) }),
        ("RESUME a 5000 7", Dcc::Resume(DccPart::new(b"a", 5000, 7))),
        ("RESUME \"a b\" 0 7 7", Dcc::Resume(DccPart::new(b"a b", 0, 7).token(b"7"))),
        ("ACCEPT file.ext 5000 7", Dcc::Accept(DccPart::new(b"file.ext", 5000, 7))),
    ] {
        assert_eq!(Dcc::parse(text.as_bytes()), Ok(expected), "{text}");
    }
}

#[test]
fn messages_that_nobody_should_send() {
    use DccSyntaxError::{Address, Name, Number, Port, Token, Unknown, Words};
    let long = format!("SEND a 16909060 0 1 {}", "7".repeat(33));
    for (text, expected) in [
        ("", Unknown),
        ("XMIT a 1 2", Unknown),
        ("CHAT wboard 16909060 5000", Unknown),
        ("SEND", Name),
        ("SEND  ", Name),
        ("SEND \"\" 16909060 5000 10", Name),
        ("SEND \"a 16909060 5000 10", Name),
        ("SEND a", Words { words: 0 }),
        ("SEND a 16909060", Words { words: 1 }),
        ("SEND a b c d e f g", Words { words: 6 }),
        ("SEND a 4294967296 5000 10", Address),
        ("SEND a -1 5000 10", Address),
        ("SEND a 1.2.3 5000 10", Address),
        ("SEND a 99999999999999999999999 5000 10", Address),
        ("SEND a example.net 5000 10", Address),
        ("SEND a 16909060 65536 10", Port),
        ("SEND a 16909060 +80 10", Port),
        ("SEND a 16909060 0 10", Port),
        ("SEND a 16909060 5000 18446744073709551616", Number),
        ("SEND a 16909060 5000 -1", Number),
        ("SEND a 16909060 5000 1e3", Number),
        (&long, Token),
        ("SEND a 16909060 0 1 \u{e9}", Token),
        ("CHAT chat 16909060", Words { words: 2 }),
        ("RESUME a 5000", Words { words: 1 }),
        ("RESUME a 0 7", Port),
        ("ACCEPT a 5000 x", Number),
    ] {
        assert_eq!(Dcc::parse(text.as_bytes()), Err(expected), "{text}");
    }
}

#[test]
fn nothing_breaks_out_of_a_message() {
    for dcc in [
        send("", at("1.2.3.4:9"), None),
        send("a\"b", at("1.2.3.4:9"), None),
        send("a\nb", at("1.2.3.4:9"), None),
        send("a\x01", at("1.2.3.4:9"), None),
        send("a", at("1.2.3.4:0"), None),
        send("a", DccOffered::Passive("1.2.3.4".parse().unwrap(), IrcText::new(b"")), None),
        Dcc::Resume(DccPart::new(b"a", 0, 0)),
        Dcc::Resume(DccPart::new(b"a", 0, 0).token(b"a b")),
        Dcc::Accept(DccPart::new(b"a", 0, 0).token(&[b'a'; 33])),
    ] {
        assert!(dcc.encode().is_err(), "{dcc:?}");
    }
    let passive = DccOffered::Passive("::1".parse().unwrap(), IrcText::new(b"7"));
    assert_eq!(send("a b", passive, None).encode().unwrap(), b"SEND \"a b\" ::1 0 0 7");
}

proptest! {
    #[test]
    fn what_is_read_is_written_and_read_as_the_same(
        kind in "(SEND|CHAT chat|RESUME|ACCEPT)",
        rest in "( \"?[a-z]{0,3}\"?| [0-9]{1,11}| [0-9a-f]{0,3}::| [0-9.]{7}){0,7}",
    ) {
        let text = format!("{kind}{rest}");
        if let Ok(dcc) = Dcc::parse(text.as_bytes())
            && let Ok(encoded) = dcc.encode()
        {
            prop_assert_eq!(Dcc::parse(&encoded), Ok(dcc));
        }
    }

    #[test]
    fn any_bytes(text: Vec<u8>) {
        let _ = Dcc::parse(&text);
        let _ = Dcc::parse(&[b"SEND ", text.as_slice()].concat());
    }
}
