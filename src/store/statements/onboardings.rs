//! The SQL of onboardings: what was asked for in one, and when there is nothing left to do.
//!
//! Owns the text for both engines from one source. Those of a command's expansion run in one transaction, in
//! the order of their names here; the first is a write, so that two of them are in line.

super::by_name! {
/// The statements of one engine.
pub(in crate::store) struct OnboardingStatements {
    /// Makes sure that a command is still ours, and stays so until the end of the transaction. `$1` id, `$2`
    /// fence.
    pub(in crate::store) hold: &'static str,
    /// The onboarding that a command's sources were put into, if they were. `$1` its id.
    pub(in crate::store) expanded: &'static str,
    /// Begins one, unless the same customer's is open in the channel. `$1` id, `$2` workspace, `$3` channel,
    /// `$4` customer, `$5` requester, `$6` now.
    pub(in crate::store) begin: &'static str,
    /// The one that is open for a customer in a channel, and stays so until the end of the transaction. `$1`
    /// channel, `$2` customer.
    pub(in crate::store) open: &'static str,
    /// The same if its message stands in the channel, for whatever is asked for by itself.
    pub(in crate::store) open_shown: &'static str,
    /// Makes its message. `$1` the message's id, `$2` the onboarding's, `$3` requester, `$4` now.
    pub(in crate::store) begin_message: &'static str,
    /// Puts sources into one. `$1` rows.
    pub(in crate::store) new_sources: &'static str,
    /// One, and where its message stands. `$1` id.
    pub(in crate::store) onboarding: &'static str,
    /// What was asked for in it, in order, with the commands that are still there. `$1` id.
    pub(in crate::store) sources: &'static str,
    /// Holds it, so that nobody adds to it until the end of the transaction. `$1` id.
    pub(in crate::store) hold_onboarding: &'static str,
    /// Notes that nothing in it is left to do, if that is so. `$1` id, `$2` its message's id, `$3` now.
    pub(in crate::store) finish: &'static str,
    /// Notes that its thread has heard of that. `$1` id.
    pub(in crate::store) told: &'static str,
    /// Deletes the sources of those that were done before `$1` and whose message is forgotten, of `$2` at
    /// the most.
    pub(in crate::store) purge_sources: &'static str,
    /// Deletes these themselves, likewise.
    pub(in crate::store) purge_onboardings: &'static str,
}
}

macro_rules! onboarding_statements {
    (sources: $sources:literal, one_of: $one_of:literal, end: $end:literal) => {
        OnboardingStatements {
            hold: "UPDATE command SET tries = tries WHERE id = $1 AND fence = $2 AND ended_at IS NULL",
            expanded: "SELECT onboarding FROM source WHERE parent = $1 LIMIT 1",
            begin: "INSERT INTO onboarding (id, team_id, channel_id, customer, requester, opened_at) \
                    VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING",
            open: "UPDATE onboarding SET opened_at = opened_at WHERE channel_id = $1 AND customer = $2 AND done_at IS NULL \
                   RETURNING id",
            open_shown: "SELECT o.id, m.place_channel, m.place_ts FROM onboarding AS o JOIN message AS m ON m.onboarding = o.id \
                         WHERE o.channel_id = $1 AND o.customer = $2 AND o.done_at IS NULL AND m.place_ts IS NOT NULL",
            // Its message may be forgotten as soon as nothing stands in it.
            begin_message: "INSERT INTO message (id, group_id, name, link, requester, wanted, shown, tries, posted_at, \
                            left_at, onboarding) VALUES ($1, '', '', $2, $3, 1, 1, 0, $4, $4, $2) ON CONFLICT (id) DO NOTHING",
            new_sources: concat!(
                "INSERT INTO source (command, onboarding, parent, at, place, service_name, group_id, name) \
                 SELECT v.command, v.onboarding, v.parent, v.at, v.place, v.service_name, v.group_id, v.name FROM ",
                $sources, " WHERE true ON CONFLICT (command) DO NOTHING"
            ),
            onboarding: "SELECT o.id, o.team_id, o.channel_id, o.customer, o.requester, o.opened_at, o.done_at, o.told, m.id AS message, \
                         m.place_channel, m.place_ts FROM onboarding AS o LEFT JOIN message AS m ON m.onboarding = o.id \
                         WHERE o.id = $1",
            sources: "SELECT s.command, s.parent, s.service_name, s.group_id, s.name, k.request, k.problem, \
                      CAST(CASE WHEN k.id IS NOT NULL AND k.ended_at IS NULL THEN 1 ELSE 0 END AS BIGINT) AS open \
                      FROM source AS s LEFT JOIN command AS k ON k.id = s.command WHERE s.onboarding = $1 \
                      ORDER BY s.at, s.place, s.command",
            hold_onboarding: "UPDATE onboarding SET opened_at = opened_at WHERE id = $1",
            finish: "UPDATE onboarding SET done_at = $3 WHERE id = $1 AND done_at IS NULL \
                     AND (SELECT count(*) FROM connection AS c WHERE c.message = $2 AND c.state IN ('waiting', 'expired', 'replaced')) = 0 \
                     AND (SELECT count(*) FROM source AS s JOIN command AS k ON k.id = s.command \
                     WHERE s.onboarding = $1 AND k.ended_at IS NULL) = 0",
            told: "UPDATE onboarding SET told = 1 WHERE id = $1",
            purge_sources: concat!(
                "DELETE FROM source WHERE onboarding", $one_of, "SELECT o.id FROM onboarding AS o WHERE o.done_at < $1 \
                 AND (SELECT count(*) FROM message AS m WHERE m.onboarding = o.id) = 0 ORDER BY o.done_at LIMIT $2", $end
            ),
            purge_onboardings: concat!(
                "DELETE FROM onboarding WHERE id", $one_of, "SELECT o.id FROM onboarding AS o WHERE o.done_at < $1 \
                 AND (SELECT count(*) FROM message AS m WHERE m.onboarding = o.id) = 0 ORDER BY o.done_at LIMIT $2", $end
            ),
        }
    };
}

pub(super) const SQLITE: OnboardingStatements = onboarding_statements! {
    sources: "(SELECT value ->> 'command' AS command, value ->> 'onboarding' AS onboarding, value ->> 'parent' AS parent, \
              value ->> 'at' AS at, value ->> 'place' AS place, value ->> 'service_name' AS service_name, \
              value ->> 'group_id' AS group_id, value ->> 'name' AS name FROM jsonb_each($1)) AS v",
    one_of: " IN (",
    end: ")"
};

pub(super) const POSTGRES: OnboardingStatements = onboarding_statements! {
    sources: "json_to_recordset($1::json) AS v(command text, onboarding text, parent text, at bigint, place bigint, \
              service_name text, group_id text, name text)",
    one_of: " = ANY (ARRAY(",
    end: "))"
};
