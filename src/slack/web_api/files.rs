//! Sending a file: Slack gives an address, takes the bytes there, and is told where the file belongs.
//!
//! Owns the order of the three, and that bytes go to Slack alone. Must not know what is in a file.
//! <https://docs.slack.dev/messaging/working-with-files#uploading_files>

use serde::{Deserialize, Serialize};
use serde_json::Value;
use url::{Host, Url};

use super::{Call, WebApi};
use crate::outbound;
use crate::slack::respond::PostError;
use crate::slack::transport::Connector;
use crate::telemetry::{CallOutcome, Operation};

/// A file that is to be sent.
#[derive(Clone, Copy, Debug)]
pub struct File<'a> {
    /// What it is called.
    pub name: &'a str,
    /// What stands above it.
    pub comment: &'a str,
    /// What is in it.
    pub content: &'a str,
}

impl WebApi {
    /// Sends a file to a conversation that the bot is in. Needs the scope `files:write`.
    /// <https://docs.slack.dev/reference/methods/files.getUploadURLExternal>,
    /// <https://docs.slack.dev/reference/methods/files.completeUploadExternal>
    ///
    /// # Errors
    /// [`PostError`].
    pub async fn send_file(&self, channel_id: &str, file: File<'_>) -> Result<(), PostError> {
        #[derive(Deserialize)]
        struct Place {
            upload_url: String,
            file_id: String,
        }
        #[derive(Serialize)]
        struct Complete<'a> {
            files: [Uploaded<'a>; 1],
            channel_id: &'a str,
            initial_comment: &'a str,
        }
        #[derive(Serialize)]
        struct Uploaded<'a> {
            id: &'a str,
            title: &'a str,
        }
        let File { name, comment, content } = file;
        // As its reference has it, it took no JSON for years.
        let parameters = [("filename", name), ("length", &content.len().to_string())];
        let asking = Call::to("files.getUploadURLExternal", "");
        let Place { upload_url, file_id } = self.get(asking, &parameters).await?;
        self.upload(&upload_url, content).await?;
        let files = [Uploaded { id: &file_id, title: name }];
        let complete = Complete { files, channel_id, initial_comment: comment };
        let call = Call::to("files.completeUploadExternal", channel_id);
        self.call::<_, Value>(call, &complete).await.map(drop)
    }

    /// Gives the bytes to the address that Slack has named. It is a secret: whoever knows it can upload.
    async fn upload(&self, address: &str, content: &str) -> Result<(), PostError> {
        let Connector { caller, api_url } = self.client.http_api.connector.as_ref();
        let Some(address) = slacks(address, api_url) else {
            return Err(PostError::Unclear("an address for files that is not Slack's".to_owned()));
        };
        let calling = caller.calling(Operation::Upload);
        let sent = async {
            let response = caller.send(caller.http.post(address).body(content.to_owned())).await?;
            let status = response.status();
            outbound::read(response, outbound::ANSWER_LIMIT).await.map(|_| status)
        };
        match sent.await {
            Ok(status) if status.is_success() => {
                calling.ended(CallOutcome::Ok);
                Ok(())
            }
            Ok(status) => {
                calling.ended(CallOutcome::Failed);
                Err(PostError::of_status(status))
            }
            Err(error) => {
                calling.ended(CallOutcome::without_answer(&error));
                Err(error.into())
            }
        }
    }
}

/// The address, if it is of the Web API's own host or of one below it, and as safe.
fn slacks(address: &str, api_url: &str) -> Option<Url> {
    let (address, api) = (Url::parse(address).ok()?, Url::parse(api_url).ok()?);
    let below = match (address.host()?, api.host()?) {
        (Host::Domain(host), Host::Domain(of)) => {
            host.strip_suffix(of).is_some_and(|rest| rest.ends_with('.'))
        }
        _ => false,
    };
    let same_port = address.port_or_known_default() == api.port_or_known_default();
    let same = address.origin() == api.origin() || (below && same_port && address.scheme() == api.scheme());
    (same && address.username().is_empty() && address.password().is_none()).then_some(address)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_go_to_slack_alone() {
        let api = "https://slack.com/api";
        for good in [
            "https://files.slack.com/upload/v1/abc",
            "https://slack.com/upload",
            "https://a.b.slack.com:443/x",
        ] {
            assert!(slacks(good, api).is_some(), "{good}");
        }
        for bad in [
            "http://files.slack.com/upload",
            "https://files.slack.com:8443/upload",
            "https://filesslack.com/upload",
            "https://slack.com.example.com/upload",
            "https://me@files.slack.com/upload",
            "https://10.0.0.1/upload",
            "file:///etc/passwd",
            "",
        ] {
            assert!(slacks(bad, api).is_none(), "{bad}");
        }
        let loopback = "http://127.0.0.1:4000/api";
        assert!(slacks("http://127.0.0.1:4000/upload/v1/x", loopback).is_some());
        assert!(slacks("http://127.0.0.1:4001/upload/v1/x", loopback).is_none());
    }
}
