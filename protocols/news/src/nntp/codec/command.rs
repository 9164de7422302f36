//! Commands: [`Command`], read from a line and written as one (RFC 3977, 4642, 4643, 4644, 6048, 8054).

use std::{fmt, str::FromStr, time::SystemTime};

use sinew_protocols::basic::{Text, Word};

use super::{
    ArticleRef, Articles, CommandError, FieldName, GroupName, MessageId, Part, Range, Wildmat,
    date::{format_command_date, parse_command_date},
};

/// A command of a client.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Command {
    /// CAPABILITIES.
    Capabilities,
    /// MODE READER.
    ModeReader,
    /// MODE STREAM (RFC 4644).
    ModeStream,
    /// QUIT.
    Quit,
    /// GROUP: selects a group.
    Group(GroupName),
    /// LISTGROUP: selects a group, and lists numbers.
    ListGroup {
        /// The group, or the selected one.
        group: Option<GroupName>,
        /// Which numbers.
        range: Range,
    },
    /// LAST: the article before the current one.
    Last,
    /// NEXT: the article after the current one.
    Next,
    /// ARTICLE, HEAD, BODY, STAT.
    Article {
        /// Which of the four.
        part: Part,
        /// Which article; the current one without.
        which: Option<ArticleRef>,
    },
    /// POST: an article follows once the server agrees.
    Post,
    /// IHAVE: this article is offered.
    Ihave(MessageId),
    /// CHECK: this article is offered, in a stream (RFC 4644).
    Check(MessageId),
    /// TAKETHIS: this article follows at once (RFC 4644).
    TakeThis(MessageId),
    /// DATE.
    Date,
    /// HELP.
    Help,
    /// NEWGROUPS: groups that were created since.
    NewGroups(SystemTime),
    /// NEWNEWS: articles that have arrived since.
    NewNews {
        /// In these groups.
        groups: Wildmat,
        /// The time.
        since: SystemTime,
    },
    /// LIST.
    List(ListKind),
    /// OVER; XOVER is its older form.
    Over {
        /// Which; the current article without.
        which: Option<Articles>,
        /// XOVER.
        is_old: bool,
    },
    /// HDR; XHDR is its older form.
    Hdr {
        /// The field.
        field: FieldName,
        /// Which; the current article without.
        which: Option<Articles>,
        /// XHDR.
        is_old: bool,
    },
    /// STARTTLS (RFC 4642).
    StartTls,
    /// COMPRESS (RFC 8054), by this algorithm.
    Compress(Word),
    /// AUTHINFO USER (RFC 4643).
    AuthUser(Text),
    /// AUTHINFO PASS.
    AuthPass(Text),
    /// AUTHINFO SASL.
    AuthSasl {
        /// The mechanism.
        mechanism: Word,
        /// The first response, in base64; `=` for an empty one.
        initial: Option<Word>,
    },
}

/// What LIST lists.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ListKind {
    /// Groups with their numbers and status.
    Active(Option<Wildmat>),
    /// When groups were created, and by whom.
    ActiveTimes(Option<Wildmat>),
    /// Groups with their descriptions.
    Newsgroups(Option<Wildmat>),
    /// As ACTIVE, with the number of articles (RFC 6048).
    Counts(Option<Wildmat>),
    /// The fields of the overview.
    OverviewFmt,
    /// The fields that HDR knows.
    Headers,
    /// A list of RFC 3977 or RFC 6048 that few servers have: its keyword.
    Other(Word),
}

/// Whether an article follows a line, whatever else the line says.
pub(crate) fn announces_article(line: &[u8]) -> bool {
    // Blanks in front are no part of a command, as for `Command::parse`.
    let is_blank = |byte: &u8| matches!(byte, b' ' | b'\t');
    let verb = line.split(is_blank).find(|word| !word.is_empty()).unwrap_or_default();
    verb.eq_ignore_ascii_case(b"TAKETHIS")
}

/// Lists that are known and have no form of their own here.
const OTHER_LISTS: [&str; 6] =
    ["DISTRIB.PATS", "DISTRIBUTIONS", "MODERATORS", "MOTD", "SUBSCRIPTIONS", "EXTENSIONS"];

