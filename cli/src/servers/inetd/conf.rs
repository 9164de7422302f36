//! The parser of inetd.conf: [`parse`]. Pure.
//!
//! ```text
//! # service  socket  protocol  wait              user            program        arguments
//! echo       stream  tcp       nowait            root            internal
//! finger     stream  tcp       nowait.40         nobody          /usr/sbin/in.fingerd in.fingerd -w
//! tftp       dgram   udp       wait              nobody:nogroup  /usr/sbin/tftpd tftpd /srv/tftp
//! ```

use std::path::PathBuf;

use sinew::reactor::Excerpt;

use super::entry::{At, BuiltIn, ConfError, Entry, Limits, Run, RunAs, ServiceNames};

/// Longest file, in bytes.
pub(crate) const FILE_MAX: u64 = 1 << 20;

/// Most services of a file.
pub(super) const ENTRIES_MAX: usize = 1_000;

/// Reads a whole file. `file` is its name, for errors.
///
/// # Errors
///
/// The first mistake, with its line.
pub(crate) fn parse(file: &str, text: &str, names: &ServiceNames) -> Result<Vec<Entry>, ConfError> {
    let error = |line, what| ConfError { file: file.to_owned(), line, what };
    let (mut entries, mut default_host): (Vec<Entry>, Option<String>) = (Vec::new(), None);
    for (line, text) in logical_lines(text) {
        let words = words(&text).map_err(|what| error(line, what))?;
        match &words[..] {
            [] => {}
            // A host alone is the default of the lines after it.
            [host] if host.ends_with(':') && host.len() > 1 => {
                let host = host.trim_end_matches(':');
                default_host = (host != "*").then(|| host.to_owned());
            }
            words => {
                let read = entries_of(words, default_host.as_deref(), names);
                for entry in read.map_err(|what| error(line, what))? {
                    check_new(&entries, &entry).map_err(|what| error(line, what))?;
                    entries.push(entry);
                }
            }
        }
    }
    Ok(entries)
}

/// Whether an entry can be added to those before it.
pub(super) fn check_new(entries: &[Entry], entry: &Entry) -> Result<(), String> {
    if entries.len() >= ENTRIES_MAX {
        return Err(format!("more than {ENTRIES_MAX} services"));
    }
    let port = match &entry.at {
        At::Tcp(bind) | At::Udp(bind) => bind.addr.port(),
        _ => 1,
    };
    if port != 0 && entries.iter().any(|other| other.at == entry.at) {
        return Err(format!("{} is used by an earlier service, too", entry.at));
    }
    Ok(())
}

/// Lines without comments; a line that begins with a blank continues the one before it.
fn logical_lines(text: &str) -> Vec<(usize, String)> {
    let mut lines: Vec<(usize, String)> = Vec::new();
    for (number, line) in (1..).zip(text.lines()) {
        let line = if line.trim_start().starts_with('#') { "" } else { line };
        match lines.last_mut() {
            Some((_, before)) if line.starts_with([' ', '\t']) && !before.trim().is_empty() => {
                before.push_str(line);
            }
            _ => lines.push((number, line.to_owned())),
        }
    }
    lines
}

/// Splits at blanks. Quotes keep them together; a `#` at the begin of a word begins a comment.
fn words(line: &str) -> Result<Vec<String>, String> {
    let (mut words, mut word) = (Vec::new(), None::<String>);
    let mut characters = line.chars();
    while let Some(character) = characters.next() {
        match character {
            quote @ ('"' | '\'') => {
                let word = word.get_or_insert_default();
                loop {
                    match characters.next() {
                        None => return Err(format!("a {quote} is not closed")),
                        Some(end) if end == quote => break,
                        Some(other) => word.push(other),
                    }
                }
            }
            '#' if word.is_none() => break,
            blank if blank.is_whitespace() => words.extend(word.take()),
            '\0' => return Err("a NUL character".into()),
            other => word.get_or_insert_default().push(other),
        }
    }
    words.extend(word);
    Ok(words)
}

