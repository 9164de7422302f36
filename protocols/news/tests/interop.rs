//! With programs of others: Python's nntplib, slrn, slrnpull, leafnode, and INN, as peers in both directions. What is missing is said.

#[path = "../../../tests/support/watchdog.rs"]
mod watchdog;

#[allow(dead_code, reason = "each test binary uses a part of this")]
#[path = "support/mod.rs"]
mod support;

mod interop {
    mod inn;
    mod leafnode;
    mod program;
    mod readers;
}
