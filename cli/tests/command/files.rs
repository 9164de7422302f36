//! `sinew check`, `sinew config` and the reading of files.

use super::kit::{Scratch, Server, connect, output};

/// The problems that `check` finds, and the exit code.
fn check(contents: &str) -> (i32, String) {
    let scratch = Scratch::new();
    let path = scratch.write("file.toml", contents);
    let output = output(&["check", &path]);
    let shown = String::from_utf8(output.stdout).unwrap().replace(&path, "file.toml");
    (output.status.code().unwrap(), shown)
}

#[test]
fn problems_have_line_and_column() {
    for (contents, expected) in [
        ("", &["file.toml:1:1: there are no services: add a table [services.NAME]"][..]),
        ("[services]\n", &["file.toml:1:2: services: between 1 and 1000 services are possible"]),
        (
            "[services.echo]\nlisten = \"tcp:0\"\nlisten = \"tcp:0\"\n",
            &["file.toml:3:1: duplicate key"],
        ),
        ("[log\n[services.echo]\n", &["file.toml:1:5: unclosed table"]),
        (
            "[logs]\n[services.echo]\n",
            &["file.toml:1:2: logs: unknown key; \"log\" perhaps; possible are reactor, log"],
        ),
        (
            "[services.echo]\nlisen = \"tcp:0\"\n",
            &["file.toml:2:1: services.echo.lisen: unknown key; \"listen\" perhaps"],
        ),
        (
            "[services.ehco]\n",
            &[
                "file.toml:1:11: services.ehco: there is no server \"ehco\"; \"echo\" perhaps; there are",
            ],
        ),
        (
            "[services.a]\nserver = \"echo\"\nlisten = [\"tcp:0\", \"tcp:x\"]\n",
            &["file.toml:3:25: services.a.listen: \"x\" is not a port"],
        ),
        (
            "[services.echo]\nlisten = 5\n",
            &["file.toml:2:10: services.echo.listen: an endpoint in quotes is expected"],
        ),
        (
            "[services.echo]\nlisten = \"tls:443:cert=/no/such.pem:key=/no/such.pem\"\n",
            &["file.toml:2:", "/no/such.pem"],
        ),
        (
            "[services.echo]\nlisten = \"127.0.0.1:9\"\n[services.discard]\nlisten = \"127.0.0.1:9\"\n",
            &["is taken twice: by discard and by echo"],
        ),
        (
            "[services.\"a b\"]\nserver = \"echo\"\n",
            &["file.toml:1:11: services.a b: a name has letters"],
        ),
        (
            "[services.dns]\nzone = [\"a=/no/such\", \"b\"]\nforward = [\"dns.example\"]\nallow = [\"10.0.0.0/33\"]\n",
            &[
                "file.toml:2:8: services.dns.zone: \"b\": write the zone, = and its file",
                "file.toml:3:11: services.dns.forward: \"dns.example\" is no server",
                "file.toml:4:9: services.dns.allow: \"10.0.0.0/33\" is not a subnet",
            ],
        ),
        (
            "[services.names]\nserver = \"dns\"\nzone = [\"a=/no/such\"]\n",
            &["file.toml:1:11: services.names: the file /no/such could not be read"],
        ),
        ("services = 5\n", &["file.toml:1:12: services: a table is expected: [services]"]),
        ("[services]\necho = 5\n", &["file.toml:2:8: services.echo: a table is expected"]),
        (
            "[services.echo]\n[log]\nformat = \"journald\"\nfile = \"x\"\n",
            &["file.toml:2:2: log: the log goes to the journal or to a file"],
        ),
        (
            "[process]\numask = \"8\"\n[services.echo]\n",
            &["file.toml:2:9: process.umask: a mask is an octal number"],
        ),
        (
            "[inspect]\nstatus = \"no:such:kind\"\n[services.echo]\n",
            &["file.toml:2:10: inspect.status: unknown kind of endpoint \"no\""],
        ),
        (
            "[reactor]\nreactors = 0\n[services.echo]\n",
            &[
                "file.toml:2:12: reactor.reactors: the number of reactors must be between 1 and 1024",
            ],
        ),
    ] {
        let (code, shown) = check(contents);
        assert_eq!(code, 78, "{contents}\n{shown}");
        for text in expected {
            assert!(shown.contains(text), "{contents}\n{shown}\nwithout {text}");
        }
    }
}

#[test]
fn all_problems_are_found_at_once_and_in_order() {
    let (_, shown) = check(
        "[limits]\nmax_connections = \"many\"\nmax_per_ip = -1\nidle_timeout = \"5w\"\n\n[log]\nlevel = \"loud\"\nfoo = 1\n\n\
         [services.echo]\nlisten = \"no:such\"\nmax_connections = true\n\n[services.x]\n",
    );
    let places: Vec<_> = shown
        .lines()
        .filter_map(|line| line.strip_prefix("file.toml:"))
        .map(|line| line.split(':').next().unwrap())
        .collect();
    assert_eq!(places, ["2", "3", "4", "7", "8", "11", "12", "14"], "{shown}");
    assert!(shown.contains("\n4 | idle_timeout = \"5w\"\n  |                ^^^^\n"), "{shown}");
}

#[test]
fn hostile_files_are_problems_and_no_more() {
    let deep = format!("x = {}1{}", "[".repeat(10_000), "]".repeat(10_000));
    let long = format!("[services.{}]\n", "x".repeat(100_000));
    let many: String =
        (0..2_000).map(|n| format!("[services.s{n}]\nserver = \"echo\"\n")).collect();
    for contents in ["\u{1b}[31m = 1", "\0", "[services.\"\\u001b\"]\n", &deep, &long, &many] {
        let (code, shown) = check(contents);
        assert_eq!(code, 78);
        assert!(shown.len() < 4_000 && !shown.contains('\u{1b}'), "{shown:?}");
    }
}

#[test]
fn the_example_is_good_and_runs() {
    let example = output(&["config", "--example"]);
    assert!(example.status.success());
    let text = String::from_utf8(example.stdout).unwrap().replace("127.0.0.1:7007", "127.0.0.1:0");
    let (code, shown) = check(&text);
    assert_eq!((code, shown.as_str()), (0, "file.toml: good; one service would run: echo\n"));
    let scratch = Scratch::new();
    let server = Server::start(&["run", &scratch.write("example.toml", &text)]);
    connect(server.address());
    server.stop();
}

#[test]
fn the_options_of_a_file_are_used() {
    let scratch = Scratch::new();
    let (pidfile, log) = (scratch.text("pid"), scratch.text("log"));
    let path = scratch.write("file.toml", &format!(
        "[process]\npidfile = \"{pidfile}\"\ndaemon = true\n[log]\nfile = \"{log}\"\nformat = \"json\"\n\
         [services.first]\nserver = \"echo\"\nlisten = \"127.0.0.1:0\"\n[services.second]\nserver = \"discard\"\nlisten = [\"127.0.0.1:0\"]\n",
    ));
    let output = output(&["run", &path]);
    assert!(output.status.success(), "{output:?}");
    let pid = scratch.read("pid").trim().parse().unwrap();
    super::kit::send(pid, nix::sys::signal::Signal::SIGTERM);
    super::kit::await_unlocked(&scratch.path("pid"));
    let log = scratch.read("log");
    for text in ["\"service\":\"first\"", "\"service\":\"second\"", "\"message\":\"stopped\""] {
        assert!(log.contains(text), "{log}");
    }
}
