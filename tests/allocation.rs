//! Allocation counts, measured with a counting allocator: a message allocates nothing, and an idle connection has a
//! small fixed cost. A binary of its own for its allocator.

mod support;

mod allocation {
    mod idle;
    #[cfg(feature = "mail")]
    mod imap;
    #[cfg(all(feature = "mail", unix))]
    mod mail;
    mod messages;
    mod secured;
    pub(crate) mod sys;
}

#[global_allocator]
static COUNTING: allocation::sys::Counting = allocation::sys::Counting;