impl Command {
    /// Reads a command from a line, which is given without its CRLF.
    ///
    /// # Errors
    ///
    /// [`CommandError`], which has the [code](CommandError::code) of the response.
    pub fn parse(line: &[u8]) -> Result<Self, CommandError> {
        let line = str::from_utf8(line).map_err(|_| CommandError::NotText)?;
        if line.bytes().any(|byte| byte < b' ' && byte != b'\t' || byte == 0x7f) {
            return Err(CommandError::NotText);
        }
        let line = line.trim_matches([' ', '\t']);
        let (verb, rest) = line.split_once([' ', '\t']).unwrap_or((line, ""));
        let arguments = Arguments(rest.trim_matches([' ', '\t']));
        match verb.to_ascii_uppercase().as_str() {
            "CAPABILITIES" => arguments.at_most(1, Self::Capabilities, "CAPABILITIES [keyword]"),
            "MODE" => match arguments.0.to_ascii_uppercase().as_str() {
                "READER" => Ok(Self::ModeReader),
                "STREAM" => Ok(Self::ModeStream),
                _ => Err(CommandError::Variant),
            },
            "QUIT" => arguments.at_most(0, Self::Quit, "QUIT"),
            "GROUP" => arguments.one("GROUP group").map(Self::Group),
            "LISTGROUP" => Self::list_group(&arguments),
            "LAST" => arguments.at_most(0, Self::Last, "LAST"),
            "NEXT" => arguments.at_most(0, Self::Next, "NEXT"),
            "ARTICLE" => Self::article(&arguments, Part::Article),
            "HEAD" => Self::article(&arguments, Part::Head),
            "BODY" => Self::article(&arguments, Part::Body),
            "STAT" => Self::article(&arguments, Part::Stat),
            "POST" => arguments.at_most(0, Self::Post, "POST"),
            "IHAVE" => arguments.one("IHAVE message-id").map(Self::Ihave),
            "CHECK" => arguments.one("CHECK message-id").map(Self::Check),
            "TAKETHIS" => arguments.one("TAKETHIS message-id").map(Self::TakeThis),
            "DATE" => arguments.at_most(0, Self::Date, "DATE"),
            "HELP" => Ok(Self::Help),
            "NEWGROUPS" => Self::new_groups(&arguments),
            "NEWNEWS" => Self::new_news(&arguments),
            "LIST" => Self::list(&arguments),
            "OVER" => Self::over(&arguments, false),
            "XOVER" => Self::over(&arguments, true),
            "HDR" => Self::hdr(&arguments, false),
            "XHDR" => Self::hdr(&arguments, true),
            "STARTTLS" => arguments.at_most(0, Self::StartTls, "STARTTLS"),
            "COMPRESS" => Self::compress(&arguments),
            "AUTHINFO" => Self::auth(&arguments),
            _ => Err(CommandError::Unknown),
        }
    }

    fn list_group(arguments: &Arguments<'_>) -> Result<Self, CommandError> {
        const SYNTAX: &str = "LISTGROUP [group [range]]";
        let words = arguments.words(2, SYNTAX)?;
        let group = words.first().map(|group| parsed(group, SYNTAX)).transpose()?;
        let range = words.get(1).map_or(Ok(Range::all()), |range| parsed(range, SYNTAX))?;
        Ok(Self::ListGroup { group, range })
    }

    fn article(arguments: &Arguments<'_>, part: Part) -> Result<Self, CommandError> {
        let which = arguments.option("ARTICLE|HEAD|BODY|STAT [number|message-id]")?;
        Ok(Self::Article { part, which })
    }

    fn new_groups(arguments: &Arguments<'_>) -> Result<Self, CommandError> {
        const SYNTAX: &str = "NEWGROUPS yyyymmdd hhmmss [GMT]";
        let words = arguments.words(4, SYNTAX)?;
        time(&words, SYNTAX).map(Self::NewGroups)
    }

    fn new_news(arguments: &Arguments<'_>) -> Result<Self, CommandError> {
        const SYNTAX: &str = "NEWNEWS wildmat yyyymmdd hhmmss [GMT]";
        let words = arguments.words(5, SYNTAX)?;
        let (groups, rest) = words.split_first().ok_or(CommandError::Syntax { syntax: SYNTAX })?;
        Ok(Self::NewNews { groups: parsed(groups, SYNTAX)?, since: time(rest, SYNTAX)? })
    }

