//! See [`fuzz::configuration::dotenv`].

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::configuration::dotenv(data));
