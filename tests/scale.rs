//! Many connections at once, many one after the other, and slow ones beside a fast one. What is counted is descriptors,
//! bytes, turns and events; never time. One test at a time, for descriptors are the whole process's.

#![cfg(target_os = "linux")]

mod support;

mod scale {
    mod churn;
    mod crowd;
    mod fairness;
    mod process;
}
