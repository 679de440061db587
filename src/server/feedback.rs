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
use crate::telemetry::Answer;

/// What there is to say, and what the press counts as that it answers.
pub(super) struct Feedback {
    pub(super) answer: Answer,
    said: Option<(SlackMessageContent, Place)>,
}

/// Where it is said.
enum Place {
    /// In the place of the question.
    Question,
    /// Beside the message, which stays.
    Beside,
}

impl Feedback {
    /// In the place of the question.
    pub(super) fn replace(content: SlackMessageContent) -> Self {
        Self { answer: Answer::Replied, said: Some((content, Place::Question)) }
    }

    /// Beside the message, which stays.
    pub(super) fn ephemeral(content: SlackMessageContent) -> Self {
        Self { answer: Answer::Replied, said: Some((content, Place::Beside)) }
    }

    /// The message itself will show it.
    pub(super) fn none() -> Self {
        Self { answer: Answer::Replied, said: None }
    }

    /// The same of a press that counts as this.
    pub(super) fn counting_as(self, answer: Answer) -> Self {
        let said = self.said.map(|(content, place)| match answer {
            // It is to be pressed again, and so has to stay.
            Answer::TooMuch => (content, Place::Beside),
            _ => (content, place),
        });
        Self { answer, said }
    }
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
    let Some((content, place)) = said.said else { return };
    tokio::spawn(async move {
        if let Some(url) = &way.response_url {
            let sent = match place {
                Place::Question => respond::replace(&caller, url, &content).await,
                Place::Beside => {
                    respond::post(&caller, url, &content, SlackMessageResponseType::Ephemeral).await
                }
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
