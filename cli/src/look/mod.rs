//! Looking into a program that runs (`--status`): the client, `sinew status`, and how numbers are shown. The live view is in
//! `top/`.

mod client;
mod shown;
mod status;
mod text;

pub(crate) use {
    client::{Action, Client, LookError, ask, endpoint},
    shown::{age, bytes, count, micros, name},
    status::Status,
    text::port_rows,
};
