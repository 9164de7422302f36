//! The small services of the first internet hosts, each one page: a protocol per file, to read and to test with.
//!
//! | protocol | RFC | port | does |
//! |---|---|---|---|
//! | [`Echo`] | 862 | 7 | answers with what it receives |
//! | [`Discard`] | 863 | 9 | receives |
//! | [`Daytime`] | 867 | 13 | says the time to people, and closes |
//! | [`Qotd`] | 865 | 17 | says a quote, and closes |
//! | [`Chargen`] | 864 | 19 | sends characters without end |
//! | [`Time`] | 868 | 37 | says the time to machines, and closes |
//!
//! Read them in this order: [`Discard`], [`Echo`], [`Qotd`], [`Time`], [`Daytime`], [`Chargen`]. They are for learning
//! and for trying out a network; on the open internet the services that send unasked are abused.

mod chargen;
mod daytime;
mod discard;
mod echo;
mod qotd;
mod time;

pub use chargen::Chargen;
pub use daytime::Daytime;
pub use discard::Discard;
pub use echo::Echo;
pub use qotd::Qotd;
pub use time::Time;
