//! Where the password comes from: a file, a variable of the environment, or the terminal. Never from the command line, which all users of a
//! system can see.

use std::{
    env, fmt, fs,
    io::{self, Read},
    os::unix::fs::PermissionsExt,
    path::Path,
};

use sinew::{auth::Secret, reactor::Excerpt};

use super::settings::Settings;
use crate::{
    exit::{Code, Failure},
    secret_prompt,
};

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
    let asked = secret_prompt::ask(format_args!("Password of {}", Excerpt::new(user)));
    asked.map_err(|error| {
        let why = "no password: give a file or a variable that has it, as there is no terminal to ask for it";
        Failure::new(Code::Usage, format!("{why}: {error}"))
    })
}

/// The first line of a file.
fn of_file(path: &Path) -> Result<Secret, Failure> {
    let failed = |why: &dyn fmt::Display| {
        format!("cannot use the password of {}: {why}", Excerpt::path(path))
    };
    let of_path = format!("cannot use the password of {}", Excerpt::path(path));
    let io = |error: io::Error| Failure::io(Code::NoInput, &of_path, &error);
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
