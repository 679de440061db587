//! See [`fuzz::answers::fivetran`].

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::answers::fivetran(data));
