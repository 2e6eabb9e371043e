//! Fuzzes `properties::backup`.
#![no_main]

#[path = "../properties.rs"]
#[expect(dead_code, reason = "each target has its own property")]
mod properties;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| properties::backup(bytes));
