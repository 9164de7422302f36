//! INN's innd as a peer: our feeder sends to it, our client reads from it, and its innxmit sends to our server.

use std::{
    fs,
    net::TcpListener,
    process::{Command, Stdio},
    time::Duration,
};

use sinew_news::{
    nntp::{
        client::{ClientConfig, FeedConfig, Feeder, NewsClient, Security},
        codec::{Part, Range},
        server::{Access, NewsServer, Session},
    },
    store::NewsStore,
};
use sinew_transports::{ReactorTcp, reactor::Reactor};

use super::program::{self, Folder, Running};
use crate::support::{self, group, id, new_article, text};

/// INN in a folder of its own, as the user who runs the test, or as the one of the package.
fn configure(folder: &Folder) {
    let at = |name: &str| folder.0.join(name);
    for name in [
        "db",
        "etc",
        "log/OLD",
        "run",
        "tmp",
        "spool/articles",
        "spool/overview",
        "spool/incoming/bad",
        "spool/outgoing",
        "spool/tmp",
        "spool/innfeed",
    ] {
        fs::create_dir_all(at(name)).unwrap();
    }
    let root = folder.0.display();
    let news = program::inn_folder();
    // Without a limit of the load, or readers are refused on a busy machine.
    let conf = format!(
        "organization: x\npathhost: inn.example\ndomain: example\nmta: \"/bin/true %s\"\nhismethod: hisv6\nenableoverview: true\novmethod: tradindexed\nwireformat: true\npathnews: {}\npathdb: {root}/db\npathetc: {root}/etc\npathlog: {root}/log\npathrun: {root}/run\npathspool: {root}/spool\npatharticles: {root}/spool/articles\npathoverview: {root}/spool/overview\npathincoming: {root}/spool/incoming\npathtmp: {root}/tmp\nperlfilter: false\npythonfilter: false\nnnrpdloadlimit: 0\n",
        news.display()
    );
    fs::write(at("inn.conf"), conf).unwrap();
    let active: String = ["control", "control.cancel", "junk", "a.open"]
        .map(|name| format!("{name} 0000000000 0000000001 y\n"))
        .concat();
    for (name, text) in [
        ("db/active", active.as_str()),
        ("db/newsgroups", ""),
        ("db/active.times", ""),
        ("db/history", ""),
        ("etc/storage.conf", "method tradspool {\n newsgroups: *\n class: 0\n}\n"),
        (
            "etc/incoming.conf",
            "streaming: true\nmax-connections: 8\npeer ME {\n hostname: \"127.0.0.1\"\n}\n",
        ),
        (
            "etc/readers.conf",
            "auth \"l\" {\n hosts: \"*\"\n default: \"<x>\"\n}\naccess \"f\" {\n users: \"<x>\"\n newsgroups: \"*\"\n access: \"RPA\"\n}\n",
        ),
        ("etc/newsfeeds", "ME:*::\n"),
        ("etc/expire.ctl", "/remember/:11\n*:A:1:10:never\n"),
        ("etc/control.ctl", ""),
        ("etc/moderators", ""),
        ("etc/localgroups", ""),
    ] {
        fs::write(at(name), text).unwrap();
    }
}

fn open_to_all(folder: &Folder) {
    let mut chmod = Command::new("chmod");
    assert!(chmod.args(["-R", "a+rwX"]).arg(&folder.0).status().unwrap().success());
}

/// Starts innd, and connects once it listens. `None`, said aloud, if it does not start here.
async fn start(reactor: &Reactor, folder: &Folder) -> Option<(Running, u16, NewsClient)> {
    configure(folder);
    open_to_all(folder);
    let mut makedbz = program::packaged("usr/lib/news/bin", "makedbz")?;
    makedbz.env("INNCONF", folder.0.join("inn.conf"));
    makedbz.args(["-i", "-o", "-s", "1000", "-f"]).arg(folder.0.join("db/history"));
    let made = program::run(makedbz, "");
    open_to_all(folder);
    let mut innd = program::packaged("usr/lib/news/bin", "innd")?;
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    innd.env("INNCONF", folder.0.join("inn.conf")).args(["-f", "-d", "-P", &port.to_string()]);
    innd.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let mut innd = Running(innd.spawn().unwrap());
    for _ in 0..100 {
        let config = ClientConfig::default().security(Security::None).reader(false);
        if let Ok(client) = NewsClient::connect(reactor, ("127.0.0.1", port), config).await {
            return Some((innd, port, client));
        }
        if innd.0.try_wait().unwrap().is_some() {
            break;
        }
        reactor.sleep(Duration::from_millis(50)).await;
    }
    eprintln!("skipped: innd does not start here: {}", String::from_utf8_lossy(&made.stderr));
    None
}

