//! The codec, both ways.
