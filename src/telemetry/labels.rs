//! The values of the metrics' labels.
//!
//! Owns their names, in metrics and log lines alike. Each is an enum, so that nothing from outside can
//! ever add a series. Must not know what is measured.

use std::fmt;

use prometheus_client::encoding::{EncodeLabelValue, LabelValueEncoder};

use crate::outbound::CallError;

/// How a request to one of our routes was answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Answer {
    /// A command was committed and acknowledged.
    Accepted,
    /// The acknowledgement itself was the whole answer (help, a usage error, "already on it").
    Replied,
    /// The database could not take the command in time; the person was told so.
    NotAccepted,
    /// There was too much of it, from one person or in all; the person was told so.
    TooMuch,
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

/// What an outside party was called for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Operation {
    /// `POST /v1/connections`
    Create,
    /// `GET /v1/connections?group_id&schema`
    Look,
    /// `GET /v1/connections?group_id`
    List,
    /// `GET /v1/connections/{id}`
    See,
    /// `DELETE /v1/connections/{id}`
    Delete,
    /// `POST /v1/connections/{id}/sync`
    Sync,
    /// `POST /v1/connections/{id}/connect-card`
    Card,
    /// `GET /public/connector-types`
    Catalogue,
    /// `GET /v1/metadata/connector-types/{service}`
    Metadata,
    /// `GET /v1/account/info`
    Account,
    /// `GET /v1/groups/{id}`
    Group,
    /// `chat.postMessage`
    Post,
    /// `chat.update`
    Update,
    /// `chat.postEphemeral`
    PostEphemeral,
    /// `views.open`
    OpenView,
    /// `views.update`
    UpdateView,
    /// `views.publish`
    PublishView,
    /// `files.getUploadURLExternal`
    UploadUrl,
    /// A file's bytes, to the address that Slack gave for them.
    Upload,
    /// `files.completeUploadExternal`
    CompleteUpload,
    /// `auth.test`
    AuthTest,
    /// `bots.info`
    BotInfo,
    /// `users.info`
    UserInfo,
    /// `conversations.info`
    ConversationInfo,
    /// `usergroups.users.list`
    GroupMembers,
    /// `apps.connections.open`
    OpenSocket,
    /// A response_url.
    ResponseUrl,
}

impl Operation {
    /// Whom it calls.
    #[must_use]
    pub const fn party(self) -> Party {
        match self {
            Self::Create
            | Self::Look
            | Self::List
            | Self::See
            | Self::Delete
            | Self::Sync
            | Self::Card
            | Self::Catalogue
            | Self::Metadata
            | Self::Account
            | Self::Group => Party::Fivetran,
            Self::Post
            | Self::Update
            | Self::PostEphemeral
            | Self::OpenView
            | Self::UpdateView
            | Self::PublishView
            | Self::UploadUrl
            | Self::Upload
            | Self::CompleteUpload
            | Self::AuthTest
            | Self::BotInfo
            | Self::UserInfo
            | Self::ConversationInfo
            | Self::GroupMembers
            | Self::OpenSocket
            | Self::ResponseUrl => Party::Slack,
        }
    }

    /// The one of that name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|operation| operation.name() == name)
    }
}

/// What a call came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CallOutcome {
    /// It worked.
    Ok,
    /// The party said no.
    Refused,
    /// The party asks for a pause.
    Limited,
    /// No usable answer: a failure of the party's own, a connection that broke off, or somebody else's
    /// words.
    Failed,
    /// Nothing was sent.
    Unreachable,
    /// There was no answer for as long as it was waited for.
    Timeout,
}

impl CallOutcome {
    /// Of a call without an answer.
    #[must_use]
    pub fn without_answer(error: &CallError) -> Self {
        match error {
            CallError::NotSent(_) | CallError::Barred(_) => Self::Unreachable,
            error if error.is_timeout() => Self::Timeout,
            CallError::Unanswered(_) | CallError::TooLarge(_) => Self::Failed,
        }
    }
}

/// How the list of a destination's connections was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SweepOutcome {
    /// To its end.
    Ok,
    /// Fivetran asks for a pause.
    Limited,
    /// Not, for another reason.
    Failed,
}

/// Who puts many rows into one commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Writer {
    /// New commands.
    Accept,
    /// What became of commands and connections.
    Change,
}

/// How far an open command has come, as the database names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum OpenStage {
    /// Something is to be done at Fivetran.
    Create,
    /// The link has to reach its channel.
    Deliver,
    /// The person has to be told what came of it.
    Tell,
    /// What only another release knows.
    Unknown,
}

impl OpenStage {
    /// The one that the database names so.
    #[must_use]
    pub fn named(name: &str) -> Self {
        Self::ALL.iter().copied().find(|stage| stage.name() == name).unwrap_or(Self::Unknown)
    }
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

labels!(Answer: Accepted = "accepted", Replied = "replied", NotAccepted = "not_accepted", TooMuch = "too_much", Refused = "refused");
labels!(Ending: Delivered = "delivered", Told = "told", Undeliverable = "undeliverable");
labels!(Party: Fivetran = "fivetran", Slack = "slack");
labels!(Operation: Create = "create", Look = "look", List = "list", See = "see", Delete = "delete", Sync = "sync",
    Card = "card", Catalogue = "catalogue", Metadata = "metadata", Account = "account", Group = "group",
    Post = "chat.postMessage", Update = "chat.update", PostEphemeral = "chat.postEphemeral",
    OpenView = "views.open", UpdateView = "views.update", PublishView = "views.publish", UploadUrl = "files.getUploadURLExternal",
    Upload = "upload", CompleteUpload = "files.completeUploadExternal", AuthTest = "auth.test", BotInfo = "bots.info", UserInfo = "users.info",
    ConversationInfo = "conversations.info",
    GroupMembers = "usergroups.users.list", OpenSocket = "apps.connections.open", ResponseUrl = "response_url");
labels!(CallOutcome: Ok = "ok", Refused = "refused", Limited = "limited", Failed = "failed",
    Unreachable = "unreachable", Timeout = "timeout");
labels!(SweepOutcome: Ok = "ok", Limited = "limited", Failed = "failed");
labels!(Writer: Accept = "accept", Change = "change");
labels!(OpenStage: Create = "create", Deliver = "deliver", Tell = "tell", Unknown = "unknown");
labels!(SocketEnd: Asked = "asked", Closed = "closed", Stale = "stale", Refused = "refused", Failed = "failed");

/// As it stands in the audit line.
impl fmt::Debug for Ending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
