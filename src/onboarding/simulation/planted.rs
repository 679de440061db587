//! Whether the simulator sees: faults that are planted on purpose, each of which a few worlds must show.
//!
//! Owns the faults, how soon each is found, and by what. They are in the models and in the mirrors, where the code that they
//! stand for has its conditions; nothing of them is in the program.

/// A fault that a world is lived with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// Whoever joins does not ask whether the onboarding is still open.
    JoinsWhatIsDone,
    /// The thread is told of the end, and nobody notes it.
    EndNotNoted,
    /// Who has lost a command goes on recording how it stands.
    NoFence,
    /// The link on show is not taken back before another one is posted.
    NotTakenBack,
    /// A message that Slack does not take is not brought up again.
    EditGivenUp,
    /// Whoever is told alone that something is broken hears that it works again.
    WrongWord,
    /// What was sent and not answered is sent again without a look.
    NoLook,
}

/// Worlds within which each is found: several times as many as the rarest takes.
pub(super) const WORLDS: u64 = 20_000;
/// All of them.
pub(super) const FAULTS: [Fault; 7] = [
    Fault::JoinsWhatIsDone,
    Fault::EndNotNoted,
    Fault::NoFence,
    Fault::NotTakenBack,
    Fault::EditGivenUp,
    Fault::WrongWord,
    Fault::NoLook,
];

impl Fault {
    /// What a violation says that is of this fault's making.
    pub(super) fn is_seen_by(self) -> &'static str {
        match self {
            Self::JoinsWhatIsDone => "joins what was done",
            Self::EndNotNoted => "its thread has not heard of it",
            Self::NoFence => "by nobody",
            Self::NotTakenBack => "links of connection",
            Self::EditGivenUp => "wait for something else to happen",
            Self::WrongWord => "is told Recovered of connection",
            Self::NoLook => "two connections bear the name",
        }
    }

    /// Whether only a world in which people ask for several sources can show it.
    pub(super) fn is_of_several(self) -> bool {
        matches!(self, Self::JoinsWhatIsDone | Self::EndNotNoted)
    }
}
