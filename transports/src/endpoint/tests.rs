//! Parsing of endpoint strings, and the errors of invalid ones.

use super::*;

#[cfg(feature = "tls")]
mod files;
mod round_trip;
mod without_kind;

#[test]
fn server_strings() {
    let cases = [
        ("tcp:8080", "tcp:8080"),
        ("TCP:port=8080", "tcp:8080"),
        ("tcp:http", "tcp:80"),
        ("tcp:8080:interface=127.0.0.1:backlog=7", "tcp:8080:interface=127.0.0.1:backlog=7"),
        ("tcp:8080:interface=:reuseport=yes", "tcp:8080:reuseport=yes"),
        ("tcp:0:interface=localhost", "tcp:0:interface=localhost"),
        ("tcp:80:keepalive=60:nodelay=0:backlog=5", "tcp:80:backlog=5:nodelay=no:keepalive=60"),
        ("tcp6:8080", "tcp6:8080"),
        (r"tcp6:8080:interface=\:\:1:v6only=1", r"tcp6:8080:interface=\:\:1:v6only=yes"),
        ("127.0.0.1:0", "tcp:0:interface=127.0.0.1"),
        (r"tcp6:80:interface=fe80\:\:1%1", r"tcp6:80:interface=fe80\:\:1%1"),
        ("tcp6:80:interface=[fe80::1%eth0]", r"tcp6:80:interface=fe80\:\:1%eth0"),
        ("proxy:[fe80::1%eth0]:80", r"proxy:tcp6:80:interface=fe80\:\:1%eth0"),
        ("proxy:8080", "proxy:tcp:8080"),
        ("proxy:tcp:80:headerMax=200:trust=", "proxy:tcp:80:trust=:headerMax=200"),
        ("[::1]:80", r"tcp6:80:interface=\:\:1"),
        (r"memory:a\:b", r"memory:a\:b"),
        ("memory:name=a=b", r"memory:a\=b"),
        ("proxy:tcp:8080", "proxy:tcp:8080"),
        ("proxy:tcp:80:trust=10.0.0.0/8,192.0.2.1", "proxy:tcp:80:trust=10.0.0.0/8,192.0.2.1"),
        (
            r"proxy:trust=\:\:1:headerTimeout=1.5:memory:x",
            r"proxy:memory:x:trust=\:\:1:headerTimeout=1.5",
        ),
        #[cfg(unix)]
        ("systemd:name=web", "systemd:name=web"),
        #[cfg(unix)]
        ("systemd:index=0", "systemd:index=0"),
        #[cfg(unix)]
        ("fd:3", "fd:3"),
        #[cfg(unix)]
        ("unix:/run/web.sock", "unix:/run/web.sock"),
        #[cfg(unix)]
        (
            r"unix:/run/a\:b:mode=0660:backlog=7:lockfile=0",
            r"unix:/run/a\:b:mode=660:backlog=7:lockfile=no",
        ),
        #[cfg(unix)]
        ("proxy:unix:path=@web", "proxy:unix:@web"),
        #[cfg(unix)]
        ("stdio:", "stdio:"),
        #[cfg(unix)]
        ("stdio", "stdio:"),
        #[cfg(unix)]
        ("proxy:stdio:", "proxy:stdio:"),
    ];
    for (text, expected) in cases {
        let endpoint: ServerEndpoint = text.parse().unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(endpoint.to_string(), expected);
        // The `Display` text parses to the same endpoint.
        assert_eq!(expected.parse::<ServerEndpoint>().unwrap().to_string(), expected);
    }
}

