//! The commands about files of services, `sinew run`, `sinew check` and `sinew config`; and about a server that runs, by its pid file,
//! `sinew upgrade`.

mod check;
mod config;
mod run;
mod upgrade;

pub(crate) use {check::Check, config::Config, run::Run, upgrade::Upgrade};
