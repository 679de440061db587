//! What the bot has Fivetran provide for a customer.
//!
//! Owns where the customer's browser lands once the Connect Card is done. Must not know Slack or
//! a sentence that anybody reads.

mod landing;

pub use landing::Landing;
