//! leafnode's fetchnews, which posts to our server and pulls a group from it. Its folders are those of its package: it runs where other
//! ones can be put in their place, as root with `unshare`.

use std::{
    fs,
    os::unix::fs::{PermissionsExt, chown},
    process::Command,
};

use sinew_news::store::NewsStore;

use super::{
    program::{self, Folder, assert_success},
    readers::with_server,
};
use crate::support;

/// Files of `/etc` that a program needs to find users and hosts.
const ETC: [&str; 6] = ["passwd", "group", "nsswitch.conf", "hosts", "ld.so.cache", "resolv.conf"];

/// A command that runs in a file system with folders of ours; `None`, said aloud, if that is not possible here.
fn unshared(folder: &Folder) -> Option<Command> {
    let at = folder.0.display();
    let may =
        Command::new("unshare").args(["-m", "mount", "--bind", "/tmp", "/var/spool"]).output();
    let is_root = Command::new("id").arg("-u").output().is_ok_and(|id| id.stdout == b"0\n");
    if !(is_root && may.is_ok_and(|output| output.status.success())) {
        eprintln!("skipped: folders cannot be put in place of others here");
        return None;
    }
    let mounts = format!(
        "mount --bind '{at}/spool' /var/spool && mount --bind '{at}/etc' /etc && exec \"$@\""
    );
    let mut command = Command::new("unshare");
    command.args(["-m", "sh", "-c", &mounts, "sh"]).env_clear();
    command.env("PATH", std::env::var_os("PATH").unwrap_or_default()).env("LC_ALL", "C");
    Some(command)
}

/// The identity of the user `news`, as which it runs.
fn news() -> Option<(u32, u32)> {
    let passwd = fs::read_to_string("/etc/passwd").ok()?;
    let line = passwd.lines().find(|line| line.starts_with("news:"))?;
    let mut numbers = line.split(':').skip(2).map(str::parse);
    Some((numbers.next()?.ok()?, numbers.next()?.ok()?))
}

#[test]
fn fetchnews() {
    let Some(fetchnews) = program::packaged("usr/sbin", "fetchnews") else { return };
    let Some((user, group)) = news() else {
        return eprintln!("skipped: there is no user news");
    };
    let folder = Folder::new("leafnode");
    let Some(mut unshared) = unshared(&folder) else { return };
    let own = |name: &str| {
        let path = folder.0.join(name);
        chown(&path, Some(user), Some(group)).unwrap();
        path
    };
    let at = |name: &str| {
        fs::create_dir_all(folder.0.join(name)).unwrap();
        own(name)
    };
    fs::set_permissions(&folder.0, fs::Permissions::from_mode(0o755)).unwrap();
    at("etc/news/leafnode");
    at("spool/news");
    for name in ["leaf.node", "failed.postings", "interesting.groups", "out.going", "temp.files"] {
        at(&format!("spool/news/{name}"));
    }
    at("spool/news/message.id");
    for number in 0..1_000 {
        at(&format!("spool/news/message.id/{number:03}"));
    }
    for name in ETC {
        let _ = fs::copy(format!("/etc/{name}"), folder.0.join("etc").join(name));
    }
    fs::write(folder.0.join("spool/news/interesting.groups/a.open"), "").unwrap();
    own("spool/news/interesting.groups/a.open");
    let date = sinew_news::nntp::codec::format_article_date(std::time::SystemTime::now());
    let article = format!(
        "From: ann@example.net\nNewsgroups: a.open\nSubject: posted\nMessage-ID: <leaf@a.example>\nDate: {date}\nPath: x\n\n.x\n"
    );
    fs::write(folder.0.join("spool/news/out.going/1"), article).unwrap();
    own("spool/news/out.going/1");
    let config = folder.0.join("etc/news/leafnode/config");
    let (output, store, reactor) = with_server("", move |port| {
        let text = format!(
            "server = 127.0.0.1\nport = {port}\nexpire = 20\nhostname = reader.sinew-tests.net\ninitialfetch = 100\n"
        );
        fs::write(config, text).unwrap();
        let program = fs::canonicalize(fetchnews.get_program()).unwrap();
        unshared.args(["timeout", "60"]).arg(program).arg("-vvvwn");
        unshared
    });
    assert_success(&output);
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(said.contains("a.open: 4 articles fetched, 0 killed"), "{said}");
    let fetched = fs::read_dir(folder.0.join("spool/news/a/open")).unwrap();
    let texts = fetched.map(|file| fs::read_to_string(file.unwrap().path()).unwrap());
    let bodies: Vec<_> =
        texts.filter_map(|text| Some(text.split_once("\n\n")?.1.to_owned())).collect();
    for body in [".dot\n..\n.\nlast\n", "two\n", ".x\n"] {
        assert!(bodies.iter().any(|found| found == body), "{body:?}: {bodies:?}");
    }
    let seen = store.has_seen(&reactor, &support::id("<leaf@a.example>"));
    assert!(reactor.run_until(seen).unwrap().unwrap(), "{said}");
}
