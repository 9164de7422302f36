//! A case: one load that every contestant meets, and one table in the report.

use std::fmt;

use crate::args::{Args, Mode};

/// Connections of the idle case, where the descriptor limit allows them.
const IDLE_CONNECTIONS: usize = 20_000;

#[derive(Clone, Copy, Debug)]
pub(crate) struct Case {
    pub(crate) mode: Mode,
    pub(crate) connections: usize,
    pub(crate) size: usize,
    pub(crate) outstanding: usize,
}

impl Case {
    /// Every combination asked for, with no more than `allowed` connections each.
    pub(crate) fn matrix(args: &Args, allowed: usize) -> Vec<Self> {
        let connections = args.connections.clone().unwrap_or_else(|| match args.mode {
            Mode::Idle => vec![IDLE_CONNECTIONS],
            Mode::Echo | Mode::Churn => vec![64],
        });
        // Only echo has a depth.
        let depths = match args.mode {
            Mode::Echo => args.outstanding.as_slice(),
            Mode::Idle | Mode::Churn => &[1],
        };
        let mut cases = Vec::new();
        for &wanted in &connections {
            if wanted > allowed {
                eprintln!("the descriptor limit allows {allowed} connections, not {wanted}");
            }
            for &size in &args.size {
                cases.extend(depths.iter().map(|&outstanding| Self {
                    mode: args.mode,
                    connections: wanted.min(allowed),
                    size,
                    outstanding,
                }));
            }
        }
        cases
    }
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { connections, size, .. } = self;
        match self.mode {
            Mode::Echo => {
                let outstanding = self.outstanding;
                write!(
                    f,
                    "echo: {connections} connections x {size} bytes, {outstanding} outstanding"
                )
            }
            Mode::Idle => {
                write!(f, "idle: {connections} connections, each echoed {size} bytes once")
            }
            Mode::Churn => {
                write!(f, "churn: {connections} at a time, connect, echo {size} bytes, close")
            }
        }
    }
}
