//! Wrappers around any protocol that change how it is driven. One file each, all with `get_ref`, `get_mut` and
//! `into_inner`.

mod rate_limit;

pub use rate_limit::{Rate, RateLimit, SharedRate};

/// Forwards every callback except `data_received` to the protocol in a field.
macro_rules! forward_all_but_data {
    ($field:ident) => {
        fn connection_made(&mut self, transport: &Transport) {
            self.$field.connection_made(transport);
        }

        fn read_closed(&mut self, transport: &Transport) {
            self.$field.read_closed(transport);
        }

        fn writing_paused(&mut self, transport: &Transport) {
            self.$field.writing_paused(transport);
        }

        fn writing_resumed(&mut self, transport: &Transport) {
            self.$field.writing_resumed(transport);
        }

        fn reading_resumed(&mut self, transport: &Transport) {
            self.$field.reading_resumed(transport);
        }

        fn timer_fired(&mut self, transport: &Transport, timer: TimerId) {
            self.$field.timer_fired(transport, timer);
        }

        fn idle_timeout(&mut self, transport: &Transport) {
            self.$field.idle_timeout(transport);
        }

        fn drain_requested(&mut self, transport: &Transport) {
            self.$field.drain_requested(transport);
        }

        fn tls_started(&mut self, transport: &Transport) {
            self.$field.tls_started(transport);
        }

        fn take_unread(&mut self, transport: &Transport) -> Bytes {
            self.$field.take_unread(transport)
        }

        fn saved_state(&self) -> Option<Vec<u8>> {
            self.$field.saved_state()
        }

        fn connection_lost(&mut self, transport: &Transport, reason: &ConnectionLost) {
            self.$field.connection_lost(transport, reason);
        }
    };
}

use forward_all_but_data;
