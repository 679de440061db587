//! The values of the metrics' labels.
//!
//! Owns their names, in metrics and log lines alike. Each is an enum, so that nothing from outside can
//! ever add a series. Must not know what is measured.

use std::fmt;

use prometheus_client::encoding::{EncodeLabelValue, LabelValueEncoder};

/// How a request to one of our routes was answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Answer {
    /// A command was committed and acknowledged.
    Accepted,
    /// The acknowledgement itself was the whole answer (help, a usage error, "already on it").
    Replied,
    /// The database could not take the command in time; the person was told so.
    NotAccepted,
    /// Refused before anything was read from it: signature, size, time, shape.
    Refused,
}

/// How a command ended.
#[derive(Clone, PartialEq, Eq, Hash)]
pub enum Ending {
    /// The link reached the channel.
    Delivered,
    /// The person was told why there is no link.
    Told,
    /// Slack could not be reached in time.
    Undeliverable,
}

/// The outside party that was called.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Party {
    /// `api.fivetran.com`.
    Fivetran,
    /// Slack's Web API or a response_url.
    Slack,
}

/// Why a socket to Slack has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SocketEnd {
    /// Slack asked for it, or the bot shuts down.
    Asked,
    /// Slack closed it without a word.
    Closed,
    /// Nothing was heard on it for too long.
    Stale,
    /// Slack refused to open it.
    Refused,
    /// The network failed, before it was open or while it was.
    Failed,
}

/// One name for each value; the endings' are the database's.
macro_rules! labels {
    ($label:ident: $($value:ident = $name:literal),+) => {
        impl $label {
            /// Every one.
            pub const ALL: &[Self] = &[$(Self::$value),+];

            /// Its name in metrics and log lines.
            #[must_use]
            pub const fn name(&self) -> &'static str {
                match self {
                    $(Self::$value => $name),+
                }
            }
        }

        impl EncodeLabelValue for $label {
            fn encode(&self, encoder: &mut LabelValueEncoder<'_>) -> fmt::Result {
                EncodeLabelValue::encode(&self.name(), encoder)
            }
        }
    };
}

labels!(Answer: Accepted = "accepted", Replied = "replied", NotAccepted = "not_accepted", Refused = "refused");
labels!(Ending: Delivered = "delivered", Told = "told", Undeliverable = "undeliverable");
labels!(Party: Fivetran = "fivetran", Slack = "slack");
labels!(SocketEnd: Asked = "asked", Closed = "closed", Stale = "stale", Refused = "refused", Failed = "failed");

/// As it stands in the audit line.
impl fmt::Debug for Ending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
