//! The files of a resolver, which change while it runs.

use std::{
    fs,
    path::PathBuf,
    sync::atomic::{AtomicU32, Ordering},
};

use sinew_dns::{client::DnsConfig, testing::TestServer};

use crate::support::{World, ips};

/// A folder that is removed in the end.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("sinew-dns-{}-{number}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[test]
fn resolv_conf_changes() {
    let world = World::new(1);
    let (old, new) = (
        TestServer::new().addr("a.example", [192, 0, 2, 1]),
        TestServer::new().addr("a.example", [192, 0, 2, 2]),
    );
    let (first, second) = (world.server("old", &old), world.server("new", &new));
    let folder = Folder::new();
    let file = folder.0.join("resolv.conf");
    fs::write(&file, format!("nameserver {}\n", first.addr())).unwrap();
    let resolver = world.resolver(DnsConfig::default().resolv_conf(&file));
    let get = |host: &str| ips(&world.get(resolver.addresses(host)).unwrap());
    assert_eq!(get("a.example"), ["192.0.2.1"]);
    fs::write(&file, format!("nameserver {}\nsearch example\n# now\n", second.addr())).unwrap();
    // Not looked at again so soon.
    assert_eq!(get("a.example"), ["192.0.2.1"]);
    world.pass(5);
    assert_eq!(get("a.example"), ["192.0.2.2"]);
    assert_eq!(get("a"), ["192.0.2.2"]);
    assert_eq!(resolver.servers()[0].addr().ip(), second.addr());
    // A file that is gone changes nothing.
    fs::remove_file(&file).unwrap();
    world.pass(5);
    assert_eq!(get("a.example"), ["192.0.2.2"]);
}

#[test]
fn what_is_set_in_code_counts_more() {
    let world = World::new(4);
    let ours = TestServer::new().addr("a.example", [192, 0, 2, 1]);
    let host = world.server("ours", &ours);
    let folder = Folder::new();
    let file = folder.0.join("resolv.conf");
    fs::write(&file, "nameserver 10.99.0.1\nsearch example\n").unwrap();
    let config = crate::support::asking(&[&host]).resolv_conf(&file);
    let resolver = world.resolver(config);
    assert_eq!(ips(&world.get(resolver.addresses("a")).unwrap()), ["192.0.2.1"]);
    fs::write(&file, "nameserver 10.99.0.2\nsearch other\n").unwrap();
    world.pass(5);
    assert!(world.get(resolver.addresses("a")).unwrap_err().is_negative());
    assert_eq!(resolver.servers()[0].addr().ip(), host.addr());
}

#[test]
fn hosts_changes() {
    let world = World::new(2);
    let folder = Folder::new();
    let file = folder.0.join("hosts");
    fs::write(&file, "192.0.2.1 a\n").unwrap();
    let resolver = world.resolver(DnsConfig::default().hosts(&file).hosts_text("192.0.2.9 b"));
    let get = |host: &str| world.get(resolver.addresses(host)).map(|addrs| ips(&addrs));
    assert_eq!(get("a").unwrap(), ["192.0.2.1"]);
    assert_eq!(get("b").unwrap(), ["192.0.2.9"]);
    fs::write(&file, "192.0.2.2 a more\n").unwrap();
    world.pass(5);
    assert_eq!(get("a").unwrap(), ["192.0.2.2"]);
    assert_eq!(get("b").unwrap(), ["192.0.2.9"]);
}

#[test]
fn files_that_are_missing() {
    let world = World::new(3);
    let folder = Folder::new();
    let config = DnsConfig::default();
    let config = config.resolv_conf(folder.0.join("none")).hosts(folder.0.join("none"));
    let resolver = world.resolver(config);
    assert_eq!(resolver.servers()[0].to_string(), "127.0.0.1:53");
    assert!(world.get(resolver.addresses("a.example")).is_err());
}
