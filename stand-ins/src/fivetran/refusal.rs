//! How Fivetran says no: a status, a code and a sentence.
//!
//! Owns their shape. Must not know what is refused.

/// A refusal in Fivetran's own words.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) status: u16,
    pub(crate) code: &'static str,
    pub(crate) message: String,
}

impl Refusal {
    pub(crate) fn new(status: u16, code: &'static str, message: impl Into<String>) -> Self {
        Self { status, code, message: message.into() }
    }

    pub(crate) fn invalid(message: impl Into<String>) -> Self {
        Self::new(400, "InvalidInput", message)
    }

    pub(crate) fn not_found(code: &'static str, entity: &str, id: &str) -> Self {
        Self::new(404, code, format!("Cannot find entity '{entity}' with id '{id}'"))
    }
}
