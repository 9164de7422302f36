//! Many connections at once, many in sequence, and slow ones beside a fast one. Counts descriptors, bytes, turns and
//! events; never time. One test at a time, since descriptors are per process.

#![cfg(target_os = "linux")]

mod support;

mod scale {
    mod churn;
    mod crowd;
    mod fairness;
    mod process;
}
