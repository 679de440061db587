//! See [`fuzz::names::schema`].

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::names::schema(data));
