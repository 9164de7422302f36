//! The bodies of the fuzz targets, one function per target. Independent of any fuzzer, so a test on stable Rust
//! (`tests/fuzz_corpus.rs`) replays the corpus through them.

mod decoding;
mod dots;
mod format;
mod framing;
mod inflating;
mod input;
mod proxy;
mod reference_model;

use self::{format::Format, input::Input};

/// A target: its name and its body.
pub(crate) type Target = (&'static str, fn(&[u8]));

/// All targets.
pub(crate) const TARGETS: [Target; 10] = [
    ("line", line),
    ("netstring", netstring),
    ("int8", int8),
    ("int16", int16),
    ("int32", int32),
    ("fixed", fixed),
    ("framed", framed),
    ("proxy", proxy),
    ("dot_stuffed", dot_stuffed),
    ("inflate", inflate),
];

pub(crate) fn line(data: &[u8]) {
    decoding::check(data, Format::line);
}

pub(crate) fn netstring(data: &[u8]) {
    decoding::check(data, Format::netstring);
}

pub(crate) fn int8(data: &[u8]) {
    decoding::check(data, |input| Format::int(input, 1));
}

pub(crate) fn int16(data: &[u8]) {
    decoding::check(data, |input| Format::int(input, 2));
}

pub(crate) fn int32(data: &[u8]) {
    decoding::check(data, |input| Format::int(input, 4));
}

pub(crate) fn fixed(data: &[u8]) {
    decoding::check(data, Format::fixed);
}

pub(crate) fn framed(data: &[u8]) {
    framing::check(&mut Input::new(data));
}

pub(crate) fn proxy(data: &[u8]) {
    proxy::check(data);
}

pub(crate) fn dot_stuffed(data: &[u8]) {
    dots::check(&mut Input::new(data));
}

pub(crate) fn inflate(data: &[u8]) {
    inflating::check(&mut Input::new(data));
}
