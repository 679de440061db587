//! The workspace: its people and channels, and who is where.
//!
//! Owns users, channels and groups. Must not know messages.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::{BOT_USER_ID, ENTERPRISE_ID, OTHER_TEAM_ID, SIBLING_TEAM_ID, TEAM_ID};

#[derive(Debug, Clone)]
pub(crate) struct User {
    pub(crate) id: &'static str,
    pub(crate) name: &'static str,
    pub(crate) team: &'static str,
    restricted: bool,
}

impl User {
    pub(crate) fn is_outside(&self) -> bool {
        self.team != TEAM_ID
    }

    fn is_of_the_organisation(&self) -> bool {
        [TEAM_ID, SIBLING_TEAM_ID].contains(&self.team)
    }

    /// As `users.info` tells it in this organisation. Nobody here is a stranger: that is who shares no
    /// channel with the bot, and there is one that is shared with everybody's workspace.
    pub(crate) fn to_json(&self, organisation: Organisation) -> Value {
        let mut user = json!({
            "id": self.id, "team_id": self.team, "name": self.name, "real_name": self.name,
            "deleted": false, "is_bot": false, "is_admin": false, "is_owner": false,
            "is_restricted": self.restricted, "is_ultra_restricted": false,
            "tz": "Etc/UTC", "tz_offset": 0,
            "profile": { "real_name": self.name, "display_name": self.name },
        });
        if self.is_outside() {
            user["is_stranger"] = json!(false);
        }
        if organisation != Organisation::None && self.is_of_the_organisation() {
            user["enterprise_user"] = json!({
                "id": self.id, "enterprise_id": ENTERPRISE_ID, "enterprise_name": "Organisation",
                "is_admin": false, "is_owner": false, "teams": [self.team],
            });
        }
        user
    }
}

/// Whether the workspace is in an Enterprise organisation, and where the app is installed then.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Organisation {
    /// In none.
    None,
    /// The app is in the workspace.
    Joined,
    /// The app is in the whole organisation.
    Whole,
}

#[derive(Debug, Clone)]
pub(crate) struct Channel {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) is_private: bool,
    pub(crate) is_im: bool,
    /// A direct message between more than two.
    pub(crate) is_mpim: bool,
    pub(crate) is_shared: bool,
    pub(crate) has_bot: bool,
    pub(crate) is_archived: bool,
}

impl Channel {
    /// The name that a slash command's form tells.
    pub(crate) fn form_name(&self) -> &str {
        match (self.is_im, self.is_private && !self.is_mpim) {
            (true, _) => "directmessage",
            (_, true) => "privategroup",
            _ => &self.name,
        }
    }

    /// The scope which reading it takes.
    pub(crate) fn read_scope(&self) -> &'static str {
        match (self.is_im, self.is_private) {
            _ if self.is_mpim => "mpim:read",
            (true, _) => "im:read",
            (_, true) => "groups:read",
            _ => "channels:read",
        }
    }

    pub(crate) fn to_json(&self) -> Value {
        json!({
            "id": self.id, "name": self.name, "is_channel": !self.is_im, "is_group": false,
            "is_im": self.is_im, "is_mpim": self.is_mpim, "is_private": self.is_private,
            "is_archived": self.is_archived, "is_general": false, "is_member": self.has_bot,
            "is_shared": self.is_shared, "is_ext_shared": self.is_shared, "is_org_shared": false,
            "is_pending_ext_shared": false, "pending_connected_team_ids": [],
            "shared_team_ids": if self.is_shared { vec![TEAM_ID, OTHER_TEAM_ID] } else { vec![TEAM_ID] },
            "context_team_id": TEAM_ID, "is_frozen": false,
        })
    }
}

#[derive(Debug)]
pub(crate) struct Directory {
    users: Vec<User>,
    channels: BTreeMap<String, Channel>,
    pub(crate) organisation: Organisation,
    pub(crate) groups: BTreeMap<String, BTreeSet<String>>,
}

impl Directory {
    pub(crate) fn new() -> Self {
        let user = |id, name, team, restricted| User { id, name, team, restricted };
        let channel = |id: &str, name: &str| Channel {
            id: id.to_owned(),
            name: name.to_owned(),
            is_private: false,
            is_im: false,
            is_mpim: false,
            is_shared: false,
            has_bot: true,
            is_archived: false,
        };
        let channels = [
            channel("C0CUSTOMER", "customer-acme"),
            Channel { is_private: true, has_bot: false, ..channel("C0PRIVATE", "leadership") },
            Channel { is_shared: true, ..channel("C0SHARED", "shared-acme") },
            Channel { is_shared: true, ..channel("C0GLOBEX", "ext-globex") },
            Channel { is_private: true, ..channel("C0AUDIT", "connect-card-audit") },
            Channel { is_private: true, is_im: true, has_bot: false, ..channel("D0PAIR", "") },
            Channel {
                is_private: true,
                is_mpim: true,
                has_bot: false,
                ..channel("G0TRIO", "mpdm-alice--bob--guest-1")
            },
        ];
        Self {
            users: vec![
                user("U0ALICE", "alice", TEAM_ID, false),
                user("U0BOB", "bob", TEAM_ID, false),
                user("U0GUEST", "guest", TEAM_ID, true),
                user("U0OUTSIDER", "outsider", OTHER_TEAM_ID, false),
                user("W0SIBLING", "sibling", SIBLING_TEAM_ID, false),
                user(BOT_USER_ID, "connect-card", TEAM_ID, false),
            ],
            channels: channels.into_iter().map(|channel| (channel.id.clone(), channel)).collect(),
            organisation: Organisation::None,
            groups: BTreeMap::from([("S0SETUP".to_owned(), BTreeSet::from(["U0ALICE".to_owned()]))]),
        }
    }

    pub(crate) fn user(&self, id: &str) -> Option<&User> {
        self.users.iter().find(|user| user.id == id)
    }

    pub(crate) fn channel(&self, id: &str) -> Option<&Channel> {
        self.channels.get(id)
    }

    /// The channel behind an id; a user's id opens the direct message with that user.
    pub(crate) fn open(&mut self, id: &str) -> Option<&Channel> {
        let id = match self.user(id) {
            Some(user) => {
                let direct = format!("D{}", user.id.trim_start_matches('U'));
                self.channels.entry(direct.clone()).or_insert_with(|| Channel {
                    id: direct.clone(),
                    name: String::new(),
                    is_private: true,
                    is_im: true,
                    is_mpim: false,
                    is_shared: false,
                    has_bot: true,
                    is_archived: false,
                });
                direct
            }
            None => id.to_owned(),
        };
        self.channels.get(&id)
    }

    pub(crate) fn join(&mut self, channel: &str) {
        if let Some(channel) = self.channels.get_mut(channel) {
            channel.has_bot = true;
        }
    }

    pub(crate) fn archive(&mut self, channel: &str) {
        if let Some(channel) = self.channels.get_mut(channel) {
            channel.is_archived = true;
        }
    }

    /// Whether a person can see a channel; outsiders only see the shared one.
    pub(crate) fn sees(&self, user: &str, channel: &Channel) -> bool {
        let inside = |user: &User| match self.organisation {
            Organisation::None => !user.is_outside(),
            Organisation::Joined | Organisation::Whole => user.is_of_the_organisation(),
        };
        self.user(user).is_some_and(|user| inside(user) || channel.is_shared)
    }
}
