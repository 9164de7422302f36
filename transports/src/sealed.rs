//! Seals the extension traits of the reactor, such as `ReactorTcp`: users call them, and cannot implement them.

#[allow(unnameable_types, reason = "that is how a trait is sealed")]
pub trait Sealed {}

impl Sealed for sinew_reactor::Reactor {}