/// A line is several entries if it names several hosts.
fn entries_of(
    words: &[String],
    default_host: Option<&str>,
    names: &ServiceNames,
) -> Result<Vec<Entry>, String> {
    let [service, socket, protocol, wait, user, program, arguments @ ..] = words else {
        return Err(format!(
            "{} of at least 6 fields: service, socket, protocol, wait, user and program, and the arguments of the program",
            words.len()
        ));
    };
    let (hosts, name) = match service.rsplit_once(':') {
        Some((hosts, name)) if protocol != "unix" => (hosts.split(',').map(Some).collect(), name),
        _ => (vec![default_host], service.as_str()),
    };
    let run = run(program, arguments, name)?;
    let (wait, limits) = wait_field(wait)?;
    let user = match &run {
        Run::BuiltIn(_) => None,
        Run::Program { .. } => Some(run_as(user)?),
    };
    let entry_at = |host| {
        let at = At::new(socket, protocol, host, name, names)?;
        if matches!(run, Run::Program { .. }) && !at.is_stream() && !wait {
            return Err(
                "a program for datagrams has to be one that waits: each datagram would start another".to_owned(),
            );
        }
        check_built_in(&run, &at)?;
        Ok(Entry { name: name.to_owned(), at, wait, limits, user: user.clone(), run: run.clone() })
    };
    hosts.into_iter().map(entry_at).collect()
}

pub(super) fn check_built_in(run: &Run, at: &At) -> Result<(), String> {
    if matches!((run, at), (Run::BuiltIn(_), At::UnixDatagram(_))) {
        return Err("the built-in services do not answer Unix datagrams".into());
    }
    Ok(())
}

/// `internal`, with the name of the built-in service if the service is a number; or a program.
fn run(program: &str, arguments: &[String], service: &str) -> Result<Run, String> {
    if program == "internal" {
        let name = arguments.first().map_or(service, String::as_str);
        return BuiltIn::new(name).map(Run::BuiltIn);
    }
    let path = PathBuf::from(program);
    if !path.is_absolute() {
        return Err(format!("the program {:?} is not an absolute path", Excerpt::new(program)));
    }
    let arguments = match arguments {
        [] => vec![name_of(&path)],
        some => some.to_vec(),
    };
    Ok(Run::Program { path, arguments })
}

