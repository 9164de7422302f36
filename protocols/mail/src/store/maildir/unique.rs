//! Names for new files that no other program chooses: [`Unique`]. Pure: the time and the random number are arguments.

use std::{
    process,
    sync::atomic::{AtomicU64, Ordering},
    time::SystemTime,
};

/// What is known where a name is needed.
#[derive(Clone, Debug)]
pub(super) struct Unique {
    pub(super) time: SystemTime,
    pub(super) random: u64,
    pub(super) host: String,
}

impl Unique {
    /// A base, in the manner of maildir(5): time, microseconds, process, count, host; and a random number, for machines of one name.
    pub(super) fn base(&self) -> String {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let since = self.time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let (seconds, micros, pid) = (since.as_secs(), since.subsec_micros(), process::id());
        format!("{seconds}.M{micros:06}P{pid}Q{count}R{:x}.{}", self.random, self.host)
    }

    /// A base that tells the size of a file whose lines end in CRLF.
    pub(super) fn sized(base: &str, size: u64) -> String {
        format!("{base},S={size},W={size}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::maildir::file_name::FileName;

    #[test]
    fn names_differ_and_tell_what_they_should() {
        let unique =
            Unique { time: SystemTime::UNIX_EPOCH, random: 0xabc, host: "mail.example".into() };
        let (one, two) = (unique.base(), unique.base());
        assert_ne!(one, two);
        assert!(one.starts_with("0.M000000P") && one.ends_with("Rabc.mail.example"), "{one}");
        let sized = Unique::sized(&one, 42);
        let name = FileName::parse(&sized).unwrap();
        assert_eq!((name.base, name.size()), (sized.as_str(), Some(42)));
    }
}