#[test]
fn client_strings() {
    let cases = [
        ("tcp:example.org:80", "tcp:example.org:80"),
        ("tcp:host=example.org:https:timeout=10", "tcp:example.org:443:timeout=10"),
        ("tcp:80:host=example.org", "tcp:example.org:80"),
        (r"tcp:\:\:1:80:bindAddress=\:\:", r"tcp:\:\:1:80:bindAddress=\:\:"),
        (
            r"tcp:fe80\:\:1%1:80:bindAddress=[fe80::2%1]",
            r"tcp:fe80\:\:1%1:80:bindAddress=fe80\:\:2%1",
        ),
        ("tcp:[fe80::1%eth0]:80", r"tcp:fe80\:\:1%eth0:80"),
        (r"tcp:host:80:bindAddress=127.0.0.1\:9", r"tcp:host:80:bindAddress=127.0.0.1\:9"),
        ("tcp:host:80:sendProxy=v2:timeout=1", "tcp:host:80:timeout=1:sendProxy=v2"),
        ("tcp:192.0.2.1:80:timeout=0.5", "tcp:192.0.2.1:80:timeout=0.5"),
        ("tcp:host:80:nodelay=yes:keepalive=1.5", "tcp:host:80:nodelay=yes:keepalive=1.5"),
        ("localhost:8000", "tcp:localhost:8000"),
        ("example.org:https", "tcp:example.org:443"),
        ("192.0.2.1:80", "tcp:192.0.2.1:80"),
        ("[::1]:80", r"tcp:\:\:1:80"),
        ("memory:name", "memory:name"),
        #[cfg(unix)]
        ("fd:0", "fd:0"),
        #[cfg(unix)]
        ("unix:/run/web.sock:timeout=2", "unix:/run/web.sock:timeout=2"),
        #[cfg(unix)]
        ("unix:@web", "unix:@web"),
        #[cfg(unix)]
        ("unix:/run/web.sock:sendProxy=v1", "unix:/run/web.sock:sendProxy=v1"),
        #[cfg(feature = "tls")]
        (
            "tls:[fe80::1%eth0]:443:insecure_without_verification=yes",
            r"tls:fe80\:\:1%eth0:443:insecure_without_verification=yes",
        ),
        // A kind takes precedence over a host of the same name.
        ("memory:80", "memory:80"),
        #[cfg(unix)]
        ("process:80", "process:80"),
        #[cfg(unix)]
        (
            r"process:/bin/sh:-c:echo a\=b\:c:::stderr=log",
            r"process:/bin/sh:-c:echo a\=b\:c:::stderr=log",
        ),
        #[cfg(unix)]
        ("process:stderr=drop:program=cat:-u", "process:cat:-u:stderr=drop"),
        #[cfg(unix)]
        ("stdio:", "stdio:"),
    ];
    for (text, expected) in cases {
        let endpoint: ClientEndpoint = text.parse().unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(endpoint.to_string(), expected);
        assert_eq!(expected.parse::<ClientEndpoint>().unwrap().to_string(), expected);
    }
}