#[test]
fn our_feeder_sends_to_innd_and_our_client_reads_it() {
    crate::watchdog::watch_this_test();
    let reactor = Reactor::new().unwrap();
    let of_task = reactor.clone();
    let task = reactor.spawn(async move {
        let reactor = of_task;
        let folder = Folder::new("innd");
        let Some((innd, port, mut transit)) = start(&reactor, &folder).await else { return };
        assert!(transit.capabilities().has("STREAMING"), "{:?}", transit.capabilities());
        assert!(transit.stream().await.unwrap());
        let now = reactor.wall_clock();
        let store = support::store(now);
        let body = ".dot\r\n..\r\n.\r\nlast\r\n";
        for number in 0..30 {
            let new = new_article(&format!("<{number}@a.example>"), &["a.open"], body, now);
            store.store(&reactor, new).await.unwrap();
        }
        // One that INN cannot name is not sent, and does not hold up those behind it.
        let odd = new_article("<odd>", &["a.open"], body, now);
        store.store(&reactor, odd).await.unwrap();
        let last = new_article("<30@a.example>", &["a.open"], body, now);
        store.store(&reactor, last).await.unwrap();
        let config = ClientConfig::default().security(Security::None);
        let feed = FeedConfig::new("inn", ("127.0.0.1", port)).client(config.clone()).window(7);
        let feeder = Feeder::start(&reactor, store.clone(), feed);
        while feeder.stats().position < 32 {
            reactor.sleep(Duration::from_millis(20)).await;
        }
        let stats = feeder.stats();
        assert_eq!((stats.taken, stats.not_wanted, stats.failures), (31, 1, 0), "{stats:?}");
        drop(feeder);
        // Its nnrpd compresses; innd, which is fed, does not.
        let config = config.compress(true);
        let mut reader = NewsClient::connect(&reactor, ("127.0.0.1", port), config).await.unwrap();
        if cfg!(feature = "compression") {
            assert!(reader.is_compressed(), "{:?}", reader.capabilities());
        }
        let selected = reader.group(&group("a.open")).await.unwrap();
        assert_eq!((selected.count, selected.low, selected.high), (31, 1, 31));
        let lines = reader.over(Range::all()).await.unwrap().unwrap().collect(100).await.unwrap();
        assert_eq!(lines.len(), 31);
        assert_eq!(lines[29].message_id(), Some(id("<29@a.example>")));
        let read = reader.article(Part::Body, id("<7@a.example>")).await.unwrap().unwrap();
        assert_eq!(read.read_to_end(1_000).await.unwrap(), body.as_bytes());
        let read = reader.article(Part::Head, id("<7@a.example>")).await.unwrap().unwrap();
        let head = String::from_utf8(read.read_to_end(10_000).await.unwrap()).unwrap();
        assert!(head.contains("Path: inn.example!"), "{head}");
        let subjects = reader.hdr("Subject".parse().unwrap(), Range::one(3)).await.unwrap().unwrap();
        assert_eq!(subjects.collect(10).await.unwrap()[0].value, "about <2@a.example>");
        assert_eq!(reader.list_active(None).await.unwrap().collect(100).await.unwrap().len(), 4);
        reader.post("From: ann@example.net\nNewsgroups: a.open\nSubject: posted\nMessage-ID: <posted@a.example>\n\nx\n").await.unwrap();
        assert!(reader.stat(id("<posted@a.example>")).await.unwrap().is_some());
        reader.quit().await;
        drop(innd);
    });
    reactor.run_until(task).unwrap().unwrap();
}

#[test]
fn innxmit_sends_to_our_server() {
    crate::watchdog::watch_this_test();
    let Some(mut innxmit) = program::packaged("usr/lib/news/bin", "innxmit") else { return };
    let reactor = Reactor::new().unwrap();
    let now = reactor.wall_clock();
    let folder = Folder::new("innxmit");
    configure(&folder);
    let mut list = String::new();
    for number in 0..20 {
        let path = folder.0.join(format!("spool/articles/{number}"));
        let of = format!("<{number}@a.example>");
        fs::write(&path, text(&of, "a.open", "..dot\r\n", now) + ".\r\n").unwrap();
        list += &format!("{} {of}\n", path.display());
    }
    fs::write(folder.0.join("spool/outgoing/us"), list).unwrap();
    open_to_all(&folder);
    let store = support::store(now);
    let access = |_: &Session| Access::none().feeding();
    let server = NewsServer::new(support::config(), store.clone(), access);
    let port = reactor.listen_tcp("127.0.0.1:0", server).unwrap();
    innxmit.env("INNCONF", folder.0.join("inn.conf")).args([
        "-d",
        "-v",
        "-P",
        &port.local().port().to_string(),
    ]);
    innxmit.arg("127.0.0.1").arg(folder.0.join("spool/outgoing/us"));
    let sent = reactor.defer_to_thread(move || program::run(innxmit, ""));
    let sent = reactor.run_until(sent).unwrap().unwrap();
    let info = store.group(&reactor, &group("a.open"));
    let info = reactor.run_until(info).unwrap().unwrap().unwrap();
    let said = String::from_utf8_lossy(&sent.stderr) + String::from_utf8_lossy(&sent.stdout);
    assert_eq!(info.count, 20, "{said}");
}
