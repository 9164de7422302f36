//! What a server does with an article: injecting one that was posted (RFC 5537 3.5), relaying one of another server (3.6). Pure.

use std::time::{Duration, SystemTime};

use sinew_protocols::basic::{Text, Word};

use crate::nntp::codec::{
    Article, ArticleError, FieldName, GroupName, MessageId, format_article_date, unfolded,
};

/// How far the date of an article may be ahead (RFC 5537 3.5 and 3.6).
const AHEAD_MAX: Duration = Duration::from_secs(24 * 60 * 60);

/// What is the same for all articles of a server.
pub(super) struct Rules<'a> {
    pub(super) host: &'a Word,
    pub(super) age_max: Duration,
    pub(super) now: SystemTime,
}

/// An article that may be stored.
#[derive(Debug)]
pub(super) struct Accepted {
    pub(super) id: MessageId,
    pub(super) article: Article,
    pub(super) groups: Vec<GroupName>,
}

/// Why an article is not wanted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Unwanted {
    #[error("{0}")]
    Head(#[from] ArticleError),
    #[error("the field {0} must not be there")]
    Field(FieldName),
    #[error("the article is too old")]
    Old,
    #[error("the date of the article lies in the future")]
    Ahead,
    #[error("the article has another message-id than the one that was offered")]
    OtherId,
    #[error("the article was here already, as its path says")]
    Loop,
}

impl Rules<'_> {
    /// Makes an article of what a client posts. `address` is shown, if it is given.
    pub(super) fn inject(
        &self,
        article: &Article,
        address: Option<&str>,
        unique: &str,
    ) -> Result<Accepted, Unwanted> {
        for name in ["From", "Newsgroups", "Subject"] {
            demand(article, name)?;
        }
        // RFC 5537 3.5, steps 1 and 2: it was injected already.
        for name in ["Injection-Info", "Injection-Date", "NNTP-Posting-Host", "X-Trace"] {
            if article.field(name).is_some()
                && let Ok(name) = name.parse()
            {
                return Err(Unwanted::Field(name));
            }
        }
        if article.path().any(|entry| entry.starts_with(b".POSTED")) {
            return Err(ArticleError::Invalid { name: "Path" }.into());
        }
        let groups = article.newsgroups()?;
        let mut added = vec![("Path", self.path(article, ".POSTED", address))];
        if let Some(date) = article.date("Date")? {
            self.check_age(date)?;
        } else {
            added.push(("Date", text(format_article_date(self.now))));
        }
        let id = match article.field("Message-ID") {
            Some(_) => {
                let id = article.message_id()?;
                // RFC 5536 3.1.3: no other server would take it.
                let parts = id.as_str().trim_matches(['<', '>']).split_once('@');
                let is_right = |(left, right): (&str, &str)| {
                    !left.is_empty() && !right.is_empty() && !right.contains('@')
                };
                parts
                    .is_some_and(is_right)
                    .then_some(id)
                    .ok_or(ArticleError::Invalid { name: "Message-ID" })?
            }
            None => {
                let id = format!("<{unique}@{}>", self.host);
                added.push(("Message-ID", text(id.clone())));
                id.parse().map_err(|_| ArticleError::Invalid { name: "Message-ID" })?
            }
        };
        added.push(("Injection-Date", text(format_article_date(self.now))));
        let host = address.map(|address| format!("; posting-host=\"{address}\""));
        added.push(("Injection-Info", text(format!("{}{}", self.host, host.unwrap_or_default()))));
        let article = article.edited(&["Path", "Xref"], &added);
        Ok(Accepted { id, article, groups })
    }

    /// Checks an article of another server, and puts this one into its path. `peer` is what the other should stand there as.
    pub(super) fn relay(
        &self,
        article: &Article,
        offered: &MessageId,
        peer: Option<&Word>,
        address: Option<&str>,
    ) -> Result<Accepted, Unwanted> {
        for name in ["From", "Newsgroups", "Subject", "Date", "Message-ID", "Path"] {
            demand(article, name)?;
        }
        let id = article.message_id()?;
        if id != *offered {
            return Err(Unwanted::OtherId);
        }
        if article.path().any(|entry| entry.eq_ignore_ascii_case(self.host)) {
            return Err(Unwanted::Loop);
        }
        // RFC 5536 3.2.1: the date of injection counts, where there is one.
        let date = article.date("Injection-Date")?.or(article.date("Date")?);
        self.check_age(date.ok_or(ArticleError::Missing { name: "Date" })?)?;
        let groups = article.newsgroups()?;
        let last = article.path().next().unwrap_or_default().to_vec();
        // RFC 5537 3.2.1: whether the last server is the one that it says it is.
        let path = match peer {
            Some(peer) if last.eq_ignore_ascii_case(peer) => self.path(article, "", None),
            Some(peer) => self.path(article, ".MISMATCH", Some(&peer.to_string())),
            None => self.path(article, ".SEEN", address),
        };
        let article = article.edited(&["Path", "Xref"], &[("Path", path)]);
        Ok(Accepted { id, article, groups })
    }

    /// The path with this server in front, and a word about where the article comes from: two `!` say that it is certain.
    fn path(&self, article: &Article, keyword: &str, argument: Option<&str>) -> Text {
        let argument = argument.map(|argument| format!(".{argument}")).unwrap_or_default();
        let mut path = format!("{}!{keyword}{argument}!", self.host).into_bytes();
        match article.field("Path").map(unfolded) {
            Some(tail) if !tail.trim_ascii().is_empty() => {
                path.extend_from_slice(tail.trim_ascii())
            }
            _ => path.extend_from_slice(b"not-for-mail"),
        }
        Text::try_from(path).unwrap_or(Text::from_static("not-for-mail"))
    }

    fn check_age(&self, date: SystemTime) -> Result<(), Unwanted> {
        if date.duration_since(self.now).is_ok_and(|ahead| ahead > AHEAD_MAX) {
            return Err(Unwanted::Ahead);
        }
        match self.now.duration_since(date) {
            Ok(age) if age > self.age_max => Err(Unwanted::Old),
            _ => Ok(()),
        }
    }
}