/// The last part of a path, as the name of a program.
pub(super) fn name_of(path: &std::path::Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

/// `wait`, `nowait`, `nowait.40` (starts a minute), `nowait/10` (children), `nowait/10/40` (children, starts a minute).
fn wait_field(text: &str) -> Result<(bool, Limits), String> {
    let end = text.find(['.', '/']).unwrap_or(text.len());
    let (word, rest) = text.split_at(end);
    let wait = match word {
        "wait" => true,
        "nowait" => false,
        other => {
            return Err(format!(
                "the fourth field is wait or nowait, not {:?}",
                Excerpt::new(other)
            ));
        }
    };
    let number = |text: &str| {
        text.parse::<u32>()
            .map_err(|_| format!("{:?} is no number of starts or children", Excerpt::new(text)))
    };
    let mut limits = Limits::default();
    // 0 is no limit of starts.
    let starts = |text: &str| number(text).map(|number| (number > 0).then_some(number));
    if let Some(per_minute) = rest.strip_prefix('.') {
        limits.starts = starts(per_minute)?;
    } else if let Some(rest) = rest.strip_prefix('/') {
        let mut parts = rest.split('/');
        let children = number(parts.next().unwrap_or_default())?;
        if children > 0 {
            limits.children = children as usize;
        }
        if let Some(per_minute) = parts.next() {
            limits.starts = starts(per_minute)?;
        }
        if parts.next().is_some() {
            return Err("the limit of children of one address is not supported".into());
        }
    }
    Ok((wait, limits))
}

/// `user`, `user:group` or `user.group`.
fn run_as(text: &str) -> Result<RunAs, String> {
    if text.contains('/') {
        return Err("login classes are not supported".into());
    }
    let (user, group) = match text.split_once(':').or_else(|| text.split_once('.')) {
        Some((user, group)) => (user, Some(group.to_owned())),
        None => (text, None),
    };
    if user.is_empty() || group.as_deref() == Some("") {
        return Err(format!("{:?} is no user, or user and group", Excerpt::new(text)));
    }
    Ok(RunAs { user: user.to_owned(), group })
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use super::{super::entry::Bind, *};

    fn names() -> ServiceNames {
        ServiceNames::parse(
            "tftp 69/udp\necho 7/tcp\necho 7/udp\nfinger 79/tcp cfinger # a comment\nbad line\n",
        )
    }

    fn one(line: &str) -> Entry {
        let mut entries =
            parse("inetd.conf", line, &names()).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(entries.len(), 1, "{line}");
        entries.remove(0)
    }

    fn tcp(text: &str) -> At {
        At::Tcp(Bind { addr: text.parse::<SocketAddr>().unwrap(), is_dual: false })
    }

    #[test]
    fn lines_of_all_kinds() {
        let entry = one("finger stream tcp nowait.40 nobody /usr/sbin/fingerd fingerd -w");
        assert_eq!(entry.at, tcp("0.0.0.0:79"));
        assert_eq!((entry.wait, entry.limits.starts), (false, Some(40)));
        assert_eq!(entry.user, Some(RunAs { user: "nobody".into(), group: None }));
        let expected = Run::Program {
            path: "/usr/sbin/fingerd".into(),
            arguments: vec!["fingerd".into(), "-w".into()],
        };
        assert_eq!(entry.run, expected);

        let entry = one("tftp dgram udp wait nobody:nogroup /usr/sbin/tftpd");
        assert!(entry.wait && matches!(entry.at, At::Udp(bind) if bind.addr.port() == 69));
        assert_eq!(entry.user.unwrap().group.as_deref(), Some("nogroup"));
        assert!(matches!(entry.run, Run::Program { arguments, .. } if arguments == ["tftpd"]));

        assert_eq!(one("echo stream tcp nowait root internal").run, Run::BuiltIn(BuiltIn::Echo));
        assert_eq!(
            one("7007 stream tcp nowait root internal chargen").run,
            Run::BuiltIn(BuiltIn::Chargen)
        );
        assert_eq!(one("cfinger stream tcp nowait/5/60 x /bin/cat").limits.children, 5);
        assert_eq!(one("0 stream tcp nowait.0 x /bin/cat").limits.starts, None);
        assert_eq!(
            one("/run/x.sock stream unix nowait x /bin/cat").at,
            At::Unix("/run/x.sock".into())
        );
        assert_eq!(one("127.0.0.1:echo stream tcp nowait x /bin/cat").at, tcp("127.0.0.1:7"));
        assert_eq!(one("[::1]:8000 stream tcp6 nowait x /bin/cat").at, tcp("[::1]:8000"));
        assert!(
            matches!(one("80 stream tcp46 nowait x /bin/cat").at, At::Tcp(bind) if bind.is_dual && bind.addr.is_ipv6())
        );
        // From the table of the library.
        assert_eq!(one("gopher stream tcp nowait x /bin/cat").at, tcp("0.0.0.0:70"));
    }

    #[test]
    fn quotes_comments_hosts_and_continued_lines() {
        let text = "# a comment\n\n1 stream tcp nowait x /bin/sh sh -c 'echo \"a b\"' # the end\n\
                    127.0.0.1,127.0.0.2:2 stream tcp nowait\n  x /bin/cat\n127.0.0.3:\n3 stream tcp nowait x /bin/cat\n*:\n4 stream tcp nowait x /bin/cat\n";
        let entries = parse("f", text, &names()).unwrap();
        assert!(
            matches!(&entries[0].run, Run::Program { arguments, .. } if arguments == &["sh", "-c", "echo \"a b\""])
        );
        let places: Vec<_> = entries.iter().map(|entry| entry.at.clone()).collect();
        let expected =
            ["0.0.0.0:1", "127.0.0.1:2", "127.0.0.2:2", "127.0.0.3:3", "0.0.0.0:4"].map(tcp);
        assert_eq!(places, expected);
    }

    #[test]
    fn mistakes_have_their_line() {
        let cases = [
            ("echo stream tcp nowait root", "5 of at least 6 fields"),
            ("echo raw tcp nowait root internal", "raw are not supported"),
            ("echo stream udp nowait root internal", "has the protocol tcp"),
            ("echo stream rpc/tcp nowait root internal", "Sun RPC"),
            ("echo stream tcp maybe root internal", "wait or nowait"),
            ("echo stream tcp nowait.x root internal", "no number"),
            ("99999 stream tcp nowait root internal echo", "no port"),
            ("nosuch stream tcp nowait root /bin/cat", "no service \"nosuch\""),
            ("finger stream tcp nowait root internal", "no built-in service"),
            ("echo stream tcp nowait root bin/cat", "not an absolute path"),
            ("tftp dgram udp nowait root /bin/cat", "has to be one that waits"),
            ("echo stream tcp nowait ro/ot /bin/cat", "login classes"),
            ("echo stream tcp nowait : /bin/cat", "no user"),
            ("echo stream tcp nowait root /bin/cat 'x", "is not closed"),
            ("x/y.sock stream unix nowait root /bin/cat", "no absolute path"),
            ("nowhere.example:7 stream tcp nowait root internal echo", "no IP address"),
            ("[::1]:7 stream tcp nowait root internal echo", "needs a 6"),
        ];
        for (line, part) in cases {
            let error = parse("inetd.conf", &format!("# first\n{line}\n"), &names()).unwrap_err();
            assert_eq!(error.line, 2, "{line}");
            let text = error.to_string();
            assert!(text.starts_with("inetd.conf:2: ") && text.contains(part), "{text}");
        }
        let twice = "7 stream tcp nowait x /bin/cat\necho stream tcp nowait x /bin/cat\n";
        assert_eq!(parse("f", twice, &names()).unwrap_err().line, 2);
        let many = "0 stream tcp nowait x /bin/cat\n".repeat(ENTRIES_MAX + 1);
        assert_eq!(parse("f", &many, &names()).unwrap_err().line, ENTRIES_MAX + 1);
    }

    /// Files of words that mean something, in any order, and of characters that end or begin something.
    #[test]
    fn no_text_makes_the_parsers_panic() {
        const WORDS: &[&str] = &[
            "echo",
            "stream",
            "dgram",
            "tcp",
            "udp6",
            "unix",
            "wait",
            "nowait.",
            "/",
            ":",
            "root",
            "internal",
            "/bin/cat",
            "'",
            "\"",
            "#",
            "\n",
            "\n ",
            "service x",
            "{",
            "}",
            "=",
            "+=",
            "port",
            "65536",
            "-1",
            "ü",
            "[::1]:",
            "*:",
            ",",
            "\0",
            "cps = 1 1",
            "instances",
            "disable = yes",
            "\t",
            "   ",
        ];
        let mut random = 1_u64;
        let mut next = |below: usize| {
            random = random
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            (random >> 33) as usize % below
        };
        for _ in 0..20_000 {
            let mut text = String::new();
            for _ in 0..next(20) {
                text += WORDS[next(WORDS.len())];
                text += if next(3) == 0 { "" } else { " " };
            }
            let _ = parse("f", &text, &names());
            let _ = super::super::xinetd::parse("f", &text, &names());
            let _ = super::super::xinetd::is_xinetd(&text);
        }
    }
}