/// The string, the carets below it, and a part of the message.
const BAD_SERVERS: &[(&str, &str, &str)] = &[
    ("", "^", "the kind of endpoint is missing"),
    ("tcp", "   ^", "tcp needs a parameter: port"),
    ("tcp:", "    ^", "tcp needs a parameter: port"),
    ("tcp:port=", "         ^", "tcp needs a parameter: port"),
    ("tcp:65536", "    ^^^^^", "port 65536 is above 65535"),
    ("tcp:port=-1", "         ^^", r#""-1" is not a port"#),
    ("tcp:80:81", "       ^^", r#"tcp does not take "81""#),
    (
        "tcp:80:intreface=::1",
        "       ^^^^^^^^^^",
        r#"tcp has no parameter "intreface"; it has port, interface"#,
    ),
    ("tcp:80:backlog=5:backlog=6", "                 ^^^^^^^^^", "backlog is given twice"),
    ("tcp:80:backlog=many", "               ^^^^", r#"backlog: "many" is not a number"#),
    (
        r"tcp:80:interface=\:\:1",
        "                 ^^^^^",
        r#"interface: "::1" is not an IPv4 address"#,
    ),
    ("tcp6:80:interface=127.0.0.1", "                  ^^^^^^^^^", "is not an IPv6 address"),
    ("tcp6:80:v6only=perhaps", "               ^^^^^^^", "must be yes or no"),
    ("tcp:80\\", "      ^", "a backslash at the end"),
    ("memory:", "       ^", "memory needs a parameter: name"),
    ("proxy:", "      ^", "proxy needs a parameter: endpoint"),
    ("proxy:tcp:99999", "          ^^^^^", "port 99999 is above 65535"),
    ("proxy:127.0.0.1:99999", "                ^^^^^", "port 99999 is above 65535"),
    ("proxy:tcp:80:headerMax=much", "                       ^^^^", "is not a number of bytes"),
    ("proxy:tpc:80", "      ^^^", "unknown kind"),
    ("proxy:tcp:80:trust=10.0.0.0/99", "                   ^^^^^^^^^^^", "is not a subnet"),
    ("proxy:tcp:80:bakclog=1", "             ^^^^^^^^^", "tcp has no parameter"),
    #[cfg(unix)]
    ("unix:", "     ^", "unix needs a parameter: path"),
    #[cfg(unix)]
    ("unix:/web:mode=rw", "               ^^", r#"mode: "rw" is not a file mode"#),
    #[cfg(unix)]
    ("unix:/web:mode=668", "               ^^^", "is not a file mode"),
    #[cfg(unix)]
    ("unix:/web:mode=1777", "               ^^^^", "is not a file mode"),
    ("ünï:80:81", "^^^", "unknown kind"),
    #[cfg(unix)]
    ("stdio:in", "      ^^", r#"stdio does not take "in""#),
    #[cfg(unix)]
    ("stdio:mode=rw", "      ^^^^^^^", r#"stdio has no parameter "mode"; it has none"#),
    #[cfg(feature = "tls")]
    ("tls:", "    ^", "tls needs a parameter: port"),
    #[cfg(feature = "tls")]
    ("tls:70000", "    ^^^^^", "port 70000 is above 65535"),
    #[cfg(feature = "tls")]
    ("tls:443:key=k.pem", "                 ^", "tls needs a parameter: cert"),
    #[cfg(feature = "tls")]
    ("tls:443:cert=", "             ^", "tls needs a parameter: cert"),
    #[cfg(feature = "tls")]
    ("proxy:tls:443", "             ^", "tls needs a parameter: cert"),
    #[cfg(not(feature = "tls"))]
    ("tls:443:cert=c.pem", "^^^", r#"tls needs the feature "tls" of sinew"#),
    #[cfg(not(feature = "tls"))]
    ("proxy:tls:443:cert=c.pem", "      ^^^", r#"tls needs the feature "tls" of sinew"#),
];

const BAD_CLIENTS: &[(&str, &str, &str)] = &[
    ("tcp:host", "        ^", "tcp needs a parameter: port"),
    (
        "tcp:host:80:timeout=soon",
        "                    ^^^^",
        r#"timeout: "soon" is not a number of seconds"#,
    ),
    ("tcp:host:80:keepalive=ever", "                      ^^^^", "is not a number of seconds"),
    ("tcp:host:80:timeout=-1", "                    ^^", "is not a valid duration"),
    ("tcp:host:80:timeout=nan", "                    ^^^", "is not a valid duration"),
    ("tcp:host:80:bindAddress=here", "                        ^^^^", "is not an address"),
    (
        "tcp:host:80:sendProxy=v3",
        "                      ^^",
        r#"sendProxy: "v3" is neither v1 nor v2"#,
    ),
    #[cfg(target_os = "linux")]
    (
        "tcp:host:80:bindAddress=[fe80::1%nowhere]",
        "                        ^^^^^^^^^^^^^^^^^",
        "there is no interface nowhere for this address",
    ),
    ("tcp:host:80:host=other", "    ^^^^", "is not a port"),
    #[cfg(unix)]
    ("process:", "        ^", "process needs a parameter: program"),
    #[cfg(unix)]
    (
        "process:cat:-u=1",
        "            ^^^^",
        r#"process has no parameter "-u"; it has program, stderr"#,
    ),
    #[cfg(unix)]
    ("process:cat:stderr=away", "                   ^^^^", "must be inherit, log or drop"),
    #[cfg(feature = "tls")]
    ("tls:host", "        ^", "tls needs a parameter: port"),
    #[cfg(feature = "tls")]
    (
        "tls:a b:80:insecure_without_verification=1",
        "    ^^^",
        r#"host: "a b" is not the name of a server"#,
    ),
    #[cfg(feature = "tls")]
    (
        "tls:host:80:insecure_without_verification=perhaps",
        "                                          ^^^^^^^",
        "must be yes or no",
    ),
    #[cfg(feature = "tls")]
    (
        "tls:host:80:key=k.pem:insecure_without_verification=1",
        "                ^^^^^",
        "needs cert=",
    ),
    #[cfg(feature = "tls")]
    (
        "tls:host:80:alpn=a,,b:insecure_without_verification=1",
        "                 ^^^^",
        "is not a list of application protocols",
    ),
    #[cfg(feature = "tls")]
    (
        "tls:host:80:server_name=..:insecure_without_verification=1",
        "                        ^^",
        "is not the name of a server",
    ),
    #[cfg(feature = "tls")]
    (
        "tls:host:80:ca=ca.pem:insecure_without_verification=1",
        "               ^^^^^^",
        "cannot be combined with insecure_without_verification=",
    ),
    #[cfg(not(feature = "tls"))]
    ("tls:host:443", "^^^", r#"tls needs the feature "tls" of sinew"#),
];

#[test]
fn errors_name_the_problem_and_its_column() {
    let servers = BAD_SERVERS.iter().map(|case| (case, case.0.parse::<ServerEndpoint>().err()));
    let clients = BAD_CLIENTS.iter().map(|case| (case, case.0.parse::<ClientEndpoint>().err()));
    for ((text, carets, message), error) in servers.chain(clients) {
        let error = error.unwrap_or_else(|| panic!("{text:?} is an endpoint")).to_string();
        let lines: Vec<_> = error.lines().collect();
        assert!(lines[0].contains(message), "{text:?}: {error}");
        assert_eq!(lines[1..], [format!("    {text}"), format!("    {carets}")], "{error}");
        let column = carets.find('^').expect("there is a place") + 1;
        assert!(lines[0].ends_with(&format!(", at column {column}")), "{error}");
    }
}
