//! What App Home reads, and the conditions by which it reads no more.

use super::super::Wanted;
use super::changes::Changes;
use super::connections::{but, in_state};
use super::scene::{Outcome, Scene, at, keep, same};
use crate::life::State;

/// The conditions of what it reads.
pub(super) const CHANGES: Changes = &[(
    "a_home_lists_ones_own_or_everybodys_most_urgent_first",
    &[
        ("of_requester", "c.requester = $2", "$2 = $2"),
        ("of_requester", "c.urgency >= $3", "$3 = $3"),
        ("of_requester", "c.urgency < $4", "$4 = $4"),
        ("of_requester", "c.team_id = $1", "$1 = $1"),
        ("of_requester", "c.team_id = $1", "false"),
        ("of_requester", "(c.team_id LIKE 'E%') <> ($1 LIKE 'E%')", "false"),
        ("of_requester", "ORDER BY c.urgency, ", "ORDER BY "),
        ("of_requester", "c.expires_at, c.name LIMIT", "c.name LIMIT"),
        ("of_requester", "LIMIT $6", "LIMIT 100"),
        ("of_requester", " OFFSET $5", ""),
        ("short_of_requester", "m.id = c.message", "true"),
        ("short_of_requester", "c.requester = $2", "$2 = $2"),
        ("short_of_requester", "c.urgency >= $3", "$3 = $3"),
        ("short_of_requester", "c.urgency < $4", "$4 = $4"),
        ("short_of_requester", "c.team_id = $1", "$1 = $1"),
        ("short_of_requester", "c.team_id = $1", "false"),
        ("short_of_requester", "(c.team_id LIKE 'E%') <> ($1 LIKE 'E%')", "false"),
        ("short_of_requester", "ORDER BY c.urgency, ", "ORDER BY "),
        ("short_of_requester", "c.expires_at, c.name LIMIT", "c.name LIMIT"),
        ("short_of_requester", " LIMIT $5", ""),
        ("of_house", "c.urgency >= $2", "$2 = $2"),
        ("of_house", "c.urgency < $3", "$3 = $3"),
        ("of_house", "c.team_id = $1", "$1 = $1"),
        ("of_house", "c.team_id = $1", "false"),
        ("of_house", "(c.team_id LIKE 'E%') <> ($1 LIKE 'E%')", "false"),
        ("of_house", "ORDER BY c.urgency, ", "ORDER BY "),
        ("of_house", "c.expires_at, c.name LIMIT", "c.name LIMIT"),
        ("of_house", "LIMIT $5", "LIMIT 100"),
        ("of_house", " OFFSET $4", ""),
        ("short_of_house", "m.id = c.message", "true"),
        ("short_of_house", "c.urgency >= $2", "$2 = $2"),
        ("short_of_house", "c.urgency < $3", "$3 = $3"),
        ("short_of_house", "c.team_id = $1", "$1 = $1"),
        ("short_of_house", "c.team_id = $1", "false"),
        ("short_of_house", "(c.team_id LIKE 'E%') <> ($1 LIKE 'E%')", "false"),
        ("short_of_house", "ORDER BY c.urgency, ", "ORDER BY "),
        ("short_of_house", "c.expires_at, c.name LIMIT", "c.name LIMIT"),
        ("short_of_house", " LIMIT $4", ""),
    ],
)];

pub(super) async fn a_home_lists_ones_own_or_everybodys_most_urgent_first(scene: &Scene) -> Outcome {
    let mine = |name, state, ms| {
        but(in_state("g", name, state), |it| {
            it.link.requester = Some("M".to_owned());
            it.link.expires_at = at(ms);
        })
    };
    for it in [
        mine("d_connected", State::Connected, 100_000),
        mine("b_waiting", State::Waiting, 200_000),
        but(mine("c_waiting", State::Waiting, 100_000), |it| it.link.channel_id = "D".to_owned()),
        mine("z_broken", State::Broken, 100_000),
        mine("a_gone", State::Gone, 100_000),
        but(mine("abroad", State::Broken, 100_000), |it| it.link.team_id = "S".to_owned()),
        in_state("g", "another", State::Expired),
    ] {
        keep(scene, &it).await?;
    }
    let wanted = |team: &str, requester: Option<&str>, urgencies| Wanted {
        team_id: team.to_owned(),
        requester: requester.map(str::to_owned),
        urgencies,
    };
    let list = async |wanted: &Wanted, skip, limit| -> Outcome<Vec<String>> {
        let links = scene.a.links_of_home(wanted, skip, limit).await?;
        Ok(links.into_iter().map(|link| link.id).collect())
    };
    let short = async |wanted: &Wanted, limit| -> Outcome<Vec<String>> {
        let links = scene.a.links_in_short(wanted, limit).await?;
        Ok(links.into_iter().map(|it| format!("{}_{}", it.key.group_id, it.key.name)).collect())
    };
    let own = wanted("T", Some("M"), 0..9);
    let all = ["g_z_broken", "g_c_waiting", "g_b_waiting", "g_d_connected"];
    let everybodys = ["g_z_broken", "g_another", "g_c_waiting", "g_b_waiting", "g_d_connected"];
    for (requester, all) in [(Some("M"), all.as_slice()), (None, &everybodys)] {
        let wanted = |team, urgencies| wanted(team, requester, urgencies);
        same!(list(&wanted("T", 0..9), 0, 9).await?, all);
        same!(list(&wanted("T", 0..9), 1, 2).await?, all[1..3]);
        same!(list(&wanted("T", 2..3), 0, 9).await?, ["g_c_waiting", "g_b_waiting"]);
        same!(short(&wanted("T", 0..9), 99).await?, all);
        same!(short(&wanted("T", 0..9), 3).await?, all[..3]);
        same!(short(&wanted("T", 2..3), 99).await?, ["g_c_waiting", "g_b_waiting"]);
        // An organisation may be of every workspace, and the reverse; another organisation is none of it.
        same!(short(&wanted("E", 0..9), 99).await?.len(), all.len() + 1);
        same!(list(&wanted("E", 0..9), 0, 9).await?.len(), all.len() + 1);
    }
    scene.run("UPDATE connection SET team_id = 'E1' WHERE team_id = 'T'").await?;
    for requester in [Some("M"), None] {
        let wanted = wanted("E2", requester, 0..9);
        same!(short(&wanted, 99).await?.len(), 1);
        same!(list(&wanted, 0, 9).await?.len(), 1);
    }
    same!(list(&own, 0, 9).await?, all);
    // A source knows its onboarding by its message, and nothing else does.
    scene.run("INSERT INTO message (id, group_id, name, link, requester, wanted, shown, tries, posted_at, onboarding) \
               SELECT message, '', '', 'o', 'M', 1, 1, 0, 1, 'o' FROM connection WHERE name = 'c_waiting'").await?;
    for requester in [Some("M"), None] {
        let wanted = wanted("T", requester, 0..9);
        let of: Vec<_> = scene.a.links_in_short(&wanted, 99).await?;
        let of: Vec<_> = of.into_iter().filter_map(|it| Some((it.key.name, it.onboarding?))).collect();
        same!(of, [("c_waiting".to_owned(), "o".to_owned())]);
    }
    Ok(())
}
