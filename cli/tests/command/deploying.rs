//! The files of `docs/deploy`: that they are what the program and systemd understand.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use super::kit::{Scratch, output};

fn file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/deploy").join(name)
}

#[test]
fn the_program_is_good() {
    let path = file("server.toml").into_os_string().into_string().unwrap();
    let output = output(&["check", &path]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
}

/// The file of the mail server, whose certificate and users are elsewhere here.
#[test]
fn the_mail_server_is_good() {
    let scratch = Scratch::new();
    let (cert, key) = scratch.certificate();
    let text = fs::read_to_string(file("mail.toml")).unwrap();
    let text = text.replace("/etc/sinew/cert.pem", &cert).replace("/etc/sinew/key.pem", &key);
    let text = text.replace("/etc/sinew/users", &scratch.write("users", ""));
    let text = text.replace("/etc/sinew/aliases", &scratch.write("aliases", ""));
    let output = output(&["check", &scratch.write("mail.toml", &text)]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
}

/// The same of the XMPP server.
#[test]
fn the_xmpp_server_is_good() {
    let scratch = Scratch::new();
    let (cert, key) = scratch.certificate();
    let text = fs::read_to_string(file("xmpp.toml")).unwrap();
    let text = text.replace("/etc/sinew/cert.pem", &cert).replace("/etc/sinew/key.pem", &key);
    let text = text.replace("/etc/sinew/users", &scratch.write("users", ""));
    let output = output(&["check", &scratch.write("xmpp.toml", &text)]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
}

#[test]
fn the_units_are_understood_by_systemd() {
    for name in ["sinew.service", "mail.service", "xmpp.service"] {
        let scratch = Scratch::new();
        let unit = fs::read_to_string(file(name)).unwrap();
        // Where the program is here.
        let unit = unit.replace("/usr/local/bin/sinew", env!("CARGO_BIN_EXE_sinew"));
        let path = scratch.write("sinew.service", &unit);
        let Ok(output) = Command::new("systemd-analyze").args(["verify", &path]).output() else {
            eprintln!("skipped: systemd-analyze is not installed");
            return;
        };
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        let about_it: Vec<_> = said.lines().filter(|line| line.contains("sinew")).collect();
        assert!(output.status.success() && about_it.is_empty(), "{name}: {said}");
    }
}

#[test]
fn the_image_runs_what_is_there() {
    let image = fs::read_to_string(file("Dockerfile")).unwrap();
    for part in ["-p sinew-cli", "docs/deploy/server.toml", "\"run\", \"/etc/sinew/server.toml\""] {
        assert!(image.contains(part), "{part}");
    }
}
