//! Tests of the messages: tables of good and bad ones, and properties.
