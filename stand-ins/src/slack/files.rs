//! Slack's files: an address for bytes, the bytes, and where the file belongs.
//!
//! Owns what is kept of a file on its way. Must not know the methods that move it on.
//! <https://docs.slack.dev/messaging/working-with-files#uploading_files>

use crate::encoding::random_name;
use crate::wire::{Answer, Request};

/// Where bytes go.
pub(super) const UPLOADS: &str = "/upload/v1/";

/// A file, from the address for it on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct File {
    /// Its id.
    pub id: String,
    /// What it is called.
    pub name: String,
    /// What is in it, once that has come.
    pub content: Option<Vec<u8>>,
    /// The conversation that it was shared in.
    pub channel: Option<String>,
    /// Where its bytes go: a secret, as whoever knows it can send some.
    pub path: String,
    length: usize,
}

/// Every file, oldest first.
#[derive(Debug, Default)]
pub(super) struct Files(Vec<File>);

impl Files {
    pub(super) fn all(&self) -> Vec<File> {
        self.0.clone()
    }

    /// Makes room for a file of this length. Gives its id and the path for its bytes.
    pub(super) fn announce(&mut self, number: u64, name: &str, length: usize) -> (String, String) {
        let (id, path) = (format!("F0{number:08}"), format!("{UPLOADS}{}", random_name()));
        let (given, name) = ((id.clone(), path.clone()), name.to_owned());
        self.0.push(File { id, name, content: None, channel: None, length, path });
        given
    }

    /// Takes the bytes of a file: once, as many as were announced.
    pub(super) fn upload(&mut self, request: &Request) -> Answer {
        let file = self.0.iter_mut().find(|file| file.path == request.path && file.content.is_none());
        match file {
            Some(file) if request.method == "POST" && request.body.len() == file.length => {
                file.content = Some(request.body.to_vec());
                Answer::text(200, &format!("OK - {}", file.length))
            }
            Some(_) => Answer::text(400, "the length differs"),
            None => Answer::text(404, "not found"),
        }
    }

    /// A file whose bytes have come, and that was not shared yet.
    pub(super) fn waiting(&mut self, id: &str) -> Option<&mut File> {
        self.0.iter_mut().find(|file| file.id == id && file.content.is_some() && file.channel.is_none())
    }
}
