//! Users in a file of hashed passwords.

use std::{fs, path::PathBuf, time::Duration};

use sinew_auth::{
    Ability, AuthError, Authenticator, Checker, Credentials, Mechanism, PasswordFile,
    PasswordFileError, ScramHash, ScramKeys, ServerStep, UserChanges,
};
use sinew_transports::reactor::{Deferred, Failure, Reactor};

use super::{
    folder::Folder,
    support::{Login, config, encrypted, now},
};

const BCRYPT: &str = "$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW"; // U*U
const SHA: &str = "{SHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g="; // password
const APR1: &str = "$apr1$r31.....$HqJZimcKQFAMYayBlzkrA/"; // myPassword
const SHA_CRYPT: &str = "$5$rounds=1000$abc$Mz4DiYKTnNKbZLo/mIp3d8Y4aQBhv3uhSwxLDy55/Y8"; // secret

fn file(folder: &Folder, text: &str) -> PathBuf {
    let path = folder.path().join("users");
    fs::write(&path, text).unwrap();
    path
}

/// Whether a password is right.
fn check(reactor: &Reactor, users: &impl Checker, user: &str, password: &str) -> bool {
    let checked = users.check(reactor, Credentials::password(user, password));
    match now(reactor, &checked) {
        Ok(identity) => {
            assert_eq!(identity.name(), user);
            true
        }
        Err(AuthError::Refused) => false,
        Err(other) => panic!("{user}: {other}"),
    }
}

fn keys(password: &str, iterations: u32) -> String {
    ScramKeys::derive(ScramHash::Sha256, password.as_bytes(), b"a salt of 20 bytes..", iterations)
        .to_text()
}

#[test]
fn kinds_of_hashes() {
    let folder = Folder::new();
    let scram = keys("pencil", 5);
    let text = format!(
        "# users\n\nann:{BCRYPT}\r\nbob:{SHA}\n carl:{APR1}\ndora:{SHA_CRYPT}\nemil:{scram}\n"
    );
    let users = PasswordFile::open(file(&folder, &text)).unwrap();
    let reactor = Reactor::simulated(0);
    for (user, password, expected) in [
        ("ann", "U*U", true),
        ("ann", "U*U", true), // again, remembered
        ("ann", "U*u", false),
        ("bob", "password", true),
        ("bob", "U*U", false),
        ("carl", "myPassword", true),
        ("dora", "secret", true),
        ("dora", "Secret", false),
        ("emil", "pencil", true),
        ("emil", "pencils", false),
        ("fritz", "myPassword", false),
        ("# users", "", false),
    ] {
        assert_eq!(check(&reactor, &users, user, password), expected, "{user} {password}");
    }
}

#[test]
fn the_file_is_read_again_when_it_has_changed() {
    let folder = Folder::new();
    let path = file(&folder, &format!("ann:{BCRYPT}\n"));
    let users = PasswordFile::open(&path).unwrap();
    let reactor = Reactor::simulated(0);
    assert!(check(&reactor, &users, "ann", "U*U") && !check(&reactor, &users, "bob", "password"));
    file(&folder, &format!("bob:{SHA}\n"));
    reactor.advance(Duration::from_secs(1)).unwrap();
    for _ in 0..2 {
        let is_in = check(&reactor, &users, "ann", "U*U");
        assert!(!is_in, "what was remembered does not count any more");
    }
    assert!(check(&reactor, &users, "bob", "password"));
    // With a wrong line in it, or gone, the users stay as they were.
    file(&folder, "ann:secret\n");
    reactor.advance(Duration::from_secs(1)).unwrap();
    assert!(check(&reactor, &users, "bob", "password"));
    fs::remove_file(&path).unwrap();
    reactor.advance(Duration::from_secs(1)).unwrap();
    assert!(check(&reactor, &users, "bob", "password"));
}

