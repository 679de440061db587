//! What can be done at a shell where Slack or Fivetran is not reached, or something else answers.
//!
//! Owns that advice, which is the same for both. Must not know which call failed.

use crate::outbound::Obstacle;
use crate::{fivetran, reply, slack};

/// Where nothing tells what is in the way.
const NETWORK: &str = "check the network, DNS, the firewall and HTTPS_PROXY";

/// A partner, as it is called.
#[derive(Clone, Copy, Debug)]
pub(super) struct Partner<'a> {
    variable: &'static str,
    address: &'a str,
    usual: &'static str,
}

impl<'a> Partner<'a> {
    /// Slack's Web API at this address.
    pub(super) fn slack(address: &'a str) -> Self {
        Self { variable: "SLACK_API_URL", address, usual: slack::API_URL }
    }

    /// Fivetran's at this one.
    pub(super) fn fivetran(address: &'a str) -> Self {
        Self { variable: "FIVETRAN_API_URL", address, usual: fivetran::API_URL }
    }

    /// Whether somebody has set another address than the partner's own.
    pub(super) fn is_elsewhere(self) -> bool {
        self.address != self.usual
    }

    /// What to do about what is in the way, if that is known.
    pub(super) fn advice(self, obstacle: Option<Obstacle>) -> String {
        let way = obstacle.map_or(NETWORK, reply::remedy);
        match self.about_the_address(obstacle) {
            Some(first) => format!("{first}; if it is right, {way}"),
            None => way.to_owned(),
        }
    }

    /// An address that was set is the likeliest cause, unless what is in the way is none of its.
    pub(super) fn about_the_address(self, obstacle: Option<Obstacle>) -> Option<String> {
        let is_of_the_way = matches!(
            obstacle,
            Some(
                Obstacle::ProxySignIn
                    | Obstacle::ProxyRefuses
                    | Obstacle::UnknownProxy
                    | Obstacle::SilentProxy
                    | Obstacle::NetworkSignIn
                    | Obstacle::FutureCertificate
            )
        );
        let variable = self.variable;
        (self.is_elsewhere() && !is_of_the_way).then(|| format!("check {variable} first, which is set"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_spoken_of_only_where_somebody_has_set_one() {
        let usual = [Partner::slack("https://slack.com/api"), Partner::fivetran("https://api.fivetran.com")];
        for partner in usual {
            assert_eq!(partner.advice(None), NETWORK);
            let advice = partner.advice(Some(Obstacle::UnknownHost));
            assert_eq!(advice, "check the network, DNS and HTTPS_PROXY");
        }
        for (partner, variable) in [
            (Partner::slack("https://slack.example.com/api"), "SLACK_API_URL"),
            (Partner::fivetran("http://127.0.0.1:9"), "FIVETRAN_API_URL"),
        ] {
            let first = format!("check {variable} first, which is set; if it is right, check ");
            for obstacle in [None, Some(Obstacle::UnknownHost), Some(Obstacle::Foreign { status: 404 })] {
                assert!(partner.advice(obstacle).starts_with(&first), "{obstacle:?}");
            }
            assert_eq!(partner.advice(Some(Obstacle::ProxySignIn)), "put both into HTTPS_PROXY");
        }
    }
}
