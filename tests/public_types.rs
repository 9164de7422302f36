//! API checks for semver compatibility: public enums are non-exhaustive, important results are `must_use`, and public
//! functions panic only on wrong arguments. Scans the sources.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

/// Exhaustive enums, with the reason. Enums without variants are exhaustive anyway.
const COMPLETE: [(&str, &str); 6] = [
    (
        "AcceptFailure",
        "callers of accept must handle each outcome, and a new one would change the contract",
    ),
    ("Decoded", "callers of a decoder must handle each outcome"),
    ("Family", "there are two versions of IP"),
    ("Inflated", "callers of a decoder must handle each outcome"),
    ("Role", "a WebSocket connection has two ends"),
    ("Unstuffed", "callers of a decoder must handle each outcome"),
];

/// Exhaustive structs with public fields, with the reason.
const PLAIN: [(&str, &str); 17] = [
    ("BuildError", "users make it in tests of their handling"),
    ("ByteRange", "users make it: it is a pair of positions"),
    ("Flap", "users make it: it is a frame"),
    ("Snac", "users make it: it is a message with its parts"),
    ("ShortLivedConnection", "users make it in tests of their handling"),
    ("MailboxError", "users make it in tests of their handling"),
    ("Panicked", "users make it in tests of their handling"),
    ("SendDescriptorError", "users make it in tests of their handling"),
    ("TimedOut", "users make it in tests of their handling"),
    ("WindowSize", "users make it: it is what a terminal has"),
    ("DeadlinePassed", "users make it in tests of their handling"),
    ("SessionFull", "users make it in tests of their handling"),
    ("SetProtocolError", "users make it in tests of their handling"),
    ("UnreadInput", "users make it in tests of their handling"),
    ("Span", "users make it: it is a text with its formatting"),
    ("ModeChange", "users make it: it is a mode with its argument"),
    ("SaslTooLong", "users make it in tests of their handling"),
];

/// Types that do something only if they are used, or that must not be ignored.
const MUST_USE: [&str; 51] = [
    "AcceptFailure",
    "Acl",
    "Builder",
    "Chain",
    "RandomFaults",
    "ConnectConfig",
    "ConnectStream",
    "Connecting",
    "DatagramConfig",
    "Decoded",
    "Deferred",
    "DnsConfig",
    "Driver",
    "Faults",
    "Inflated",
    "Keepalive",
    "Link",
    "ListenConfig",
    "MessageLimits",
    "OwnedConnection",
    "Plan",
    "ProcessConfig",
    "Production",
    "Promise",
    "ProxyConfig",
    "ProxyHeader",
    "QuerySettings",
    "Question",
    "Reactors",
    "Registration",
    "RequestClientConfig",
    "RetryConfig",
    "RunningReactors",
    "SecondaryConfig",
    "Server",
    "ServerConfig",
    "SignalReceiver",
    "SignalWatch",
    "Sleep",
    "StreamConfig",
    "SystemUnderTest",
    "Task",
    "TaskGroup",
    "TestServer",
    "TlsClientConfig",
    "TlsServerConfig",
    "TransferAccess",
    "TransferConfig",
    "Unstuffed",
    "Update",
    "ZoneConfig",
];

/// Functions that panic, and on which arguments: wrong independently of the peer, as with `Vec::remove`. Functions of
/// the test kit, which panic to fail a test, are not listed.
const PANICKING: [(&str, &str); 25] = [
    ("addr", "in TestServer of DNS: text that is no name"),
    ("alias", "in TestServer of DNS: text that is no name"),
    ("any", "in Router: a pattern that is malformed, or taken already"),
    ("call_every", "an interval of zero"),
    ("consume", "more bytes than there are"),
    ("data", "in TestServer of DNS: text that is no name"),
    ("delete", "in Router: a pattern that is malformed, or taken already"),
    ("from_static", "in Atom of IMAP: a constant that is no atom"),
    ("from_static", "a constant that is no argument; checked by the compiler in constants"),
    ("get", "in Router: a pattern that is malformed, or taken already"),
    ("keep_raw", "a rest that was not given"),
    ("nest", "in Router: a path that is malformed"),
    ("new", "in Fixed: frames of no bytes"),
    ("new", "in Line: a delimiter of no bytes"),
    ("new", "in ReactorTimer: a timer that is used on another thread later"),
    ("poll", "a future that is polled after it was ready"),
    ("post", "in Router: a pattern that is malformed, or taken already"),
    ("put", "in Router: a pattern that is malformed, or taken already"),
    ("reactor", "in the Request of HTTP: one that was kept after its reactor was dropped"),
    ("receive", "in Wire, the far end of a stream in memory: bytes behind the end"),
    ("route", "in Router: a pattern that is malformed, or taken already"),
    ("set_frame_mode", "a rest that was not given"),
    ("set_line_mode", "a rest that was not given"),
    ("with_type", "in the Response of HTTP: a type with a control character"),
    ("zone", "in TestServer of DNS: text that is no name"),
];

const CRATES: [&str; 7] = [
    "src",
    "reactor/src",
    "transports/src",
    "testkit/src",
    "protocols/src",
    "socketserver/src",
    "application/src",
];

