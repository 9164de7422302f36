//! The program that is run: from a command line, or from a file of `sinew run`. Reading and checking only.

mod example;
mod file;
mod keys;
mod problem;
mod program;

pub(crate) use {
    example::example,
    file::read,
    keys::keys_of,
    problem::Problem,
    program::{Planned, Program},
};
