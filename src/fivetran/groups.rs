//! The destinations that a key can see.
//!
//! Owns the way through the pages of their list. Must not know who asks.

use reqwest::Method;
use serde::Deserialize;

use super::call::Call;
use super::error::Error;
use super::model::{self, Group};
use super::{Fivetran, PAGE_ITEMS};
use crate::outbound::CallError;

/// Most pages that are read: a hundred thousand destinations.
const PAGES: usize = 100;

/// One page.
#[derive(Deserialize)]
struct Page {
    items: Vec<Group>,
    #[serde(default)]
    next_cursor: Option<String>,
}

impl Fivetran {
    /// Every destination's group that the key can see, in Fivetran's order.
    /// `GET /v1/groups?limit&cursor`
    ///
    /// # Errors
    /// [`Error`]; [`Error::Unclear`] also where the list does not end.
    pub async fn groups(&self) -> Result<Vec<Group>, Error> {
        let (mut groups, mut cursor) = (Vec::new(), None::<String>);
        for _ in 0..PAGES {
            let query: String = form_urlencoded::Serializer::new(String::new())
                .append_pair("limit", PAGE_ITEMS)
                .extend_pairs(cursor.iter().map(|cursor| ("cursor", cursor)))
                .finish();
            let request = self.request(Method::GET, &format!("/v1/groups?{query}"));
            let request = request.header("Accept", "application/json");
            let page: Page = self.send(Call::Group, request).await?;
            groups.extend(page.items.into_iter().filter(|group| model::is_id(&group.id)));
            if page.next_cursor.is_none() {
                return Ok(groups);
            }
            cursor = page.next_cursor;
        }
        Err(Error::Unclear(CallError::Unanswered("a list without an end")))
    }
}
