//! A store on disk: [`Spool`].
//!
//! | file | |
//! |---|---|
//! | `history` | all changes, in order: the truth. A change has happened once its record is whole |
//! | `articles/000012/12345` | the text of the article with that sequence number |
//! | `overview/7` | the overview of the group with that id; made anew where it is missing or damaged |
//! | `feeds/to-news.example.org` | up to where a peer has everything |
//! | `lock` | held while the spool is open |
//!
//! An article is stored in this order, each step on the disk before the next begins: its text, the name of its file in the folder, its
//! record in `history`. Only then is it shown to readers, and its lines of the overview are appended, for which nothing waits. So a
//! crash leaves a text without a record (it is written over by the next), half a record (it is cut off), or missing lines of the
//! overview (they are made of the texts when the spool is opened).

mod folder;
mod frame;
mod history;
mod overviews;
mod record;
mod spool;
mod store;
mod texts;
mod upkeep;

pub use spool::{Spool, SpoolConfig};
