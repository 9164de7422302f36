//! Programs that cannot be started: the error names the program and the reason.

use std::{fs, os::unix::fs::PermissionsExt, path::PathBuf, process::Command};

use sinew::{prelude::*, transports::SpawnError};

use super::kit::{config, on_every_engine, sh};

/// A temporary folder, removed on drop.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("sinew-{name}-{}", std::process::id()));
        fs::create_dir_all(&path).expect("a folder for temporary files");
        Self(path)
    }

    fn file(&self, name: &str, content: &str, mode: u32) -> PathBuf {
        let path = self.0.join(name);
        fs::write(&path, content).expect("the folder is ours");
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).expect("the file is ours");
        path
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[test]
fn no_such_program() {
    on_every_engine("no such program", |fixture| {
        for name in ["no-such-program-anywhere", "/no/such/program", "/dev/null/program"] {
            let error = fixture.spawn_error(Command::new(name), config());
            assert!(
                matches!(&error, SpawnError::NotFound { program } if program == name),
                "{error}"
            );
            assert_eq!(error.to_string(), format!("could not find the program {name:?}"));
        }
    });
}

#[test]
fn not_a_program() {
    let folder = Folder::new("not-a-program");
    let plain = folder.file("plain", "#!/bin/sh\n", 0o644);
    let empty = folder.file("nonsense", "\u{1}\u{2}", 0o755);
    on_every_engine("not a program", |fixture| {
        for path in [&plain, &empty, &folder.0] {
            let error = fixture.spawn_error(Command::new(path), config());
            assert!(matches!(error, SpawnError::NotExecutable { .. }), "{error:?}");
            assert!(error.to_string().contains(path.to_str().expect("plain text")), "{error}");
        }
    });
}

#[test]
fn no_such_directory() {
    let folder = Folder::new("no-such-directory");
    let plain = folder.file("plain", "", 0o644);
    on_every_engine("no such directory", |fixture| {
        for bad in [folder.0.join("missing"), plain.clone()] {
            let mut command = sh("true");
            command.current_dir(&bad);
            let error = fixture.spawn_error(command, config());
            let SpawnError::BadDirectory { directory, program, .. } = &error else {
                panic!("{error:?}")
            };
            assert_eq!((directory, program.as_str()), (&bad, "/bin/sh"));
        }
        // The directory exists; the program is missing.
        let mut command = Command::new("no-such-program-anywhere");
        command.current_dir(&folder.0);
        assert!(matches!(fixture.spawn_error(command, config()), SpawnError::NotFound { .. }));
    });
}

#[test]
fn additional_descriptors() {
    on_every_engine("no such program, forked", |fixture| {
        // The pipe through which exec failures are reported must not collide with them.
        for fd in 3..12 {
            let command = Command::new("no-such-program-anywhere");
            let error = fixture.spawn_error(command, config().read_from(ChildFd(fd)));
            assert!(matches!(error, SpawnError::NotFound { .. }), "{error:?}");
        }
    });
}

#[test]
fn invalid_additional_descriptors() {
    on_every_engine("bad descriptors", |fixture| {
        let twice = config().read_from(ChildFd(3)).write_to(ChildFd(3));
        let standard = config().read_from(ChildFd::STDOUT);
        let negative = config().write_to(ChildFd(-1));
        for (config, number) in [(twice, 3), (standard, 1), (negative, -1)] {
            let error = fixture.spawn_error(sh("true"), config);
            assert!(
                matches!(error, SpawnError::BadDescriptor { fd, .. } if fd.0 == number),
                "{error}"
            );
        }
        // Invalid descriptor numbers.
        let error = fixture.spawn_error(sh("true"), config().read_from(ChildFd(i32::MAX)));
        assert!(matches!(error, SpawnError::Start { .. }), "{error:?}");
    });
}

#[test]
fn a_simulated_reactor_has_no_children() {
    let reactor = Reactor::simulated(0);
    struct Nobody;
    impl ProcessProtocol for Nobody {}
    let error = reactor.spawn_process(Nobody, sh("true")).expect_err("there is no kernel");
    assert!(matches!(error, SpawnError::Watch { .. }), "{error:?}");
}
