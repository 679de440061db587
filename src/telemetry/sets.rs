//! The label sets of the metrics.
//!
//! Owns which labels go together on one series; their values are `labels`'. Must not know what is measured.

use prometheus_client::encoding::EncodeLabelSet;

use super::labels::{
    Answer, CallOutcome, Ending, OpenStage, Operation, Party, SocketEnd, SweepOutcome, Writer,
};

/// Label set of the answers.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct AnswerLabel {
    pub(super) answer: Answer,
}

/// Label set of the endings.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct EndingLabel {
    pub(super) ending: Ending,
}

/// Label set of what belongs to one party.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct PartyLabel {
    pub(super) party: Party,
}

/// Label set of the calls.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct CallLabel {
    pub(super) party: Party,
    pub(super) call: Operation,
    pub(super) outcome: CallOutcome,
}

impl CallLabel {
    pub(super) fn of(call: Operation, outcome: CallOutcome) -> Self {
        Self { party: call.party(), call, outcome }
    }
}

/// Label set of the open commands.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct StageLabel {
    pub(super) stage: OpenStage,
}

/// Label set of the lists that were read.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct SweepLabel {
    pub(super) outcome: SweepOutcome,
}

/// Label set of the commits.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct WriterLabel {
    pub(super) writer: Writer,
}

/// Label set of the sockets that have ended.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct SocketEndLabel {
    pub(super) reason: SocketEnd,
}

/// Label set of what this program is.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct BuildLabel {
    pub(super) version: &'static str,
}

/// Label set of the keys.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct KeyLabel {
    pub(super) key: &'static str,
}
