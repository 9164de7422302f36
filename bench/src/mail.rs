//! The messages of mail that are sent and fetched: shared by servers and the load generator. Every user of [`USERS`] has as many in a
//! maildir.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// How many users have a mailbox; a connection for fetching has one to itself.
pub const USERS: usize = 4;

/// Messages of each user.
pub const MESSAGES: usize = 2_500;

/// The password of all users.
pub const PASSWORD: &str = "secret";

/// Length of a message.
pub const MESSAGE_LEN: usize = HEAD.len() + NUMBER_LEN + LINES * LINE.len() + 4;

const HEAD: &str = "From: <ann@example.net>\r\nTo: <bob@example.org>\r\n\
    Date: Tue, 1 Dec 2026 00:00:00 +0000\r\nMessage-ID: <1@example.net>\r\nSubject: ";
const NUMBER_LEN: usize = 5;
const LINE: &str =
    "All lines of this text are as long as this one, and none begins with a dot.\r\n";
const LINES: usize = 24;

/// The name of a user.
#[must_use]
pub fn user(number: usize) -> String {
    format!("user{}", number % USERS)
}

/// A message: its header tells its number, from 1 on.
#[must_use]
pub fn message(number: usize) -> Vec<u8> {
    let mut text = format!("{HEAD}{number:05}\r\n\r\n");
    for _ in 0..LINES {
        text.push_str(LINE);
    }
    text.into_bytes()
}

/// Writes the maildirs of all users into a folder, one for each, named as the user.
///
/// # Errors
/// When a file cannot be written.
pub fn write_maildirs(folder: &Path) -> io::Result<()> {
    for number in 0..USERS {
        let maildir = folder.join(user(number));
        for part in ["cur", "new", "tmp"] {
            fs::create_dir_all(maildir.join(part))?;
        }
        for message_number in 1..=MESSAGES {
            // In the order of their names; with the size in the name, as servers write it.
            let name = format!(
                "{:010}.M{message_number:06}P1.bench,S={MESSAGE_LEN},W={MESSAGE_LEN}:2,S",
                1_700_000_000 + message_number
            );
            fs::write(maildir.join("cur").join(name), message(message_number))?;
        }
    }
    Ok(())
}

/// A new folder for this process, in memory where the system has such a place.
///
/// # Errors
/// When it cannot be made.
pub fn folder(name: &str) -> io::Result<PathBuf> {
    let memory = Path::new("/dev/shm");
    let parent = if memory.is_dir() { memory.to_owned() } else { std::env::temp_dir() };
    let folder = parent.join(format!("sinew-bench-{name}-{}", std::process::id()));
    fs::create_dir_all(&folder)?;
    Ok(folder)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_have_their_length_and_their_number() {
        for number in [1, 77, MESSAGES] {
            assert_eq!(message(number).len(), MESSAGE_LEN);
        }
        assert_ne!(message(1), message(2));
    }
}