    fn list(arguments: &Arguments<'_>) -> Result<Self, CommandError> {
        const SYNTAX: &str = "LIST [keyword [wildmat]]";
        let words = arguments.words(2, SYNTAX)?;
        let keyword = words.first().map_or("ACTIVE", |keyword| keyword).to_ascii_uppercase();
        let wildmat = || words.get(1).map(|text| parsed(text, SYNTAX)).transpose();
        let alone = |kind| match words.len() {
            ..=1 => Ok(kind),
            _ => Err(CommandError::Syntax { syntax: SYNTAX }),
        };
        let kind = match keyword.as_str() {
            "ACTIVE" => ListKind::Active(wildmat()?),
            "ACTIVE.TIMES" => ListKind::ActiveTimes(wildmat()?),
            "NEWSGROUPS" => ListKind::Newsgroups(wildmat()?),
            "COUNTS" => ListKind::Counts(wildmat()?),
            "OVERVIEW.FMT" => alone(ListKind::OverviewFmt)?,
            "HEADERS" => match words.get(1).map(|word| word.to_ascii_uppercase()).as_deref() {
                None | Some("MSGID" | "RANGE") => ListKind::Headers,
                Some(_) => {
                    return Err(CommandError::Syntax { syntax: "LIST HEADERS [MSGID|RANGE]" });
                }
            },
            other if OTHER_LISTS.contains(&other) => ListKind::Other(parsed_word(other, SYNTAX)?),
            _ => return Err(CommandError::Variant),
        };
        Ok(Self::List(kind))
    }

    fn over(arguments: &Arguments<'_>, is_old: bool) -> Result<Self, CommandError> {
        let which = arguments.option("OVER [range|message-id]")?;
        Ok(Self::Over { which, is_old })
    }

    fn hdr(arguments: &Arguments<'_>, is_old: bool) -> Result<Self, CommandError> {
        const SYNTAX: &str = "HDR field [range|message-id]";
        let words = arguments.words(2, SYNTAX)?;
        let field = words.first().ok_or(CommandError::Syntax { syntax: SYNTAX })?;
        let which = words.get(1).map(|which| parsed(which, SYNTAX)).transpose()?;
        Ok(Self::Hdr { field: parsed(field, SYNTAX)?, which, is_old })
    }

    fn compress(arguments: &Arguments<'_>) -> Result<Self, CommandError> {
        const SYNTAX: &str = "COMPRESS algorithm";
        let words = arguments.words(1, SYNTAX)?;
        let algorithm = words.first().ok_or(CommandError::Syntax { syntax: SYNTAX })?;
        parsed_word(algorithm, SYNTAX).map(Self::Compress)
    }

    fn auth(arguments: &Arguments<'_>) -> Result<Self, CommandError> {
        const SYNTAX: &str = "AUTHINFO USER name|PASS password|SASL mechanism [response]";
        let error = CommandError::Syntax { syntax: SYNTAX };
        let (kind, rest) = arguments.0.split_once([' ', '\t']).ok_or(error)?;
        let text = || match rest {
            "" => Err(error),
            rest => Text::try_from(rest).map_err(|_| error),
        };
        match kind.to_ascii_uppercase().as_str() {
            "USER" => Ok(Self::AuthUser(text()?)),
            "PASS" => Ok(Self::AuthPass(text()?)),
            "SASL" => {
                let words = Arguments(rest).words(2, SYNTAX)?;
                let mechanism = parsed_word(words.first().ok_or(error)?, SYNTAX)?;
                let initial = words.get(1).map(|word| parsed_word(word, SYNTAX)).transpose()?;
                Ok(Self::AuthSasl { mechanism, initial })
            }
            _ => Err(CommandError::Variant),
        }
    }
}

/// What follows the first word.
struct Arguments<'a>(&'a str);

