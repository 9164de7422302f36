//! The user, the groups and the root directory of a server. As root; elsewhere only the refusals.

use std::{
    fs,
    os::unix::{
        fs::{MetadataExt, PermissionsExt},
        net::UnixStream,
        process::CommandExt,
    },
};

use super::kit::{Scratch, Server, assert_echoes, failure, is_root, sinew};

/// A user without privileges that every system has a number for.
const NOBODY: u32 = 65_534;

fn skipped() -> bool {
    if !is_root() {
        eprintln!("skipped: only root can give privileges up");
    }
    !is_root()
}

fn field(pid: u32, name: &str) -> String {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default();
    line.trim_start_matches(':').trim().to_owned()
}

#[test]
fn sockets_are_opened_before_the_user_changes() {
    if skipped() {
        return;
    }
    let scratch = Scratch::new();
    // Only root can make a socket here.
    fs::create_dir(scratch.path("private")).unwrap();
    fs::set_permissions(scratch.path("private"), fs::Permissions::from_mode(0o700)).unwrap();
    let unix = format!("unix:{}", scratch.text("private/echo.sock"));
    let (pidfile, number) = (scratch.text("private/pid"), NOBODY.to_string());
    for threads in ["1", "3"] {
        let server = Server::start(&[
            "echo",
            "-l",
            &unix,
            "--user",
            &number,
            "--group",
            &number,
            "--pidfile",
            &pidfile,
            "--reactors",
            threads,
        ]);
        assert_echoes(
            &mut UnixStream::connect(scratch.path("private/echo.sock")).unwrap(),
            "as nobody",
        );
        for entry in fs::read_dir(format!("/proc/{}/task", server.pid())).unwrap() {
            let thread = entry.unwrap().file_name().into_string().unwrap().parse().unwrap();
            for name in ["Uid", "Gid"] {
                assert_eq!(
                    field(thread, name),
                    [number.as_str(); 4].join("\t"),
                    "{name} of every thread"
                );
            }
            assert_eq!(field(thread, "Groups"), number);
            assert_eq!(field(thread, "CapPrm"), "0000000000000000");
        }
        server.stop();
        // It may not remove the file in that directory, so it has emptied it, which is as good.
        assert_eq!(scratch.read("private/pid"), "");
    }
}

#[test]
fn users_are_found_by_name_with_their_groups() {
    if skipped() {
        return;
    }
    let Ok(Some(user)) = nix::unistd::User::from_name("nobody") else {
        eprintln!("skipped: this system has no user nobody");
        return;
    };
    let scratch = Scratch::new();
    let log = scratch.text("log");
    let notified = super::systemd::Manager::new(&scratch);
    let mut command = sinew(&["echo", "-l", "127.0.0.1:0", "--user", "nobody", "--log-file", &log]);
    let server = Server::begin(notified.environment(&mut command));
    notified.await_message("READY=1");
    assert!(field(server.pid(), "Uid").starts_with(&user.uid.to_string()));
    assert!(field(server.pid(), "Gid").starts_with(&user.gid.to_string()));
    // The log belongs to the user that is to write it, after a rotation too.
    assert_eq!(fs::metadata(&log).unwrap().uid(), user.uid.as_raw());
    server.stop();
}

#[test]
fn the_root_directory_is_changed() {
    if skipped() {
        return;
    }
    let scratch = Scratch::new();
    fs::create_dir(scratch.path("root")).unwrap();
    let (root, number) = (scratch.text("root"), NOBODY.to_string());
    let server = Server::start(&[
        "echo",
        "-l",
        "unix:/echo.sock",
        "--chroot",
        &root,
        "--user",
        &number,
        "--group",
        &number,
    ]);
    assert_echoes(&mut UnixStream::connect(scratch.path("root/echo.sock")).unwrap(), "in there");
    for link in ["root", "cwd"] {
        let target = fs::read_link(format!("/proc/{}/{link}", server.pid())).unwrap();
        assert_eq!(target, fs::canonicalize(scratch.path("root")).unwrap(), "{link}");
    }
    server.stop();
}

#[test]
fn a_number_without_a_user_needs_a_group() {
    let (code, said) = failure(&["echo", "-l", "127.0.0.1:0", "--user", "4123456789"]);
    assert_eq!(code, 67, "{said}");
    assert!(said.contains("set --group, too"), "{said}");
}

#[test]
fn without_privileges_nobody_can_become_another() {
    let scratch = Scratch::new();
    // Where others may read it: a build directory may be private.
    let program = scratch.path("sinew");
    fs::copy(env!("CARGO_BIN_EXE_sinew"), &program).unwrap();
    let mut command = std::process::Command::new(program);
    super::kit::clean_environment(&mut command);
    if is_root() {
        command.uid(NOBODY).gid(NOBODY);
    }
    let output = command.args(["echo", "-l", "127.0.0.1:0", "--user", "root"]).output();
    let output = match output {
        Ok(output) => output,
        Err(error) => {
            eprintln!("skipped: the command cannot be started without privileges: {error}");
            return;
        }
    };
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(77), "{said}");
    assert!(said.contains("only root may change that"), "{said}");
}
