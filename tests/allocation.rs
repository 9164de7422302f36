//! What a message costs in memory: nothing. A counting allocator watches the path of a message, and an idle connection.

mod support;

mod allocation {
    mod idle;
    mod messages;
    mod secured;
    pub(crate) mod sys;
}

#[global_allocator]
static COUNTING: allocation::sys::Counting = allocation::sys::Counting;
