//! What a server can do: [`Capabilities`], from its reply to EHLO or LHLO (RFC 5321 4.1.1.1). Pure.

use sinew_protocols::basic::Word;

use super::Reply;

/// The extensions that a server has announced. Those of HELO are none.
///
/// # Examples
///
/// ```
/// use sinew_mail::smtp::codec::{Capabilities, Reply};
///
/// let reply = Reply::new(250, "mail.example.org")?.with_line("SIZE 1000")?.with_line("PIPELINING")?;
/// let capabilities = Capabilities::from(&reply);
/// assert!(capabilities.has_pipelining());
/// assert_eq!(capabilities.size_max(), Some(1000));
/// # Ok::<(), sinew_mail::smtp::codec::ReplyError>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Capabilities {
    has_size: bool,
    size_max: Option<u64>,
    has_pipelining: bool,
    has_8bitmime: bool,
    has_smtputf8: bool,
    has_chunking: bool,
    has_starttls: bool,
    has_dsn: bool,
    auth: Vec<Word>,
}

impl Capabilities {
    /// SIZE is known: the length of a message may be announced.
    #[must_use]
    pub fn has_size(&self) -> bool {
        self.has_size
    }

    /// The longest message that is accepted, in bytes, if there is a limit and it was said.
    #[must_use]
    pub fn size_max(&self) -> Option<u64> {
        self.size_max
    }

    /// PIPELINING: commands may be sent without waiting for replies.
    #[must_use]
    pub fn has_pipelining(&self) -> bool {
        self.has_pipelining
    }

    /// 8BITMIME: bodies may have bytes from 128 on.
    #[must_use]
    pub fn has_8bitmime(&self) -> bool {
        self.has_8bitmime
    }

    /// SMTPUTF8: addresses and headers may have UTF-8.
    #[must_use]
    pub fn has_smtputf8(&self) -> bool {
        self.has_smtputf8
    }

    /// CHUNKING: messages may be sent by BDAT.
    #[must_use]
    pub fn has_chunking(&self) -> bool {
        self.has_chunking
    }

    /// STARTTLS.
    #[must_use]
    pub fn has_starttls(&self) -> bool {
        self.has_starttls
    }

    /// DSN: reports may be asked for.
    #[must_use]
    pub fn has_dsn(&self) -> bool {
        self.has_dsn
    }

    /// The mechanisms of AUTH, in the order of the server.
    #[must_use]
    pub fn auth(&self) -> &[Word] {
        &self.auth
    }

    fn add(&mut self, line: &str) {
        let mut words = line.split_ascii_whitespace();
        let Some(keyword) = words.next() else { return };
        match keyword.to_ascii_uppercase().as_str() {
            "SIZE" => {
                self.has_size = true;
                // RFC 1870 3: zero says that there is no fixed limit.
                self.size_max =
                    words.next().and_then(|max| max.parse().ok()).filter(|max| *max > 0);
            }
            "PIPELINING" => self.has_pipelining = true,
            "8BITMIME" => self.has_8bitmime = true,
            "SMTPUTF8" => self.has_smtputf8 = true,
            "CHUNKING" => self.has_chunking = true,
            "STARTTLS" => self.has_starttls = true,
            "DSN" => self.has_dsn = true,
            "AUTH" => self.auth.extend(words.filter_map(|word| Word::try_from(word).ok())),
            _ => {}
        }
    }
}

impl From<&Reply> for Capabilities {
    fn from(reply: &Reply) -> Self {
        let mut capabilities = Self::default();
        // The first line is the name of the server.
        reply
            .lines()
            .iter()
            .skip(1)
            .filter_map(|line| line.as_str())
            .for_each(|line| capabilities.add(line));
        capabilities
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_read_in_any_case() {
        let reply = Reply::new(250, "PIPELINING").unwrap();
        assert_eq!(
            Capabilities::from(&reply),
            Capabilities::default(),
            "that is the name of a server"
        );
        let lines =
            ["size 0", "8bitmime", "StartTLS", "AUTH PLAIN LOGIN", "AUTH=NTLM", "", "X-OTHER 1 2"];
        let reply = lines.iter().try_fold(reply, |reply, line| reply.with_line(*line)).unwrap();
        let read = Capabilities::from(&reply);
        assert!(
            read.has_size() && read.has_8bitmime() && read.has_starttls() && !read.has_pipelining()
        );
        assert_eq!(read.size_max(), None);
        assert_eq!(read.auth(), [Word::from_static("PLAIN"), Word::from_static("LOGIN")]);
    }
}
