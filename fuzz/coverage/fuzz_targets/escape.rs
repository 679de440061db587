//! See [`fuzz::shown::escape`].

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::shown::escape(data));
