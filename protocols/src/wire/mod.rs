//! The small services of the early internet, one protocol per file, to read and to test with.
//!
//! | protocol | RFC | port | does |
//! |---|---|---|---|
//! | [`Echo`] | 862 | 7 | sends back what it receives |
//! | [`Discard`] | 863 | 9 | discards what it receives |
//! | [`Daytime`] | 867 | 13 | sends the time as text, and closes |
//! | [`Qotd`] | 865 | 17 | sends a quote, and closes |
//! | [`Chargen`] | 864 | 19 | sends characters endlessly |
//! | [`Time`] | 868 | 37 | sends the time as a number, and closes |
//!
//! Read them in this order: [`Discard`], [`Echo`], [`Qotd`], [`Time`], [`Daytime`], [`Chargen`]. They are for
//! learning and for testing a network; on the open internet, services that send unsolicited data are abused for
//! attacks.

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
