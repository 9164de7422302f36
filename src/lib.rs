//! sinew.
