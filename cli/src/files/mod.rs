//! The commands about files of services: `sinew run`, `sinew check` and `sinew config`.

mod check;
mod config;
mod run;

pub(crate) use {check::Check, config::Config, run::Run};
