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
    /// The other organisations that share it.
    pub(crate) shared_with: Vec<String>,
    /// Those that were asked to, and have not accepted yet.
    pub(crate) invited: Vec<String>,
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

    pub(crate) fn is_shared(&self) -> bool {
        !self.shared_with.is_empty()
    }

    /// As `conversations.info` tells it. Workspaces of the organisation, which all see every channel here,
    /// are its own; to others the organisation is one party, with its own id:
    /// docs.slack.dev, objects/conversation-object.
    pub(crate) fn to_json(&self, organisation: Organisation) -> Value {
        let (own, workspaces): (_, &[&str]) = match organisation {
            Organisation::None => (TEAM_ID, &[TEAM_ID]),
            Organisation::Joined | Organisation::Whole => (ENTERPRISE_ID, &[TEAM_ID, SIBLING_TEAM_ID]),
        };
        let in_organisation = organisation != Organisation::None && !self.is_im;
        let mut channel = json!({
            "id": self.id, "name": self.name, "is_channel": !self.is_im, "is_group": false,
            "is_im": self.is_im, "is_mpim": self.is_mpim, "is_private": self.is_private,
            "is_archived": self.is_archived, "is_general": false, "is_member": self.has_bot,
            "is_shared": in_organisation || self.is_shared(), "is_ext_shared": self.is_shared(),
            "is_org_shared": in_organisation, "is_pending_ext_shared": !self.invited.is_empty(),
            "pending_shared": self.invited, "pending_connected_team_ids": self.invited,
            "shared_team_ids": workspaces, "internal_team_ids": workspaces,
            "context_team_id": TEAM_ID, "is_frozen": false,
        });
        if self.is_shared() {
            // As in slack-go's sample: the host is among those that are connected.
            let parties = std::iter::once(own).chain(self.shared_with.iter().map(String::as_str));
            channel["connected_team_ids"] = parties.collect();
            channel["conversation_host_id"] = json!(own);
        }
        channel
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
            shared_with: Vec::new(),
            invited: Vec::new(),
            has_bot: true,
            is_archived: false,
        };
        let shared = || vec![OTHER_TEAM_ID.to_owned()];
        let channels = [
            channel("C0CUSTOMER", "customer-acme"),
            Channel { is_private: true, has_bot: false, ..channel("C0PRIVATE", "leadership") },
            Channel { shared_with: shared(), ..channel("C0SHARED", "shared-acme") },
            Channel { shared_with: shared(), ..channel("C0GLOBEX", "ext-globex") },
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
                    shared_with: Vec::new(),
                    invited: Vec::new(),
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

    /// Other organisations come to share a channel, and others are asked to.
    pub(crate) fn share(&mut self, channel: &str, with: &[&str], invited: &[&str]) {
        let owned = |ids: &[&str]| ids.iter().map(|&id| id.to_owned()).collect();
        if let Some(channel) = self.channels.get_mut(channel) {
            (channel.shared_with, channel.invited) = (owned(with), owned(invited));
        }
    }

    /// Whether a person can see a channel; outsiders only see the shared one.
    pub(crate) fn sees(&self, user: &str, channel: &Channel) -> bool {
        let inside = |user: &User| match self.organisation {
            Organisation::None => !user.is_outside(),
            Organisation::Joined | Organisation::Whole => user.is_of_the_organisation(),
        };
        self.user(user).is_some_and(|user| inside(user) || channel.is_shared())
    }
}
