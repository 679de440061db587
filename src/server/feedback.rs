//! How somebody learns what came of a press.
//!
//! Owns the ways to them and their order. Must not know what was pressed, nor be waited for: it is
//! told after the answer to Slack.

use slack_morphism::prelude::{SlackMessageContent, SlackMessageResponseType};

use crate::slack::ResponseUrl;
use crate::slack::caller::Caller;
use crate::slack::interaction::Interaction;
use crate::slack::respond::{self, PostError};
use crate::slack::web_api::WebApi;

/// What there is to say.
pub(super) enum Feedback {
    /// In the place of the question.
    Replace(SlackMessageContent),
    /// Beside the message, which stays.
    Ephemeral(SlackMessageContent),
    /// The message itself will show it.
    None,
}

/// The ways to somebody who pressed something.
pub(super) struct Way {
    response_url: Option<ResponseUrl>,
    /// The channel and the person, for a private message.
    place: Option<(String, String)>,
}

impl Way {
    pub(super) fn of(origins: &[url::Origin], interaction: &Interaction) -> Self {
        let Interaction { channel_id, user_id, .. } = interaction;
        Self {
            response_url: interaction.response_url(origins),
            place: channel_id.clone().zip(user_id.clone()),
        }
    }
}

/// Tells somebody what came of a press, by the first way that works. A sentence that may be there
/// already is better said twice than not at all.
pub(super) fn tell(caller: Caller, web_api: Option<WebApi>, way: Way, said: Feedback) {
    let (content, replaces) = match said {
        Feedback::None => return,
        Feedback::Replace(content) => (content, true),
        Feedback::Ephemeral(content) => (content, false),
    };
    tokio::spawn(async move {
        if let Some(url) = &way.response_url {
            let sent = if replaces {
                respond::replace(&caller, url, &content).await
            } else {
                respond::post(&caller, url, &content, SlackMessageResponseType::Ephemeral).await
            };
            let Err(error) = sent else { return };
            tracing::info!(%error, "a press could not be answered by its response_url");
        }
        let (Some(web_api), Some(place)) = (web_api, way.place) else {
            tracing::warn!("there is no other way to answer a press");
            return;
        };
        if let Err(error) = alone(&web_api, &place, content).await {
            tracing::warn!(%error, "a press could not be answered");
        }
    });
}

/// In the channel; where that cannot be, in a direct message.
async fn alone(
    web_api: &WebApi,
    (channel, user): &(String, String),
    content: SlackMessageContent,
) -> Result<(), PostError> {
    match web_api.post_ephemeral(channel, user, &content).await {
        Err(error) if error.leaves_other_ways() => web_api.post_message(user, content).await.map(drop),
        sent => sent,
    }
}
