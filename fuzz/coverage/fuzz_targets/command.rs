//! See [`fuzz::typed::command`].

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::typed::command(data));
