//! See [`fuzz::typed::modal`].

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::typed::modal(data));
