//! See [`fuzz::names::naming`].

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::names::naming(data));
