//! The sources of an onboarding, put together from what is stored of them.
//!
//! Owns which rows make one source. Pure.

use super::Source;
use crate::journal::Notice;
use crate::life::Connection;
use crate::work::{Key, Work};

/// A source as somebody asked for it.
pub struct Asked {
    /// The command in which that was.
    pub parent: String,
    /// The service's display name.
    pub service_name: String,
    /// What names its connection.
    pub key: Key,
    /// Why it was not made, and what was asked for.
    pub refused: Option<(Notice, Work)>,
    /// Whether its own command is still open.
    pub under_way: bool,
}

/// What was asked for, each connection once, with how it stands. Those that were put into the message by
/// themselves follow.
#[must_use]
pub fn together(asked: Vec<Asked>, mut connections: Vec<Connection>) -> Vec<Source> {
    let mut sources: Vec<Source> = Vec::new();
    for Asked { parent, service_name, key, refused, under_way } in asked {
        match sources.iter_mut().find(|source| source.key == key) {
            Some(source) => {
                source.parents.push(parent);
                source.under_way |= under_way;
                source.refused = refused;
            }
            None => {
                let parents = vec![parent];
                sources.push(Source { service_name, key, parents, under_way, refused, link: None });
            }
        }
    }
    connections.sort_by_key(|connection| connection.link.posted_at);
    for connection in connections {
        match sources.iter_mut().find(|source| source.key == connection.key) {
            Some(source) => source.link = Some(connection.link),
            None => sources.push(Source {
                service_name: connection.link.request.service_name.clone(),
                key: connection.key,
                parents: Vec::new(),
                under_way: false,
                refused: None,
                link: Some(connection.link),
            }),
        }
    }
    sources
}
