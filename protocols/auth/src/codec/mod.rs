//! The messages of the mechanisms, pure: each file reads and writes those of one, or a part that several have in common. Nothing
//! here knows who is at the other end, or checks a password.

pub(crate) mod certificate;
pub(crate) mod cram_md5;
pub(crate) mod encoding;
pub(crate) mod gs2;
pub(crate) mod names;
pub(crate) mod oauth;
pub(crate) mod plain;
pub(crate) mod scram;
#[cfg(test)]
mod tests;
