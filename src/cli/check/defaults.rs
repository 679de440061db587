//! The check of CONFIG's defaults of services: whether Fivetran has the service, and what its metadata
//! says of each config key.
//!
//! Owns how they are told: one line for a service of which all is well. Changes nothing.

use super::Report;
use crate::config::Config;
use crate::fivetran::Fivetran;
use crate::fivetran::catalog::Catalog;
use crate::fivetran::defaults::{Defaults, Way};

/// Looks at the defaults of each service; `catalog` is Fivetran's own, if it can be had.
pub(super) async fn look(
    report: &mut Report,
    config: &Config,
    fivetran: &Fivetran,
    catalog: Option<&Catalog>,
) {
    let services = &config.services;
    let unknown: Vec<_> = catalog.into_iter().flat_map(|it| services.unknown_services(it)).collect();
    for (service, defaults) in &services.0 {
        if let Some((_, line)) = unknown.iter().find(|(unknown, _)| *unknown == service) {
            report.bad(&format!("CONFIG: {line}"));
            continue;
        }
        let told = format!("CONFIG: defaults of {service}: {}", told(defaults));
        if defaults.config.is_empty() {
            report.good(&told);
            continue;
        }
        match fivetran.config_keys(service).await {
            Ok(known) => {
                let remarks = services.judge(service, &known);
                if remarks.is_empty() {
                    report.good(&told);
                }
                for remark in remarks {
                    // As it will be in the log once the bot runs: an error or a warning.
                    if remark.verdict.drops() {
                        report.bad(&format!("CONFIG: {remark}"));
                    } else {
                        report.note(&format!(
                            "CONFIG: {remark}; it is sent all the same, and Fivetran has the last word"
                        ));
                    }
                }
            }
            Err(error) => report.note(&format!(
                "{told}; its config keys cannot be checked ({error}), so what is wrong with them shows when a connection is made"
            )),
        }
    }
}

/// What the defaults are, without the values of config keys and without ids.
fn told(defaults: &Defaults) -> String {
    let Defaults { config, hide_setup_guide, all_fields, sync_frequency, networking_method, reached_by } =
        defaults;
    let mut told = Vec::new();
    match config.len() {
        0 => {}
        1 => told.push("1 config value".to_owned()),
        count => told.push(format!("{count} config values")),
    }
    match sync_frequency {
        None => {}
        Some(1) => told.push("synced every minute".to_owned()),
        Some(minutes) => told.push(format!("synced every {minutes} minutes")),
    }
    if let Some(method) = networking_method {
        told.push(format!("reached by {}", method.as_str()));
    }
    told.extend(reached_by.keys().map(|way| match way {
        Way::HybridDeploymentAgent => "a hybrid deployment agent".to_owned(),
        Way::ProxyAgent => "a proxy agent".to_owned(),
        Way::PrivateLink => "a private link".to_owned(),
    }));
    if let Some(hide) = hide_setup_guide {
        told.push(format!("{} setup guide", if *hide { "without the" } else { "with the" }));
    }
    if let Some(all) = all_fields {
        told.push(if *all { "with all fields" } else { "with the usual fields" }.to_owned());
    }
    told.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fivetran::defaults::NetworkingMethod;

    #[test]
    fn defaults_are_told_without_a_value_of_theirs() {
        let defaults =
            Defaults { sync_frequency: Some(1), hide_setup_guide: Some(true), ..Defaults::default() };
        assert_eq!(told(&defaults), "synced every minute, without the setup guide");
        let config = ["a", "b"].map(|key| (key.to_owned(), "canary".into())).into_iter().collect();
        let defaults = Defaults {
            config,
            hide_setup_guide: Some(false),
            all_fields: Some(true),
            sync_frequency: Some(60),
            networking_method: Some(NetworkingMethod::Directly),
            reached_by: Way::ALL.map(|way| (way, "canary".to_owned())).into(),
        };
        assert_eq!(
            told(&defaults),
            "2 config values, synced every 60 minutes, reached by Directly, a hybrid deployment agent, a proxy agent, a private link, with the setup guide, with all fields"
        );
    }
}