/// A server ends the sessions of these users, and nobody logs in with what was remembered of the file.
#[test]
fn reload_tells_whose_passwords_are_others() {
    let folder = Folder::new();
    let path = file(&folder, &format!("ann:{BCRYPT}\nbob:{SHA}\ncarl:{APR1}\n"));
    let users = PasswordFile::open(&path).unwrap();
    let reactor = Reactor::simulated(0);
    let reload = || now(&reactor, &users.reload(&reactor));
    assert_eq!(reload().unwrap(), UserChanges::default());
    assert!(check(&reactor, &users, "ann", "U*U") && check(&reactor, &users, "bob", "password"));
    // Another order, a comment and somebody new are no changes; a line that another one replaces counts as that one.
    file(
        &folder,
        &format!("# x\nbob:x\ncarl:{APR1}\nbob:{BCRYPT}\nemil:{SHA}\n")
            .replace("bob:x", &format!("bob:{SHA}")),
    );
    let changes = reload().unwrap();
    assert_eq!((changes.removed, changes.replaced), (vec!["ann".into()], vec!["bob".into()]));
    assert!(!check(&reactor, &users, "ann", "U*U") && !check(&reactor, &users, "bob", "password"));
    assert!(check(&reactor, &users, "bob", "U*U"));
    assert_eq!(reload().unwrap(), UserChanges::default());
    // It is told what a login has read, too.
    file(&folder, &format!("bob:{BCRYPT}\nemil:{SHA}\n"));
    reactor.advance(Duration::from_secs(1)).unwrap();
    assert!(!check(&reactor, &users, "carl", "myPassword"));
    assert_eq!(reload().unwrap().removed, ["carl"]);
    // A file that is wrong changes nothing.
    file(&folder, "bob:secret\n");
    let error = reload().unwrap_err();
    assert!(error.to_string().contains("line 1"), "{error}");
    assert!(check(&reactor, &users, "emil", "password"));
    file(&folder, &format!("bob:{BCRYPT}\n"));
    assert_eq!(reload().unwrap().removed, ["emil"]);
}

#[test]
fn files_that_are_refused() {
    let folder = Folder::new();
    for (text, wrong) in [("ann:secret\n", 1), ("# x\nann\n", 2), ("a:{SHA}x\n", 1)] {
        match PasswordFile::open(file(&folder, text)) {
            Err(PasswordFileError::Line { line, .. }) => assert_eq!(line, wrong, "{text}"),
            other => panic!("{text}: {other:?}"),
        }
    }
    let error = PasswordFile::open(folder.path().join("missing")).unwrap_err();
    assert!(matches!(error, PasswordFileError::Io { .. }), "{error}");
    let long = file(&folder, "");
    fs::File::options().write(true).open(&long).unwrap().set_len((4 << 20) + 1).unwrap();
    assert!(matches!(PasswordFile::open(&long), Err(PasswordFileError::TooLong { .. })));
}

#[test]
fn a_hash_is_computed_on_a_thread() {
    crate::watchdog::watch_this_test();
    let folder = Folder::new();
    let users = PasswordFile::open(file(&folder, &format!("ann:{BCRYPT}\n"))).unwrap();
    let reactor = Reactor::new().unwrap();
    let check = |users: &PasswordFile, password: &str| {
        users.check(&reactor, Credentials::password("ann", password))
    };
    let finish = |checked: Deferred<_, AuthError>| {
        assert!(!checked.is_settled(), "the loop is not kept waiting");
        reactor.run_until(checked).unwrap().is_ok()
    };
    for (password, is_right) in [("U*U", true), ("U*u", false)] {
        assert_eq!(finish(check(&users, password)), is_right);
    }
    // What was found right is remembered.
    assert!(check(&users, "U*U").is_settled());
    let never = PasswordFile::open(folder.path().join("users")).unwrap().remember(Duration::ZERO);
    for _ in 0..2 {
        assert!(finish(check(&never, "U*U")));
    }
}

