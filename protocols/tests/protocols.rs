//! Tests of framing and of the small services, one file per topic.

#[path = "../../tests/support/watchdog.rs"]
mod watchdog;

mod protocols {
    mod driven_by_the_loop;
    mod every_split;
}
