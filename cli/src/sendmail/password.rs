//! Where the password comes from: a file, a variable of the environment, or the terminal. Never from the command line, which all users of a
//! system can see.

use std::{
    env, fmt, fs,
    io::{self, Read, Write},
    os::unix::fs::PermissionsExt,
    path::Path,
};

use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};
use sinew::{auth::Secret, reactor::Excerpt};

use super::settings::Settings;
use crate::exit::{Code, Failure};

/// The longest password with its line end.
const PASSWORD_MAX: u64 = 4096;

/// The password of the user.
pub(super) fn password(settings: &Settings, user: &str) -> Result<Secret, Failure> {
    if let Some(path) = &settings.password_file {
        return of_file(path);
    }
    if let Some(name) = &settings.password_env {
        let of_name = env::var(name).ok().filter(|value| !value.is_empty());
        return of_name.map(Secret::from).ok_or_else(|| {
            let why = format!("the variable {:?} has no password", Excerpt::new(name));
            Failure::new(Code::Config, why)
        });
    }
    from_terminal(user).map_err(|error| {
        let why = "no password: give a file or a variable that has it, as there is no terminal to ask for it";
        Failure::new(Code::Usage, format!("{why}: {error}"))
    })
}

/// The first line of a file.
fn of_file(path: &Path) -> Result<Secret, Failure> {
    let failed = |why: &dyn fmt::Display| {
        format!("cannot use the password of {}: {why}", Excerpt::path(path))
    };
    let io = |error: io::Error| Failure::io(Code::NoInput, failed(&error), &error);
    let file = fs::File::open(path).map_err(io)?;
    let metadata = file.metadata().map_err(io)?;
    if metadata.is_file() && metadata.permissions().mode() & 0o077 != 0 {
        let why = failed(&"others than its owner may use it; chmod 600 changes that");
        return Err(Failure::new(Code::Config, why));
    }
    let mut bytes = Vec::new();
    file.take(PASSWORD_MAX).read_to_end(&mut bytes).map_err(io)?;
    let line = bytes.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    if line.is_empty() {
        return Err(Failure::new(Code::Config, failed(&"its first line is empty")));
    }
    Ok(Secret::from(line))
}

/// Asks at the terminal of the process: standard input is the message.
fn from_terminal(user: &str) -> io::Result<Secret> {
    let mut terminal = fs::File::options().read(true).write(true).open("/dev/tty")?;
    write!(terminal, "Password of {}: ", Excerpt::new(user))?;
    let quiet = Quiet::new(&terminal)?;
    let (mut line, mut byte) = (Vec::new(), [0]);
    while (line.len() as u64) < PASSWORD_MAX && (&terminal).read(&mut byte)? == 1 {
        match byte[0] {
            b'\n' => break,
            // Ctrl-C: signals are off, so that none leaves the terminal without an echo.
            3 => {
                drop(quiet);
                return Err(io::ErrorKind::Interrupted.into());
            }
            byte => line.push(byte),
        }
    }
    drop(quiet);
    writeln!(terminal)?;
    Ok(Secret::from(line))
}

/// A terminal that does not show what is typed, until this is dropped.
struct Quiet<'a> {
    terminal: &'a fs::File,
    before: Termios,
}

impl<'a> Quiet<'a> {
    fn new(terminal: &'a fs::File) -> io::Result<Self> {
        let before = tcgetattr(terminal)?;
        let mut quiet = before.clone();
        quiet.local_modes -= LocalModes::ECHO | LocalModes::ISIG;
        tcsetattr(terminal, OptionalActions::Flush, &quiet)?;
        Ok(Self { terminal, before })
    }
}

impl Drop for Quiet<'_> {
    fn drop(&mut self) {
        // The terminal is gone if that fails.
        let _ = tcsetattr(self.terminal, OptionalActions::Flush, &self.before);
    }
}
