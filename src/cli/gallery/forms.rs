//! The gallery's forms: of one service and of several, what they say of faults, and the choices in them.

use super::{Gallery, Kind};
use crate::command::UsageError;
use crate::command::form::several::Offer;
use crate::command::form::{Fault, Field};
use crate::command::services::{Found, How};
use crate::permission::Refused;
use crate::reply::Audience;
use crate::reply::form::{self, Customer, Preset, Several, Shown};
use crate::work::MOST_SOURCES;

impl Gallery<'_> {
    pub(super) fn form(&mut self) {
        let sample = self.sample;
        let target = sample.request.target.connection_name();
        let schema = Preset::Schema(sample.request.target.schema.as_str());
        for (name, audience, schema, destinations) in [
            ("form", Audience::Channel, Preset::None, [].as_slice()),
            ("form-private", Audience::Requester, Preset::None, [].as_slice()),
            ("form-prefilled", Audience::Channel, schema, sample.choices.as_slice()),
            ("form-named", Audience::Channel, Preset::Pattern(Some(&target)), [].as_slice()),
        ] {
            let form = form::Form {
                channel_id: &sample.channel,
                audience,
                schema,
                destinations,
                destination: None,
                takes_several: audience == Audience::Channel,
                chosen: &[],
                several: None,
                sealed: sample.sealed.clone(),
            };
            self.add(name, Kind::Modal, form::form(form, &sample.slash));
        }
        self.several_in_form();
        self.add("form-too-old", Kind::Modal, form::too_old(&sample.slash));
        self.add("form-not-yours", Kind::Modal, form::not_yours());
        self.add("form-unreadable", Kind::Modal, form::unreadable());
        if let Some((_, reason)) = sample.refusals.first() {
            let refused = Refused { reason: reason.clone(), ask: vec![sample.user.clone()] };
            self.add("form-refused", Kind::Modal, form::refused(&refused));
        }
        self.message("form-not-opened", form::not_opened(&sample.slash, false));
        self.message("form-perhaps-not-opened", form::not_opened(&sample.slash, true));
        let found = Found { how: How::Matching, services: sample.services.clone(), more: 0 };
        self.add("form-services", Kind::Options, form::options(&found));
        self.add("form-no-services", Kind::Options, form::no_options());
    }

    /// More than one service, and what is said of those.
    fn several_in_form(&mut self) {
        let sample = self.sample;
        let onboard = &sample.several.onboard;
        let bundle = self.bundle();
        let services = sample.services.iter().take(MOST_SOURCES).cloned().map(Offer::Service);
        let services: Vec<_> = services.take(onboard.sources.len()).collect();
        let too_many = UsageError::TooMany { count: MOST_SOURCES + 1 };
        let too_many = Fault { field: Field::Service, error: too_many };
        let missing = UsageError::CustomerMissing { line: String::new() };
        let missing = Fault { field: Field::Customer, error: missing };
        let (shown, asked) =
            [false, true].map(|asks| Shown::Names { sources: &onboard.sources, asks }).into();
        for (name, chosen, shown) in [
            ("several", services.as_slice(), shown),
            ("several-again", &services, asked),
            ("bundle", std::slice::from_ref(&bundle), Shown::Fault(&missing)),
            ("too-many", &services, Shown::Fault(&too_many)),
        ] {
            let customer = onboard.customer.as_deref().filter(|_| name != "bundle");
            let form = form::Form {
                channel_id: &sample.channel,
                audience: Audience::Channel,
                schema: Preset::None,
                destinations: &sample.choices,
                destination: None,
                takes_several: true,
                chosen,
                several: Some(Several {
                    customer: Some(Customer { initial: customer, optional: false }),
                    shown,
                }),
                sealed: sample.sealed.clone(),
            };
            self.add(&format!("form-{name}"), Kind::Modal, form::form(form, &sample.slash));
        }
        let found = Found { how: How::Matching, services: sample.services.clone(), more: 0 };
        self.add("form-bundles", Kind::Options, form::options_with(&[bundle], &found));
    }

    fn bundle(&self) -> Offer {
        let sources = &self.sample.several.onboard.sources;
        // As long as `CONFIG` lets one be.
        let name = if self.suffix.is_empty() { "onboarding".to_owned() } else { "onboarding".repeat(5) };
        Offer::Bundle { name, services: sources.iter().map(|it| it.service_name.clone()).collect() }
    }
}