/// The sources of the product.
fn sources() -> Vec<(PathBuf, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut folders: Vec<_> = CRATES.iter().map(|folder| root.join(folder)).collect();
    // The families of protocols are crates in folders of `protocols/`.
    folders.extend(fs::read_dir(root.join("protocols")).unwrap().filter_map(|entry| {
        let family = entry.unwrap().path();
        family.join("Cargo.toml").is_file().then(|| family.join("src"))
    }));
    let mut sources = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = fs::read_to_string(&path).unwrap();
                sources.push((path.strip_prefix(root).unwrap().to_owned(), text));
            }
        }
    }
    assert!(sources.len() > 200, "only {} sources were found", sources.len());
    sources
}

/// A public item: its name, its attributes and documentation, its first line, and the following lines.
struct Item<'a> {
    name: &'a str,
    head: Vec<&'a str>,
    first: &'a str,
    body: Vec<&'a str>,
}

impl Item<'_> {
    fn has(&self, attribute: &str) -> bool {
        self.head.iter().any(|line| line.trim_start().starts_with(&format!("#[{attribute}")))
    }

    fn has_public_fields(&self) -> bool {
        let is_field = |line: &&str| line.starts_with("    pub ") && line.contains(": ");
        self.body.iter().any(is_field)
    }
}

/// The public items of a kind, `struct` or `enum`, of a source file.
fn items<'a>(source: &'a str, kind: &str) -> Vec<Item<'a>> {
    let lines: Vec<_> = source.lines().collect();
    let beginning = format!("pub {kind} ");
    let found = lines.iter().enumerate().filter_map(|(at, first)| {
        let rest = first.strip_prefix(&beginning)?;
        let name = rest.split(|c: char| !c.is_alphanumeric()).next()?;
        let is_head = |line: &&&str| !line.is_empty() && !line.starts_with('}');
        let head = lines[..at].iter().rev().take_while(is_head).copied().collect();
        let is_body = |line: &&&str| first.ends_with('{') && !line.starts_with('}');
        let body = lines[at + 1..].iter().take_while(is_body).copied().collect();
        Some(Item { name, head, first, body })
    });
    found.collect()
}

#[test]
fn public_enums_can_get_variants() {
    let mut complete: BTreeSet<_> = COMPLETE.iter().map(|(name, _)| *name).collect();
    let mut enums = 0;
    for (path, source) in &sources() {
        for item in items(source, "enum") {
            enums += 1;
            let is_empty = item.first.ends_with("{}");
            if !item.has("non_exhaustive") && !is_empty && !complete.remove(item.name) {
                panic!("{}: {} is not #[non_exhaustive]", path.display(), item.name);
            }
        }
    }
    assert!(enums > 60, "only {enums} enums were found");
    assert!(complete.is_empty(), "{complete:?} need no exception any more");
}

#[test]
fn public_structs_with_public_fields_can_get_more() {
    let mut plain: BTreeSet<_> = PLAIN.iter().map(|(name, _)| *name).collect();
    let mut structs = 0;
    for (path, source) in &sources() {
        for item in items(source, "struct").iter().filter(|item| item.has_public_fields()) {
            structs += 1;
            if !item.has("non_exhaustive") && !plain.remove(item.name) {
                panic!("{}: {} is not #[non_exhaustive]", path.display(), item.name);
            }
        }
    }
    assert!(structs > 20, "only {structs} structs were found");
    assert!(plain.is_empty(), "{plain:?} need no exception any more");
}

/// Configurations are created with `Default` and setters, so that fields can be added.
#[test]
fn configurations_have_private_fields() {
    let mut configurations = 0;
    for (path, source) in &sources() {
        let all = items(source, "struct");
        for item in all.iter().filter(|item| item.name.ends_with("Config")) {
            configurations += 1;
            let place = format!("{}: {}", path.display(), item.name);
            assert!(!item.has_public_fields(), "{place} has public fields");
            assert!(item.has("must_use"), "{place} is not #[must_use]");
        }
    }
    assert!(configurations > 10, "only {configurations} configurations were found");
}

#[test]
fn important_results_are_must_use() {
    let mut left: BTreeSet<_> = MUST_USE.into_iter().collect();
    for (_, source) in &sources() {
        for item in items(source, "struct").iter().chain(&items(source, "enum")) {
            if item.has("must_use") {
                left.remove(item.name);
            }
        }
    }
    assert!(left.is_empty(), "not #[must_use]: {left:?}");
}

/// Accessors return `None`, and operations return errors. Functions that panic are in the table, with the reason.
#[test]
fn only_wrong_arguments_panic() {
    let mut found: BTreeMap<String, usize> = BTreeMap::new();
    for (path, source) in &sources() {
        if path.starts_with("testkit/src") {
            continue;
        }
        let lines: Vec<_> = source.lines().map(str::trim_start).collect();
        for (at, _) in lines.iter().enumerate().filter(|(_, line)| **line == "/// # Panics") {
            let function = lines[at..].iter().find_map(|line| {
                let (before, rest) = line.split_once("fn ")?;
                let is_code = !before.starts_with("//") && !before.starts_with("#[");
                is_code.then(|| rest.split(|c: char| !c.is_alphanumeric() && c != '_').next())?
            });
            *found.entry(function.expect("a function follows").to_owned()).or_default() += 1;
        }
    }
    let mut allowed: BTreeMap<String, usize> = BTreeMap::new();
    for (name, _) in PANICKING {
        *allowed.entry(name.to_owned()).or_default() += 1;
    }
    assert_eq!(found, allowed);
}