#[test]
fn a_flood_of_logins_is_bounded() {
    let folder = Folder::new();
    let users =
        PasswordFile::open(file(&folder, &format!("ann:{BCRYPT}\n"))).unwrap().at_once(1, 3);
    let reactor = Reactor::simulated(0);
    let all: Vec<_> = (0..6)
        .map(|at| users.check(&reactor, Credentials::password("ann", format!("wrong {at}"))))
        .collect();
    let overloaded = |error: &AuthError| {
        let AuthError::Unavailable(cause) = error else { return false };
        matches!(cause.downcast_ref(), Some(Failure::Overloaded { limit: 3 }))
    };
    let results = all.iter().map(|checked| now(&reactor, checked).unwrap_err());
    let refused: Vec<_> = results.map(|error| overloaded(&error)).collect();
    assert_eq!(refused, [false, false, false, false, true, true]);
}

#[test]
fn scram_by_the_keys_of_the_file() {
    let folder = Folder::new();
    let text = format!("ann:{}\nbob:{}\n", keys("pencil", 11), keys("crayon", 11));
    let users = PasswordFile::open(file(&folder, &text)).unwrap();
    assert!(users.can(Ability::TellScramKeys(ScramHash::Sha256)));
    assert!(!users.can(Ability::TellScramKeys(ScramHash::Sha1)));
    let users = Authenticator::with(users, config());
    let offered = users.mechanisms(&encrypted());
    assert_eq!(offered[0], Mechanism::Scram(ScramHash::Sha256));
    for (user, password, is_right) in [
        ("ann", "pencil", true),
        ("bob", "crayon", true),
        ("bob", "pencil", false),
        ("carl", "pencil", false),
    ] {
        let mut login = Login::new(&users, encrypted());
        let client = sinew_auth::ClientLogin::password(user, password);
        let done = login.run(&client, &["SCRAM-SHA-256"], &encrypted(), true);
        assert_eq!(done.is_ok(), is_right, "{user} {password}: {done:?}");
        // An unknown user has a salt of the same length and as many iterations.
        let (_, rest) = login.messages[0].split_once(",s=").unwrap();
        let (salt, iterations) = rest.split_once(',').unwrap();
        assert_eq!((salt.len(), iterations), (28, "i=11"), "{user}");
    }
    // If one user has no keys, SCRAM is not offered.
    let mixed = PasswordFile::open(file(&folder, &format!("{text}carl:{BCRYPT}\n"))).unwrap();
    assert!(!mixed.can(Ability::TellScramKeys(ScramHash::Sha256)));
}

#[test]
fn unknown_users_look_like_any_with_scram() {
    let folder = Folder::new();
    let derive = |password: &[u8], salt: &[u8], iterations| {
        ScramKeys::derive(ScramHash::Sha256, password, salt, iterations).to_text()
    };
    let (old, new) = (derive(b"pencil", b"a short salt", 11), derive(b"crayon", &[7; 32], 13));
    let path = file(&folder, &format!("ann:{old}\nbob:{new}\n"));
    let challenges = || {
        let users = Authenticator::with(PasswordFile::open(&path).unwrap(), config());
        let challenge = |at: usize| {
            let login = Login::new(&users, encrypted());
            let first = format!("n,,n=unknown{at},r=x");
            let step = login.start("SCRAM-SHA-256", Some(first.as_bytes()));
            let Ok(ServerStep::Challenge(challenge)) = step else { panic!("{step:?}") };
            let challenge = String::from_utf8(challenge).unwrap();
            challenge.split_once(",s=").unwrap().1.to_owned()
        };
        (0..50).map(challenge).collect::<Vec<_>>()
    };
    let found = challenges();
    let like = |salt_len: usize, iterations: &str| {
        let is_like = |rest: &&String| {
            rest.split_once(",i=")
                .is_some_and(|(salt, i)| (salt.len(), i) == (salt_len, iterations))
        };
        found.iter().filter(is_like).count()
    };
    let (like_ann, like_bob) = (like(16, "11"), like(44, "13"));
    assert_eq!(like_ann + like_bob, 50, "{found:?}");
    assert!(like_ann > 10 && like_bob > 10, "{like_ann} {like_bob}");
    assert_eq!(challenges(), found, "they are the same after a restart");
}
