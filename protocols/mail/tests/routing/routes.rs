//! Whom an address stands for.

use sinew_mail::{
    queue::QueuedRecipient,
    routing::{
        AliasError, Aliases, LocalDomain, RouteError, Router, RouterConfig, Target, TargetRules,
        User, UserList,
    },
    smtp::codec::{Notify, Recipient, Sender},
};
use sinew_transports::reactor::Reactor;

const ALIASES: &str = "
staff: ann, bob, carol@other.example
owner-staff: ann
info: \\bob, info
self: self, x@other.example
round: about
about: round
deep: deep1
deep1: deep2
deep2: deep3
deep3: x@other.example
empty:
twice: ann, ann, ANN@example.org, staff
pipe: \"|cat > /dev/null\"
box: /var/mail/box
only@second.example: ann@example.org
tagged: bob+inner
missing: nosuchuser
partly: zoe, ann, x@other.example
deeply: \\zoe, missing, bob, partly
nobody: zoe, missing, empty, \\yves
";

fn router() -> Router {
    let rules = TargetRules::default().programs(true).files(true);
    let users = UserList::default()
        .with("ann", User::new("ann"))
        .with("bob", User::new("robert"))
        .with("self", User::new("self"))
        .with("two words", User::new("two"))
        .with("away", User::new("away").forward("\\away, away@other.example"))
        .with("gone", User::new("gone").forward("# all of it\ngone@other.example\n"))
        .with("back", User::new("back").forward("forth"))
        .with("forth", User::new("forth").forward("back"))
        .with("same", User::new("same").forward("same, x@other.example"))
        .with("wrong", User::new("wrong").forward("|rm -rf /"))
        .with("none", User::new("none").forward("# nothing\n"));
    let second = UserList::default().with("dan", User::new("dan"));
    let second = LocalDomain::new(second).catch_all(Target::Name("dan".into())).tag_separator('-');
    let config = RouterConfig::new(Target::Name("ann".into()))
        .domain("Example.org", LocalDomain::new(users))
        .domain("second.example", second)
        .aliases(Aliases::parse(ALIASES, rules).unwrap())
        .depth_max(3);
    Router::new(config)
}

fn route_of(to: Recipient, sender: Option<&str>) -> Result<Vec<QueuedRecipient>, RouteError> {
    crate::watchdog::watch_this_test();
    let reactor = Reactor::simulated(0);
    let sender = Sender::new(sender.map(|sender| sender.parse().unwrap()));
    reactor.run_until(router().route(&reactor, &to, &sender)).unwrap()
}

fn route(to: &str) -> Result<Vec<String>, RouteError> {
    let found = route_of(Recipient::new(to.parse().unwrap()), Some("x@y.example"))?;
    let shown = found.iter().map(|to| match to.argument() {
        "" => format!("{}:{}", to.agent(), to.address()),
        argument => format!("{}:{argument}", to.agent()),
    });
    Ok(shown.collect())
}

#[test]
fn addresses_lead_to_mailboxes_and_other_hosts() {
    for (to, expected) in [
        ("ann@example.org", "mailbox:ann"),
        ("ANN@EXAMPLE.ORG", "mailbox:ann"),
        ("\"ann\"@example.org", "mailbox:ann"),
        ("bob@example.org", "mailbox:robert"),
        ("\"two words\"@example.org", "mailbox:two"),
        ("ann+lists@example.org", "mailbox:ann"),
        ("staff+x@example.org", "mailbox:ann mailbox:robert smtp:carol@other.example"),
        ("staff@example.org", "mailbox:ann mailbox:robert smtp:carol@other.example"),
        ("self@example.org", "mailbox:self smtp:x@other.example"),
        ("twice@example.org", "mailbox:ann mailbox:robert smtp:carol@other.example"),
        ("pipe@example.org", "program:cat > /dev/null"),
        ("box@example.org", "file:/var/mail/box"),
        ("tagged@example.org", "mailbox:robert"),
        ("away@example.org", "mailbox:away smtp:away@other.example"),
        ("gone@example.org", "smtp:gone@other.example"),
        ("same@example.org", "mailbox:same smtp:x@other.example"),
        ("none@example.org", "mailbox:none"),
        // Who is there gets it: the mailbox of `\bob` is there, that of `info` is not.
        ("info@example.org", "mailbox:robert"),
        ("partly@example.org", "mailbox:ann smtp:x@other.example"),
        ("deeply@example.org", "mailbox:robert mailbox:ann smtp:x@other.example"),
        ("only@second.example", "mailbox:ann"),
        ("dan@second.example", "mailbox:dan"),
        ("dan-x@second.example", "mailbox:dan"),
        ("someone@second.example", "mailbox:dan"),
        ("postmaster@example.org", "mailbox:ann"),
        ("PostMaster@second.example", "mailbox:ann"),
        ("Postmaster", "mailbox:ann"),
        ("zoe@other.example", "smtp:zoe@other.example"),
    ] {
        assert_eq!(route(to).map(|found| found.join(" ")), Ok(expected.to_owned()), "{to}");
    }
}

