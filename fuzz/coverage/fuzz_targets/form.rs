//! See [`fuzz::requests::form`].

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::requests::form(data));
