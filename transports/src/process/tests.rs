//! Exits that are heard of by SIGCHLD, on systems that have descriptors for processes, too.
