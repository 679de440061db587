//! See [`fuzz::waits::retry_after`].

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::waits::retry_after(data));