impl Unwanted {
    /// Whether another server is not to offer the article again.
    pub(super) fn is_final(&self) -> bool {
        !matches!(self, Self::OtherId)
    }
}

fn demand(article: &Article, name: &'static str) -> Result<(), ArticleError> {
    match article.field(name).map(<[u8]>::trim_ascii) {
        None => Err(ArticleError::Missing { name }),
        Some(b"") => Err(ArticleError::Invalid { name }),
        Some(_) => Ok(()),
    }
}

/// A text without CR, LF and NUL by the way it was made.
fn text(text: String) -> Text {
    Text::try_from(text).unwrap_or(Text::from_static(""))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nntp::codec::{ArticleLimits, parse_article_date};

    const DATE: &str = "Sun, 06 Nov 1994 08:49:37 +0000";
    static HOST: Word = Word::from_static("here");

    fn rules(now: &str) -> Rules<'static> {
        let age_max = Duration::from_secs(10 * 24 * 60 * 60);
        Rules { host: &HOST, age_max, now: parse_article_date(now).unwrap() }
    }

    fn article(head: &str) -> Article {
        Article::new(format!("{head}\n\nbody\n"), &ArticleLimits::default()).unwrap()
    }

    fn injected(head: &str) -> Result<String, String> {
        let accepted = rules(DATE).inject(&article(head), None, "1.2");
        let text = accepted.map_err(|error| error.to_string())?.article.text().clone();
        Ok(String::from_utf8(text.to_vec()).unwrap().replace("\r\n", "\n"))
    }

    const POSTED: &str = "From: a@b\nNewsgroups: x.y\nSubject: s";

    #[test]
    fn what_is_missing_is_added() {
        assert_eq!(
            injected(POSTED).unwrap(),
            format!(
                "Path: here!.POSTED!not-for-mail\nDate: {DATE}\nMessage-ID: <1.2@here>\nInjection-Date: {DATE}\nInjection-Info: here\n{POSTED}\n\nbody\n"
            )
        );
        let own = format!("{POSTED}\nDate: {DATE}\nMessage-ID: <a@b>\nPath: me\nXref: x x.y:1");
        assert_eq!(
            injected(&own).unwrap(),
            format!(
                "Path: here!.POSTED!me\nInjection-Date: {DATE}\nInjection-Info: here\n{POSTED}\nDate: {DATE}\nMessage-ID: <a@b>\n\nbody\n"
            )
        );
        let shown = rules(DATE).inject(&article(POSTED), Some("192.0.2.1"), "1").unwrap().article;
        assert_eq!(shown.field("Path"), Some(&b"here!.POSTED.192.0.2.1!not-for-mail"[..]));
        assert_eq!(shown.field("Injection-Info"), Some(&b"here; posting-host=\"192.0.2.1\""[..]));
    }

    #[test]
    fn what_is_posted_wrongly_is_refused() {
        for (head, expect) in [
            ("Newsgroups: x.y\nSubject: s", "the field From is missing"),
            ("From: a@b\nNewsgroups: x.y\nSubject: ", "the field Subject is not valid"),
            ("From: a@b\nNewsgroups: x..y\nSubject: s", "the field Newsgroups is not valid"),
            ("From: a@b\nNewsgroups: x.y\nSubject: s\nDate: now", "the field Date is not valid"),
            (
                "From: a@b\nNewsgroups: x.y\nSubject: s\nMessage-ID: a@b",
                "the field Message-ID is not valid",
            ),
            (
                "From: a@b\nNewsgroups: x.y\nSubject: s\nMessage-ID: <a>",
                "the field Message-ID is not valid",
            ),
            (
                "From: a@b\nNewsgroups: x.y\nSubject: s\nMessage-ID: <a@>",
                "the field Message-ID is not valid",
            ),
            (
                "From: a@b\nNewsgroups: x.y\nSubject: s\nInjection-Info: x",
                "the field Injection-Info must not be there",
            ),
            (
                "From: a@b\nNewsgroups: x.y\nSubject: s\nPath: x!.POSTED!y",
                "the field Path is not valid",
            ),
            (
                "From: a@b\nNewsgroups: x.y\nSubject: s\nDate: 26 Oct 1994 00:00:00 GMT",
                "the article is too old",
            ),
            (
                "From: a@b\nNewsgroups: x.y\nSubject: s\nDate: 8 Nov 1994 00:00:00 GMT",
                "the date of the article lies in the future",
            ),
        ] {
            assert_eq!(injected(head).unwrap_err(), expect, "{head}");
        }
    }

    fn relayed(path: &str, peer: Option<&'static str>) -> Result<String, Unwanted> {
        let head = format!("{POSTED}\nDate: {DATE}\nMessage-ID: <a@b>\nPath: {path}");
        let peer = peer.map(Word::from_static);
        let id = "<a@b>".parse().unwrap();
        let accepted = rules(DATE).relay(&article(&head), &id, peer.as_ref(), Some("192.0.2.1"))?;
        Ok(accepted.article.text_of("Path").unwrap().to_owned())
    }

    #[test]
    fn the_path_grows() {
        assert_eq!(relayed("there!x", None).unwrap(), "here!.SEEN.192.0.2.1!there!x");
        assert_eq!(relayed("there!x", Some("There")).unwrap(), "here!!there!x");
        assert_eq!(relayed("other!x", Some("there")).unwrap(), "here!.MISMATCH.there!other!x");
        assert_eq!(relayed("x!HERE!y", None), Err(Unwanted::Loop));
        assert_eq!(relayed("x\n !y", None).unwrap(), "here!.SEEN.192.0.2.1!x !y");
        let head = format!("{POSTED}\nDate: {DATE}\nMessage-ID: <a@b>\nPath: x");
        let other = "<c@d>".parse().unwrap();
        let error = rules(DATE).relay(&article(&head), &other, None, None).unwrap_err();
        assert_eq!(error, Unwanted::OtherId);
    }
}