/// Whom addresses stand for with these aliases, in domains that have ann. The second also has a catch-all that is no alias.
fn caught(aliases: &str, to: &str) -> Result<String, RouteError> {
    crate::watchdog::watch_this_test();
    let users = UserList::default().with("ann", User::new("ann"));
    let second = LocalDomain::new(users.clone()).catch_all(Target::Name("ann".into()));
    let rules = TargetRules::default().programs(true);
    let config = RouterConfig::new(Target::Name("ann".into()))
        .domain("example.org", LocalDomain::new(users))
        .domain("second.example", second)
        .aliases(Aliases::parse(aliases, rules).unwrap());
    let (reactor, router) = (Reactor::simulated(0), Router::new(config));
    let to = Recipient::new(to.parse().unwrap());
    let routing = router.route(&reactor, &to, &Sender::new(None));
    let found = reactor.run_until(routing).unwrap()?;
    let shown = found.iter().map(|to| format!("{} {}", to.address(), to.argument()));
    Ok(shown.map(|to| to.trim_end().to_owned()).collect::<Vec<_>>().join(", "))
}

#[test]
fn what_no_alias_and_no_user_has_is_caught() {
    const CATCH: &str =
        "info: bob@b.example\n@example.org: ann, all@c.example\n@elsewhere.example: ann\n";
    for (aliases, to, expected) in [
        (CATCH, "someone@example.org", "ann@example.org ann, all@c.example"),
        (CATCH, "some+one@Example.ORG", "ann@example.org ann, all@c.example"),
        // Users and aliases are first, with their tags, and so is postmaster.
        (CATCH, "ann@example.org", "ann@example.org ann"),
        (CATCH, "ann+x@example.org", "ann+x@example.org ann"),
        (CATCH, "info@example.org", "bob@b.example"),
        (CATCH, "info+x@example.org", "bob@b.example"),
        (CATCH, "postmaster@example.org", "ann@example.org ann"),
        // That of another domain, and one of a domain that is not here.
        (CATCH, "someone@second.example", "ann@second.example ann"),
        (CATCH, "someone@elsewhere.example", "someone@elsewhere.example"),
        // The file is before the configuration.
        ("@second.example: x@d.example\n", "someone@second.example", "x@d.example"),
        ("@second.example: ann@example.org\n", "someone@second.example", "ann@example.org ann"),
        ("a: b\n@example.org: ann\n", "a@example.org", "ann@example.org ann"),
        ("@example.org: |cat\n", "x@example.org", "x@example.org cat"),
        // From one domain into another, and into one that catches, too.
        (
            "@example.org: x@second.example\n@second.example: ann\n",
            "someone@example.org",
            "ann@second.example ann",
        ),
    ] {
        assert_eq!(caught(aliases, to).as_deref(), Ok(expected), "{aliases:?} {to}");
    }
}

#[test]
fn a_catch_all_that_leads_back_or_nowhere_is_refused() {
    for (aliases, to) in [
        ("@example.org: x@second.example\n@second.example: x@example.org\n", "x@example.org"),
        ("@example.org: a\na: b\nb: someone\n", "someone@example.org"),
    ] {
        let error = caught(aliases, to).unwrap_err();
        assert!(matches!(error, RouteError::Loop { .. }), "{aliases:?}: {error}");
    }
    for (aliases, to) in [
        ("@example.org: nobody\n", "x@example.org"),
        ("@example.org: nobody\n", "nobody@example.org"),
        ("@example.org: \\nobody\n", "x@example.org"),
        ("@example.org:\n", "x@example.org"),
        // The mailbox of a name is nobody else's.
        ("a: \\zoe\n@example.org: ann\n", "a@example.org"),
    ] {
        assert_eq!(caught(aliases, to), Err(RouteError::NoSuchMailbox), "{aliases:?} {to}");
    }
}

