//! The recursive resolver in a simulated network, with a root, zones below it, and servers that lie.

#[path = "support/mod.rs"]
mod support;
#[path = "../../../tests/support/watchdog.rs"]
mod watchdog;

#[path = "recursive/bounds.rs"]
mod bounds;
#[path = "recursive/forged.rs"]
mod forged;
#[path = "recursive/hierarchy.rs"]
mod hierarchy;
#[path = "recursive/hostile.rs"]
mod hostile;
#[path = "recursive/served.rs"]
mod served;
#[path = "recursive/walking.rs"]
mod walking;
