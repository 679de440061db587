//! See [`fuzz::frames::envelope`].

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::frames::envelope(data));