impl<'a> Arguments<'a> {
    fn words(&self, max: usize, syntax: &'static str) -> Result<Vec<&'a str>, CommandError> {
        let words: Vec<_> = self.0.split_ascii_whitespace().take(max + 1).collect();
        if words.len() > max { Err(CommandError::Syntax { syntax }) } else { Ok(words) }
    }

    fn at_most(
        &self,
        max: usize,
        command: Command,
        syntax: &'static str,
    ) -> Result<Command, CommandError> {
        self.words(max, syntax).map(|_| command)
    }

    fn option<T: FromStr>(&self, syntax: &'static str) -> Result<Option<T>, CommandError> {
        self.words(1, syntax)?.first().map(|word| parsed(word, syntax)).transpose()
    }

    fn one<T: FromStr>(&self, syntax: &'static str) -> Result<T, CommandError> {
        self.option(syntax)?.ok_or(CommandError::Syntax { syntax })
    }
}

fn parsed<T: FromStr>(word: &str, syntax: &'static str) -> Result<T, CommandError> {
    word.parse().map_err(|_| CommandError::Syntax { syntax })
}

fn parsed_word(word: &str, syntax: &'static str) -> Result<Word, CommandError> {
    Word::try_from(word).map_err(|_| CommandError::Syntax { syntax })
}

/// A date, a time of day, and `GMT` or not: a server whose clock is UTC makes no difference. Distributions, of RFC 977, are not used.
fn time(words: &[&str], syntax: &'static str) -> Result<SystemTime, CommandError> {
    let error = CommandError::Syntax { syntax };
    let (date, clock, rest) = match words {
        [date, clock, rest @ ..] => (date, clock, rest),
        _ => return Err(error),
    };
    let is_right = match rest {
        [] => true,
        [zone] => zone.eq_ignore_ascii_case("GMT") || zone.starts_with('<'),
        [zone, distributions] => zone.eq_ignore_ascii_case("GMT") && distributions.starts_with('<'),
        _ => false,
    };
    parse_command_date(date, clock).filter(|_| is_right).ok_or(error)
}

impl fmt::Display for Command {
    /// The command as it is sent, without the CRLF. It shows passwords.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let with =
            |f: &mut fmt::Formatter<'_>, verb: &str, what: Option<&dyn fmt::Display>| match what {
                Some(what) => write!(f, "{verb} {what}"),
                None => f.write_str(verb),
            };
        let display = |articles: &'_ Option<Articles>| articles.as_ref().map(ToString::to_string);
        match self {
            Self::Capabilities => f.write_str("CAPABILITIES"),
            Self::ModeReader => f.write_str("MODE READER"),
            Self::ModeStream => f.write_str("MODE STREAM"),
            Self::Quit => f.write_str("QUIT"),
            Self::Group(name) => write!(f, "GROUP {name}"),
            Self::ListGroup { group: Some(group), range } => write!(f, "LISTGROUP {group} {range}"),
            Self::ListGroup { group: None, .. } => f.write_str("LISTGROUP"),
            Self::Last => f.write_str("LAST"),
            Self::Next => f.write_str("NEXT"),
            Self::Article { part, which } => {
                with(f, part.verb(), which.as_ref().map(|which| which as &dyn fmt::Display))
            }
            Self::Post => f.write_str("POST"),
            Self::Ihave(id) => write!(f, "IHAVE {id}"),
            Self::Check(id) => write!(f, "CHECK {id}"),
            Self::TakeThis(id) => write!(f, "TAKETHIS {id}"),
            Self::Date => f.write_str("DATE"),
            Self::Help => f.write_str("HELP"),
            Self::NewGroups(since) => {
                write!(f, "NEWGROUPS {} GMT", spaced(*since))
            }
            Self::NewNews { groups, since } => {
                write!(f, "NEWNEWS {groups} {} GMT", spaced(*since))
            }
            Self::List(kind) => write!(f, "LIST {kind}"),
            Self::Over { which, is_old } => {
                let which = display(which);
                let verb = if *is_old { "XOVER" } else { "OVER" };
                with(f, verb, which.as_ref().map(|which| which as &dyn fmt::Display))
            }
            Self::Hdr { field, which, is_old } => {
                let which = display(which);
                let verb = if *is_old { "XHDR" } else { "HDR" };
                let verb = format!("{verb} {field}");
                with(f, &verb, which.as_ref().map(|which| which as &dyn fmt::Display))
            }
            Self::StartTls => f.write_str("STARTTLS"),
            Self::Compress(algorithm) => write!(f, "COMPRESS {algorithm}"),
            Self::AuthUser(name) => write!(f, "AUTHINFO USER {name}"),
            Self::AuthPass(password) => write!(f, "AUTHINFO PASS {password}"),
            Self::AuthSasl { mechanism, initial: Some(initial) } => {
                write!(f, "AUTHINFO SASL {mechanism} {initial}")
            }
            Self::AuthSasl { mechanism, initial: None } => write!(f, "AUTHINFO SASL {mechanism}"),
        }
    }
}

fn spaced(time: SystemTime) -> String {
    let text = format_command_date(time);
    let (date, clock) = text.split_at_checked(8).unwrap_or((&text, ""));
    format!("{date} {clock}")
}

impl fmt::Display for ListKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (keyword, wildmat) = match self {
            Self::Active(wildmat) => ("ACTIVE", wildmat),
            Self::ActiveTimes(wildmat) => ("ACTIVE.TIMES", wildmat),
            Self::Newsgroups(wildmat) => ("NEWSGROUPS", wildmat),
            Self::Counts(wildmat) => ("COUNTS", wildmat),
            Self::OverviewFmt => ("OVERVIEW.FMT", &None),
            Self::Headers => ("HEADERS", &None),
            Self::Other(keyword) => return keyword.fmt(f),
        };
        match wildmat {
            Some(wildmat) => write!(f, "{keyword} {wildmat}"),
            None => f.write_str(keyword),
        }
    }
}

#[cfg(test)]
#[path = "command_tests.rs"]
mod tests;
