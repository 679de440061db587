//! Base64, hex and throw-away random names for the stand-ins.
//!
//! Must not know what is encoded; nothing here is fit for real secrets.

use std::hash::{BuildHasher, Hasher, RandomState};

use base64::Engine as _;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};

/// Base64 with padding, as in `Authorization: Basic`.
pub(crate) fn base64(bytes: &[u8]) -> String {
    BASE64_STANDARD.encode(bytes)
}

/// Base64url without padding, as in a JWT.
pub(crate) fn base64url(bytes: &[u8]) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(bytes)
}

/// The bytes behind unpadded base64url, or `None` when it is not that.
pub(crate) fn from_base64url(text: &str) -> Option<Vec<u8>> {
    BASE64_URL_SAFE_NO_PAD.decode(text).ok()
}

/// Lower-case hex.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Sixty-four bits that differ from one call to the next.
pub(crate) fn random_u64() -> u64 {
    RandomState::new().build_hasher().finish()
}

/// A random name of 24 characters that stand in a URL as they are.
pub(crate) fn random_name() -> String {
    let bytes: Vec<u8> = std::iter::repeat_with(random_u64).take(3).flat_map(u64::to_be_bytes).collect();
    base64url(bytes.get(..18).unwrap_or(&bytes))
}
