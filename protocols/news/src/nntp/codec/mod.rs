//! What is said in NNTP, without I/O: [`Command`]s, [`Response`]s, [`Capabilities`]; [`Article`]s with their heads and
//! [`OverviewLine`]s; names, patterns, ranges and dates.
//!
//! Nothing that a user passes in can end a line: every value is checked when it is made. The text of an article is framed by
//! [`DotStuffed`](sinew_protocols::basic::DotStuffed) and [`DotStuffing`](sinew_protocols::basic::DotStuffing).

mod article;
mod capabilities;
mod command;
mod command_error;
mod date;
mod field_name;
mod group_name;
mod message_id;
mod overview;
mod part;
mod range;
mod response;
mod wildmat;
mod xref;

pub use article::{Article, ArticleError, ArticleLimits, Field};
pub use capabilities::Capabilities;
pub use command::{Command, ListKind};
pub use command_error::CommandError;
pub use date::{format_article_date, parse_article_date};
pub use field_name::{FieldName, FieldNameError};
pub use group_name::{GroupName, GroupNameError};
pub use message_id::{MessageId, MessageIdError};
pub use overview::{OVERVIEW_FIELDS, OverviewError, OverviewLine};
pub(crate) use overview::{hdr_value, unfolded};
pub use part::{Part, PartFilter};
pub use range::{ArticleRef, Articles, Range, RangeError};
pub use response::{Response, ResponseError};
pub use wildmat::{Wildmat, WildmatError};
pub use xref::XrefFilter;

pub(crate) use command::announces_article;
pub(crate) use date::{command_date_time, format_command_date as command_date, seconds, time_of};
