//! The codec, both ways: tables of what is read, what is refused, and properties of what is written.

mod commands;
mod decoder;
mod responses;
mod round_trips;
mod values;