#[test]
fn addresses_that_lead_nowhere_are_refused() {
    let is_loop = |error| matches!(error, RouteError::Loop { .. });
    let is_none = |error| error == RouteError::NoSuchMailbox;
    for to in ["round@example.org", "about@example.org", "back@example.org"] {
        assert!(is_loop(route(to).unwrap_err()), "{to}");
    }
    for to in [
        "zoe@example.org",
        "only@example.org",
        "empty@example.org",
        "missing@example.org",
        "+x@example.org",
        "nobody@example.org",
    ] {
        assert!(is_none(route(to).unwrap_err()), "{to}");
    }
    assert_eq!(route("deep@example.org"), Err(RouteError::TooDeep { max: 3 }));
    // What a user has written may be mended.
    let wrong = route("wrong@example.org").unwrap_err();
    assert!(matches!(&wrong, RouteError::Unavailable(why) if why.contains("programs")));
    assert!(wrong.reply().is_temporary());
}

#[test]
fn an_address_stands_for_no_more_than_the_limit() {
    crate::watchdog::watch_this_test();
    // Each name stands for ten of the next: ten thousand in all.
    let mut text = String::new();
    for level in 0..4 {
        for number in 0..10 {
            let to: Vec<_> = (0..10)
                .map(|to| format!("a{}-{to}-{number}@b{level}.example", level + 1))
                .collect();
            text.push_str(&format!(
                "l{level}-{number}: {}, l{}-{number}\n",
                to.join(","),
                level + 1
            ));
        }
    }
    let aliases = Aliases::parse(&text, TargetRules::default()).unwrap();
    let config = RouterConfig::new(Target::Name("x".into()))
        .domain("example.org", LocalDomain::new(UserList::default()))
        .aliases(aliases)
        .recipients_max(25);
    let reactor = Reactor::simulated(0);
    let to = Recipient::new("l0-0@example.org".parse().unwrap());
    let routing = Router::new(config).route(&reactor, &to, &Sender::new(None));
    let found = reactor.run_until(routing).unwrap();
    assert_eq!(found.unwrap_err(), RouteError::TooMany { max: 25 });
}

#[test]
fn members_of_a_list_have_its_owner_and_the_sender_is_told_of_it() {
    let success = Notify::SUCCESS.and(Notify::FAILURE);
    let to = || Recipient::new("staff@example.org".parse().unwrap()).with_notify(success);
    let found = route_of(to(), Some("x@y.example")).unwrap();
    let shown = format!("{found:?}");
    assert_eq!(found.len(), 4);
    assert_eq!(shown.matches("owner-staff@example.org").count(), 3, "{shown}");
    assert!(found[1..].iter().all(|to| to.recipient().notify().is_none()));
    // Without a sender there is nobody to tell, and no owner, or a report could come back as mail.
    let found = route_of(to(), None).unwrap();
    assert!(!format!("{found:?}").contains("owner-staff"));
    // One that leads to one is not a list.
    let one = Recipient::new("tagged@example.org".parse().unwrap()).with_notify(success);
    let found = route_of(one, Some("x@y.example")).unwrap();
    assert_eq!((found.len(), found[0].recipient().notify()), (1, Some(success)));
}

#[test]
fn aliases_are_read_again_and_the_old_ones_stay_if_something_is_wrong() {
    crate::watchdog::watch_this_test();
    let reactor = Reactor::new().unwrap();
    let router = router();
    let path = std::env::temp_dir().join(format!("sinew-aliases-{}", std::process::id()));
    let list = path.with_extension("list");
    std::fs::write(&list, "ann\nzoe@other.example\n").unwrap();
    let rules = TargetRules::default().includes(true);
    let load = |text: &str| {
        std::fs::write(&path, text).unwrap();
        reactor.run_until(router.load_aliases(&reactor, &path, rules)).unwrap()
    };
    let found = |to: &str| {
        let to = Recipient::new(to.parse().unwrap());
        let routing = router.route(&reactor, &to, &Sender::new(None));
        reactor.run_until(routing).unwrap().map(|found| found.len())
    };
    assert_eq!(load(&format!("new: :include:{}\n", list.display())), Ok(1));
    assert_eq!(
        (found("new@example.org"), found("staff@example.org")),
        (Ok(2), Err(RouteError::NoSuchMailbox))
    );
    assert!(matches!(load("new: |cat\n"), Err(AliasError::Target { line: 1, .. })));
    assert_eq!(found("new@example.org"), Ok(2));
    std::fs::remove_file(&path).unwrap();
    let missing = reactor.run_until(router.load_aliases(&reactor, &path, rules)).unwrap();
    assert!(matches!(missing, Err(AliasError::Include { .. })));
    std::fs::remove_file(&list).unwrap();
}
