//! An error of each type of mail.

use super::{Printed, cause, printed};

/// One of each.
pub(super) fn errors() -> impl Iterator<Item = Printed> {
    use sinew::mail::{
        imap::{
            client::{ConnectionEnd, ImapError},
            codec::{
                DecodeError, EncodeError, Flag, Message, ParseError, Response as ImapResponse,
            },
        },
        pop3,
        queue::{MessageId, QueueError},
        routing::{Aliases, RouteError, Target, TargetRules},
        smtp::{
            client::{SmtpError, Stage},
            codec::{Address, CommandError, ReplyError},
        },
        store::{Keyword, MailboxName, StoreError, UidSet},
        utf7,
    };

    let made = printed![
        "nobody".parse::<Address>().unwrap_err(),
        CommandError::Unknown,
        ReplyError::Code,
        SmtpError::Lost { stage: Stage::Mail, source: cause() },
        "two words".parse::<Keyword>().unwrap_err(),
        "..".parse::<MailboxName>().unwrap_err(),
        UidSet::parse("0", 1).unwrap_err(),
        StoreError::Io { operation: "read", path: "mail".into(), source: cause().into() },
        utf7::decode(b"&").unwrap_err(),
        QueueError::Spool { what: "it could not be read", source: cause() },
        "A".parse::<MessageId>().unwrap_err(),
        sinew::mail::queue::record::StateRecord::decode(b"").unwrap_err(),
        Aliases::parse("a: |b\n", TargetRules::default()).unwrap_err(),
        Target::parse("|b", TargetRules::default()).unwrap_err(),
        RouteError::RelayDenied,
        "two words".parse::<Flag>().unwrap_err(),
        ImapResponse::parse(&Message::new("*"), sinew::mail::imap::codec::Dialect::default())
            .unwrap_err() as ParseError,
        DecodeError::Nul,
        EncodeError::TooDeep { max: 64 },
        ImapError::Lost { command: "NOOP", source: ConnectionEnd::from(cause()) },
        ConnectionEnd::from(cause()),
        pop3::codec::Command::parse(b"HELO").unwrap_err(),
        pop3::codec::Status::parse(b"250").unwrap_err(),
        pop3::codec::Listed::size(b"1").unwrap_err(),
        "two words".parse::<pop3::codec::UniqueId>().unwrap_err(),
        pop3::client::Pop3Error::Lost { stage: pop3::client::Stage::Quit, source: cause() },
        pop3::server::MaildropError::Temporary(cause().into()),
        pop3::client::FetchError::NotKept {
            unique_id: "id".parse().expect("a unique id"),
            source: cause().into(),
        },
    ];
    made.into_iter()
}
