//! See [`fuzz::typed::carried`].

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::typed::carried(data));
