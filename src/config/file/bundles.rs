//! `[bundles.NAME]` of the file that `CONFIG` names: services that people ask for together, by one name.
//!
//! Owns the keys of such a table, their shapes and remedies. Must not know how a bundle is typed.

use toml::{Table, Value};

use super::{NAME_LIMIT, Walk, is_name, path};
use crate::command::bundle::Bundles;
use crate::command::several::{Taken, taken};
use crate::fivetran::catalog::{Catalog, ServiceId};
use crate::work::MOST_SOURCES;

impl Walk<'_> {
    /// What the file says of bundles.
    pub(super) fn bundles(&mut self, table: &Table) -> Bundles {
        let mut bundles = Bundles::default();
        let Some(section) = self.section(table, "bundles") else { return bundles };
        // A bot must start without Fivetran; a service that is newer wins over a bundle when both are typed.
        let catalog = Catalog::built_in();
        for (name, value) in section {
            let at = path(&["bundles", name]);
            self.bundle_name(&at, name, &catalog);
            if let Some(services) = self.bundle(&at, value) {
                bundles.by_name.insert(name.clone(), services);
            }
        }
        bundles
    }

    fn bundle_name(&mut self, at: &str, name: &str, catalog: &Catalog) {
        if !is_name(name) {
            let remedy = format!("use a–z, 0–9, _ and -, at most {NAME_LIMIT} characters; people type it");
            self.fault(at, "is not a valid bundle name", &remedy);
            return;
        }
        match taken(name, catalog) {
            None => {}
            Some(Taken::Command) => {
                self.fault(at, "is one of the bot's own words", "choose another name, such as onboarding");
            }
            Some(Taken::Service(id)) => {
                let problem = format!("is what people type for the service {id}");
                self.fault(at, &problem, "choose another name, such as onboarding");
            }
        }
    }

    fn bundle(&mut self, at: &str, value: &Value) -> Option<Vec<ServiceId>> {
        let example = "write [bundles.NAME] and services = [\"google_ads\", \"stripe\"] below it";
        let Some(table) = value.as_table() else {
            self.fault(at, "is not a table", example);
            return None;
        };
        self.known(table, at, &["services"]);
        let Some(list) = table.get("services") else {
            self.fault(at, "has no services", example);
            return None;
        };
        let at = format!("{at}.services");
        let services = self.services(&at, list);
        if list.as_array().is_some_and(Vec::is_empty) {
            self.fault(&at, "is empty", "list one or more services, or remove the bundle");
        }
        if services.len() > MOST_SOURCES {
            let problem = format!("has more than {MOST_SOURCES} services");
            self.fault(&at, &problem, "make two bundles of it: what is asked for at once has one message");
        }
        Some(services)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> (Bundles, Vec<String>) {
        let mut walk = Walk { name: "customers.toml", faults: Vec::new() };
        let bundles = walk.bundles(&text.parse().unwrap());
        let faults = walk.faults.iter();
        (bundles, faults.map(|fault| format!("{} {}", fault.variable, fault.problem)).collect())
    }

    #[test]
    fn a_bundle_has_its_services_in_their_order_and_once_each() {
        let (bundles, faults) = read(
            "[bundles.onboarding]\nservices = [\"stripe\", \"google_ads\", \"stripe\", \"brand_new\"]\n\
             [bundles.shop-2]\nservices = [\"shopify\"]\n",
        );
        assert_eq!(faults, Vec::<String>::new());
        let ids = |name: &str| bundles.by_name[name].iter().map(ServiceId::as_str).collect::<Vec<_>>();
        assert_eq!(ids("onboarding"), ["stripe", "google_ads", "brand_new"]);
        assert_eq!(ids("shop-2"), ["shopify"]);
        assert_eq!(read("").0, Bundles::default());
    }

    #[test]
    fn every_fault_is_named_at_once() {
        let many: Vec<_> = (0..21).map(|n| format!("\"service_{n}\"")).collect();
        let (_, faults) = read(&format!(
            "[bundles]\nodd = 5\n\
             [bundles.Onboarding]\nservices = [\"stripe\"]\n\
             [bundles.\"two words\"]\nservices = [\"stripe\"]\n\
             [bundles.status]\nservices = [\"stripe\"]\n\
             [bundles.sources]\nservices = [\"stripe\"]\n\
             [bundles.stripe]\nservices = [\"hubspot\"]\n\
             [bundles.adwords]\nservices = [\"hubspot\"]\n\
             [bundles.a]\n\
             [bundles.b]\nservices = []\nname = 5\n\
             [bundles.c]\nservices = \"stripe\"\n\
             [bundles.d]\nservices = [\"Google Ads\", 5]\n\
             [bundles.e]\nservices = [{}]\n",
            many.join(", ")
        ));
        let of =
            |faults: &[String]| faults.iter().map(|it| it.replace("customers.toml: bundles.", "")).collect();
        let mut faults: Vec<String> = of(&faults);
        faults.sort();
        let mut expected = [
            "odd is not a table",
            "Onboarding is not a valid bundle name",
            "\"two words\" is not a valid bundle name",
            "status is one of the bot's own words",
            "sources is one of the bot's own words",
            "stripe is what people type for the service stripe",
            "adwords is what people type for the service google_ads",
            "a has no services",
            "b.name is not a known key",
            "b.services is empty",
            "c.services is not a list",
            "d.services, entry 1 is not a service id",
            "d.services, entry 2 is not a service id",
            "e.services has more than 20 services",
        ];
        expected.sort_unstable();
        assert_eq!(faults, expected);
    }

    #[test]
    fn what_is_no_section_is_a_fault() {
        assert_eq!(read("bundles = 5\n").1, ["customers.toml: bundles is not a table"]);
    }
}
