//! Law 2, no re-entrancy: every public call is made from inside every callback while the test holds a borrow of a
//! `RefCell`. If any call ran user code before it returned, that code would fail to borrow it and report that.

mod calls;
mod detector;
mod reentrant_calls;
