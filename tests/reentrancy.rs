//! Law 2, no re-entrancy: every public call is made from inside every callback while the test holds its own `RefCell`
//! borrowed. If any call ran user code before it returned, that code would meet the second borrow and say so.

#![cfg(unix)]

mod support;

mod reentrancy {
    mod calls;
    mod house;
    mod visits;
}
