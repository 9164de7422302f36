//! `sinew password`: prints the line of a user for a file of users, as `sinew mail` and `sinew http` read it.

use std::io::{self, IsTerminal, Read, Write};

use sinew::auth::{ScramHash, ScramKeys, Secret};

use crate::{
    exit::{Code, Failure},
    run::Tool,
    secret_prompt,
};

/// The longest password with its line end: more is accepted by no server of the library.
const PASSWORD_MAX: u64 = 1024;

/// Clients that use Cyrus SASL, such as mutt and mbsync, refuse more than 65,536.
const ITERATIONS: u32 = 60_000;

/// Bytes of the salt.
const SALT_LEN: usize = 16;

/// The arguments of `sinew password`.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Password {
    /// The name of the user
    #[arg(value_name = "NAME", value_parser = name)]
    name: String,
    /// How often the password is hashed: more is slower for those who have stolen the file, and for every login. Clients by Cyrus SASL
    /// refuse more than 65536
    #[arg(long, value_name = "N", default_value_t = ITERATIONS, value_parser = clap::value_parser!(u32).range(4096..=1_000_000))]
    iterations: u32,
}

/// What can stand before the colon of a line.
fn name(text: &str) -> Result<String, String> {
    let is_good = !text.is_empty()
        && text.trim() == text
        && !text.starts_with('#')
        && !text.chars().any(|char| char == ':' || char.is_control());
    match is_good {
        true => Ok(text.to_owned()),
        false => Err(
            "a name has no colon and no control character, and does not begin with # or a space"
                .to_owned(),
        ),
    }
}

impl Tool for Password {
    fn run(&self) -> Result<(), Failure> {
        let password = match io::stdin().is_terminal() {
            true => twice()?,
            false => of_input()?,
        };
        if password.bytes().is_empty() {
            return Err(Failure::new(Code::Data, "the password is empty"));
        }
        let mut salt = [0; SALT_LEN];
        getrandom::fill(&mut salt)
            .map_err(|error| Failure::new(Code::System, format!("no random bytes: {error}")))?;
        let keys = ScramKeys::derive(ScramHash::Sha256, password.bytes(), &salt, self.iterations);
        let written = writeln!(io::stdout(), "{}:{}", self.name, keys.to_text());
        written.map_err(|error| Failure::io(Code::Io, "standard output", &error))
    }
}

/// Asks at the terminal.
fn twice() -> Result<Secret, Failure> {
    let ask = |question| {
        secret_prompt::ask(question).map_err(|error| Failure::io(Code::Io, "the terminal", &error))
    };
    let password = ask("Password")?;
    match ask("The same again")?.is(password.bytes()) {
        true => Ok(password),
        false => Err(Failure::new(Code::Data, "the two passwords are not the same")),
    }
}

/// The first line of standard input.
fn of_input() -> Result<Secret, Failure> {
    let mut input = Vec::new();
    let read = io::stdin().lock().take(PASSWORD_MAX + 2).read_to_end(&mut input);
    read.map_err(|error| Failure::io(Code::NoInput, "standard input", &error))?;
    let line = input.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    match line.len() as u64 <= PASSWORD_MAX {
        true => Ok(Secret::from(line)),
        false => {
            Err(Failure::new(Code::Data, format!("a password has at most {PASSWORD_MAX} bytes")))
        }
    }
}
