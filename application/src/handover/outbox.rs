//! Messages with descriptors that wait to be sent: [`Outbox`]. Every reactor of the process fills it; that of the channel empties
//! it.

use std::{
    collections::VecDeque,
    os::fd::OwnedFd,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use sinew_transports::{Transport, WriteStatus, unix::DescriptorRefused};

use super::message::Message;

/// The queue. Unbounded by itself: it holds no more than the connections of the process.
#[derive(Default)]
pub(super) struct Outbox {
    parcels: Mutex<VecDeque<Parcel>>,
    /// The channel's reactor has been told.
    is_told: AtomicBool,
}

struct Parcel {
    bytes: Vec<u8>,
    descriptors: VecDeque<OwnedFd>,
}

impl Outbox {
    /// Adds a message. Returns whether the channel's reactor has to be told.
    pub(super) fn push(
        &self,
        message: &Message,
        descriptors: impl IntoIterator<Item = OwnedFd>,
    ) -> bool {
        let parcel =
            Parcel { bytes: message.to_bytes(), descriptors: descriptors.into_iter().collect() };
        self.parcels.lock().unwrap_or_else(PoisonError::into_inner).push_back(parcel);
        !self.is_told.swap(true, Ordering::SeqCst)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.parcels.lock().unwrap_or_else(PoisonError::into_inner).is_empty()
    }

    /// Sends as much as there is room for. Returns whether something is left.
    pub(super) fn send(&self, transport: &Transport) -> bool {
        self.is_told.store(false, Ordering::SeqCst);
        loop {
            let mut parcels = self.parcels.lock().unwrap_or_else(PoisonError::into_inner);
            let Some(mut parcel) = parcels.pop_front() else { return false };
            while let Some(descriptor) = parcel.descriptors.pop_front() {
                let Err(error) = transport.send_descriptor(descriptor) else { continue };
                if matches!(error.reason, DescriptorRefused::TooMany { .. }) {
                    parcel.descriptors.push_front(error.descriptor);
                    parcels.push_front(parcel);
                    return true;
                }
                // The channel has ended, and with it whatever was to be sent.
                parcels.clear();
                return false;
            }
            drop(parcels);
            match transport.write(&parcel.bytes) {
                WriteStatus::Ok => {}
                WriteStatus::AboveHighWatermark => return true,
                _ => return false,
            }
        }
    }
}
