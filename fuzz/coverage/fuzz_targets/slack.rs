//! See [`fuzz::answers::slack`].

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::answers::slack(data));
