//! Tables of commands: what is one, and how it is written.

use proptest::prelude::*;

use super::*;

#[test]
fn commands_are_read_and_written() {
    for (line, written) in [
        ("CAPABILITIES", "CAPABILITIES"),
        ("capabilities AUTOUPDATE", "CAPABILITIES"),
        ("mode reader", "MODE READER"),
        ("MODE STREAM", "MODE STREAM"),
        (" quit ", "QUIT"),
        ("GROUP misc.test", "GROUP misc.test"),
        ("LISTGROUP", "LISTGROUP"),
        ("LISTGROUP misc.test", "LISTGROUP misc.test 1-"),
        ("LISTGROUP misc.test 3-5", "LISTGROUP misc.test 3-5"),
        ("ARTICLE", "ARTICLE"),
        ("article 5", "ARTICLE 5"),
        ("HEAD <a@b>", "HEAD <a@b>"),
        ("BODY 1", "BODY 1"),
        ("STAT", "STAT"),
        ("IHAVE <a@b>", "IHAVE <a@b>"),
        ("CHECK <a@b>", "CHECK <a@b>"),
        ("TAKETHIS <a@b>", "TAKETHIS <a@b>"),
        ("NEWGROUPS 20240102 030405", "NEWGROUPS 20240102 030405 GMT"),
        ("NEWGROUPS 240102 030405 GMT", "NEWGROUPS 20240102 030405 GMT"),
        ("NEWNEWS * 240102 030405 GMT <world>", "NEWNEWS * 20240102 030405 GMT"),
        ("LIST", "LIST ACTIVE"),
        ("LIST ACTIVE misc.*", "LIST ACTIVE misc.*"),
        ("list overview.fmt", "LIST OVERVIEW.FMT"),
        ("LIST HEADERS RANGE", "LIST HEADERS"),
        ("LIST MOTD", "LIST MOTD"),
        ("OVER", "OVER"),
        ("XOVER 1-", "XOVER 1-"),
        ("OVER <a@b>", "OVER <a@b>"),
        ("HDR Subject 1-5", "HDR Subject 1-5"),
        ("XHDR :bytes", "XHDR :bytes"),
        ("STARTTLS", "STARTTLS"),
        ("AUTHINFO USER ann", "AUTHINFO USER ann"),
        ("AUTHINFO PASS a b", "AUTHINFO PASS a b"),
        ("AUTHINFO SASL PLAIN AGE=", "AUTHINFO SASL PLAIN AGE="),
        ("DATE", "DATE"),
        ("POST", "POST"),
        ("NEXT", "NEXT"),
        ("LAST", "LAST"),
        ("HELP me", "HELP"),
    ] {
        let command =
            Command::parse(line.as_bytes()).unwrap_or_else(|error| panic!("{line}: {error}"));
        assert_eq!(command.to_string(), written, "{line}");
        let again = Command::parse(written.as_bytes()).unwrap();
        assert_eq!(again.to_string(), written);
    }
}

#[test]
fn other_lines_are_refused() {
    for (line, code) in [
        (&b""[..], 500),
        (b"HALLO", 500),
        (b"GROUP", 501),
        (b"GROUP a b", 501),
        (b"GROUP a*", 501),
        (b"MODE", 501),
        (b"MODE POSIX", 501),
        (b"ARTICLE x", 501),
        (b"ARTICLE 1 2", 501),
        (b"ARTICLE 99999999999999999", 501),
        (b"IHAVE a@b", 501),
        (b"TAKETHIS", 501),
        (b"NEWGROUPS 20240102", 501),
        (b"NEWGROUPS 20240102 030405 CET", 501),
        (b"NEWGROUPS 20241302 030405", 501),
        (b"LIST NOTHING", 501),
        (b"LIST OVERVIEW.FMT *", 501),
        (b"HDR", 501),
        (b"HDR a:b 1", 501),
        (b"OVER 1 2", 501),
        (b"AUTHINFO", 501),
        (b"AUTHINFO USER ", 501),
        (b"AUTHINFO GENERIC x", 501),
        (b"AUTHINFO SASL a b c", 501),
        (b"GROUP a\0", 501),
        (b"GROUP \xff", 501),
        (b"QUIT now", 501),
    ] {
        let error = Command::parse(line).expect_err("no command");
        assert_eq!(error.code(), code, "{}", line.escape_ascii());
    }
}

#[test]
fn an_article_follows_takethis_whatever_else_is_wrong() {
    for (line, expect) in [
        (&b"TAKETHIS <a@b>"[..], true),
        (b"takethis", true),
        (b"TAKETHIS\tx", true),
        (b"TAKETHISX", false),
        (b"CHECK <a@b>", false),
        (b"", false),
    ] {
        assert_eq!(announces_article(line), expect, "{}", line.escape_ascii());
    }
}

proptest! {
    #[test]
    fn what_is_read_is_written_as_one_line_that_says_the_same(line in "(GROUP|OVER|HDR|LIST|ARTICLE|AUTHINFO USER|NEWNEWS|IHAVE)[ \t]{1,2}[a-zA-Z0-9<>@.*!:, -]{0,20}") {
        if let Ok(command) = Command::parse(line.as_bytes()) {
            let written = command.to_string();
            prop_assert!(!written.contains(['\r', '\n', '\0']));
            prop_assert_eq!(Command::parse(written.as_bytes()).map(|again| again.to_string()), Ok(written));
        }
    }
}
