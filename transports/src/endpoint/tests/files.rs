//! Endpoint strings that name files: certificates, keys and CA certificates.

use std::{env, fs, io, path::PathBuf, process};

use rcgen::{CertificateParams, KeyPair};

use super::*;

/// A temporary directory for certificates, removed on drop.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = env::temp_dir().join(format!("sinew-endpoint-{name}-{}", process::id()));
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    /// Writes a certificate and its key into `NAME.pem` and `NAME.key`, and both into `NAME.both`.
    fn certificate(&self, name: &str) {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new([format!("{name}.example")]).unwrap();
        let certificate = params.self_signed(&key).unwrap();
        self.write(&format!("{name}.pem"), &certificate.pem());
        self.write(&format!("{name}.key"), &key.serialize_pem());
        self.write(&format!("{name}.both"), &(certificate.pem() + &key.serialize_pem()));
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.0.join(name), text).unwrap();
    }

    /// A string whose files, in angle brackets, are in this directory.
    fn text(&self, text: &str) -> String {
        text.replace('<', &format!("{}/", quote(self.0.to_str().unwrap()))).replace('>', "")
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[test]
fn endpoints_with_files_round_trip() {
    let folder = Folder::new("shown");
    folder.certificate("a");
    folder.certificate("b");
    let servers = [
        ("tls:443:cert=<a.pem>:key=<a.key>", "tls:443:cert=<a.pem>:key=<a.key>"),
        ("TLS:port=https:cert=<a.both>", "tls:443:cert=<a.both>"),
        (
            "tls:cert=<a.both>,<b.both>:0:interface=localhost:backlog=7",
            "tls:0:interface=localhost:backlog=7:cert=<a.both>,<b.both>",
        ),
        (
            r"tls:alpn=h2,http/1.1:443:interface=\:\::client_ca=<b.pem>:cert=<a.pem>:key=<a.key>",
            r"tls:443:interface=\:\::cert=<a.pem>:key=<a.key>:client_ca=<b.pem>:alpn=h2,http/1.1",
        ),
        (
            "proxy:tls:443:cert=<a.both>:trust=10.0.0.0/8",
            "proxy:tls:443:cert=<a.both>:trust=10.0.0.0/8",
        ),
    ];
    for (text, expected) in servers {
        let (text, expected) = (folder.text(text), folder.text(expected));
        let endpoint: ServerEndpoint = text.parse().unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(endpoint.to_string(), expected);
        assert_eq!(expected.parse::<ServerEndpoint>().unwrap().to_string(), expected);
    }
    let clients = [
        ("tls:example.org:https:ca=<a.pem>", "tls:example.org:443:ca=<a.pem>"),
        (
            r"tls:\:\:1:443:server_name=a.example:cert=<b.both>:alpn=h2:ca=<a.pem>:timeout=5",
            r"tls:\:\:1:443:timeout=5:ca=<a.pem>:cert=<b.both>:alpn=h2:server_name=a.example",
        ),
        (
            "tls:192.0.2.1:443:insecure_without_verification=yes",
            "tls:192.0.2.1:443:insecure_without_verification=yes",
        ),
        (
            "tls:host:443:insecure_without_verification=no:ca=<a.pem>",
            "tls:host:443:ca=<a.pem>:insecure_without_verification=no",
        ),
    ];
    for (text, expected) in clients {
        let (text, expected) = (folder.text(text), folder.text(expected));
        let endpoint: ClientEndpoint = text.parse().unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(endpoint.to_string(), expected);
        assert_eq!(expected.parse::<ClientEndpoint>().unwrap().to_string(), expected);
    }
}

/// Parses an invalid string, and returns the problem and the string from its position on.
fn refused(text: &str) -> (EndpointProblem, String) {
    let error = match text.strip_prefix("client ") {
        Some(text) => text.parse::<ClientEndpoint>().map(drop),
        None => text.parse::<ServerEndpoint>().map(drop),
    };
    let error = error.expect_err(text);
    let text = text.strip_prefix("client ").unwrap_or(text);
    let at: String = text.chars().skip(error.column() - 1).collect();
    (error.problem().clone(), at)
}

#[test]
fn file_errors_point_to_the_value_that_names_the_file() {
    let folder = Folder::new("wrong");
    folder.certificate("a");
    folder.certificate("b");
    folder.write("text", "nothing of the kind");
    folder.write("damaged", "-----BEGIN CERTIFICATE-----\n%%%\n-----END CERTIFICATE-----\n");
    let cases = [
        ("tls:443:cert=<none>", "<none>", "unreadable"),
        ("tls:443:cert=<a.pem>:key=<none>", "<none>", "unreadable"),
        ("tls:443:cert=<a.pem>:key=<b.key>", "<b.key>", "mismatch"),
        ("tls:443:cert=<a.pem>", "<a.pem>", "no private key in <a.pem>"),
        ("tls:443:cert=<a.pem>:key=<text>", "<text>", "no private key in <text>"),
        ("tls:443:cert=<text>:key=<a.key>", "<text>:key=<a.key>", "no certificate in <text>"),
        ("tls:443:cert=<damaged>:key=<a.key>", "<damaged>:key=<a.key>", "<damaged> is not PEM"),
        ("tls:443:cert=<a.pem>,<b.pem>:key=<a.key>,<a.key>", "<a.key>,<a.key>", "mismatch"),
        ("tls:443:cert=<a.both>:client_ca=<none>", "<none>", "unreadable"),
        ("tls:443:cert=<a.both>:client_ca=<text>", "<text>", "no certificate in <text>"),
        ("proxy:tls:443:cert=<none>", "<none>", "unreadable"),
        ("client tls:host:443:ca=<none>", "<none>", "unreadable"),
        ("client tls:host:443:ca=<text>", "<text>", "no certificate in <text>"),
        ("client tls:host:443:ca=<a.pem>:cert=<a.pem>:key=<b.key>", "<b.key>", "mismatch"),
    ];
    for (text, at, what) in cases {
        let (problem, place) = refused(&folder.text(text));
        assert_eq!(place, folder.text(at), "{text}");
        match problem {
            EndpointProblem::Unreadable { kind, .. } => {
                assert_eq!((what, kind), ("unreadable", io::ErrorKind::NotFound), "{text}");
            }
            EndpointProblem::KeyMismatch { .. } => assert_eq!(what, "mismatch", "{text}"),
            EndpointProblem::BadFile { why, .. } => {
                let what = folder.text(what);
                assert!(why.replace('\\', "/").contains(&what.replace('\\', "/")), "{text}: {why}");
            }
            other => panic!("{text}: {other}"),
        }
    }
    let (problem, at) = refused(&folder.text("tls:443:cert=<a.both>,<b.both>:key=<a.key>"));
    assert!(matches!(problem, EndpointProblem::BadValue { .. }), "{problem}");
    assert_eq!(at, folder.text("<a.key>"));
}

#[test]
fn endpoints_have_the_certificates_that_were_read_last() {
    let folder = Folder::new("identities");
    folder.certificate("a");
    folder.certificate("b");
    let names = |endpoint: &ServerEndpoint| -> Vec<String> {
        let identities = endpoint.identities();
        identities.iter().flat_map(|it| it.certificate().names().to_vec()).collect()
    };
    for text in [
        "tls:443:cert=<a.both>,<b.pem>:key=<a.key>,<b.key>",
        "proxy:tls:443:cert=<a.both>,<b.both>",
    ] {
        folder.certificate("a");
        let endpoint: ServerEndpoint = folder.text(text).parse().unwrap();
        assert_eq!(names(&endpoint), ["a.example", "b.example"], "{text}");
        let origins: Vec<_> =
            endpoint.identities().iter().map(|it| it.certificate().origin().to_owned()).collect();
        assert_eq!(origins[0], folder.0.join("a.both").display().to_string());
        // Another one in the same file.
        let both = folder.0.join("a.both");
        fs::copy(folder.0.join("b.both"), &both).unwrap();
        assert_eq!(names(&endpoint), ["a.example", "b.example"], "{text}");
        if text.starts_with("proxy:") {
            endpoint.reload().unwrap();
            assert_eq!(names(&endpoint), ["b.example", "b.example"], "{text}");
        } else {
            // The key is that of before: nothing changes.
            endpoint.reload().unwrap_err();
            assert_eq!(names(&endpoint), ["a.example", "b.example"], "{text}");
        }
    }
    let plain: ServerEndpoint = "tcp:0".parse().unwrap();
    assert!(plain.identities().is_empty());
}
