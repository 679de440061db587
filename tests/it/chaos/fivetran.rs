//! What people read, whatever Fivetran answers, or the network in its place.

use std::time::Duration;

use connect_card::outbound::proxies::{Proxies, proxy_url};
use connect_card::outbound::{self, Network};
use expect_test::expect;
use futures_util::future::join_all;
use reqwest::Client;
use stand_ins::chaos::{self, Lasts, Partner, Row};
use stand_ins::fault::{Fault, Faults};
use stand_ins::fivetran::FivetranStandIn;

use super::life::{Life, Wish, provision_at};
use super::table::Table;
use crate::harness::{Outside, Setup, TestBot, accepted, client};

/// Longer than until the next list.
const A_LIST: Duration = Duration::from_secs(31);

/// The rows about Fivetran, without those about its catalogue, which no command waits for.
fn rows() -> impl Iterator<Item = &'static Row> {
    let of_a_command = |row: &&Row| !row.routes.contains(&"connector_types");
    chaos::all().filter(|row| row.partner == Partner::Fivetran).filter(of_a_command)
}

/// Whether an answer is held back.
fn is_slow(row: &Row) -> bool {
    matches!((row.fault)(), Fault::SlowAfter(_) | Fault::Slow(..) | Fault::SlowBody(_))
}

/// What is read of each wish that does not come true as it does where all is well.
async fn read(
    fivetran: &FivetranStandIn,
    url: &str,
    client: Client,
    schema: &str,
    well: &[String],
) -> Vec<String> {
    let provision = provision_at(url, client);
    let life = Life { fivetran, provision: &provision };
    let mut read: Vec<String> = Vec::new();
    for (number, (wish, name)) in Wish::ALL.into_iter().enumerate() {
        let schema = format!("{schema}_{number}");
        let lines = life.read(wish, &schema).await.join(" … ").replace(&schema, "acme");
        let line = format!("{name}: {lines}");
        if !well.contains(&line) {
            read.push(line);
        }
    }
    read
}

#[tokio::test]
async fn what_is_told_is_so_whatever_answers_a_command() {
    let fivetran = Outside::start().await.fivetran;
    let url = fivetran.url();
    let well = read(&fivetran, &url, client(), "well", &[]).await;
    let mut table = Table::default();
    well.iter().for_each(|line| table.add("all is well", line));
    for (at, row) in rows().enumerate() {
        fivetran.chaos(row.name, Lasts::UntilHealed);
        let lines = read(&fivetran, &url, client(), &format!("acme_{at}"), &well).await;
        table.row(row.name, lines);
        fivetran.faults(Faults::heal);
    }
    expect![[r#"
        all is well
            create: at once: a link
            create, of a newer service: at once: a link
            renew: at once: a link
            cancel: at once: The connection for Google Ads into acme is cancelled, and its link no longer works. Data already in the destination stays there.
            sync: at once: Fivetran is syncing Google Ads now. To see how that goes, type /connect-card status acme. If it fails again, open the connection in Fivetran.
        fivetran-400, fivetran-422
            create: at once: Fivetran refused the request for Google Ads (“…”), so there's no link. Check the service and the schema (…). If both are right, whoever runs connect-card can look up the reference in the log.
            create, of a newer service: at once: Fivetran refused the request for Google Ads (“…”), so there's no link. Check the service and the schema (…). If both are right, whoever runs connect-card can look up the reference in the log.
            renew: at once: Fivetran refused the request for Google Ads (“…”), so I couldn't make a new link for Google Ads. Whoever runs connect-card needs to look into it (…); the log has the reference.
            cancel: at once: Fivetran refused the request for Google Ads (“…”), so the connection for Google Ads may not have been cancelled. Whoever runs connect-card needs to look into it (…); the log has the reference.
            sync: at once: Fivetran refused to start a sync of Google Ads (“…”). Open the connection in Fivetran to see why.
        fivetran-401
            create: at once: Fivetran rejected the API key, so there's no link for Google Ads yet. Whoever runs connect-card needs to set FIVETRAN_API_KEY and FIVETRAN_API_SECRET to a valid key.
            create, of a newer service: at once: Fivetran rejected the API key, so there's no link for Google Ads yet. Whoever runs connect-card needs to set FIVETRAN_API_KEY and FIVETRAN_API_SECRET to a valid key.
            renew: at once: Fivetran rejected the API key, so I couldn't make a new link for Google Ads. Whoever runs connect-card needs to set FIVETRAN_API_KEY and FIVETRAN_API_SECRET to a valid key.
            cancel: at once: Fivetran rejected the API key, so the connection for Google Ads may not have been cancelled. Whoever runs connect-card needs to set FIVETRAN_API_KEY and FIVETRAN_API_SECRET to a valid key.
            sync: at once: Fivetran rejected the API key, so a sync of Google Ads may not have started. Whoever runs connect-card needs to set FIVETRAN_API_KEY and FIVETRAN_API_SECRET to a valid key.
        fivetran-403
            create: at once: The Fivetran API key isn't allowed to do this (“…”), so there's no link for Google Ads yet. Whoever runs connect-card needs to let it create, read and delete connections in this destination.
            create, of a newer service: at once: The Fivetran API key isn't allowed to do this (“…”), so there's no link for Google Ads yet. Whoever runs connect-card needs to let it create, read and delete connections in this destination.
            renew: at once: The Fivetran API key isn't allowed to do this (“…”), so I couldn't make a new link for Google Ads. Whoever runs connect-card needs to let it create, read and delete connections in this destination.
            cancel: at once: The Fivetran API key isn't allowed to do this (“…”), so the connection for Google Ads may not have been cancelled. Whoever runs connect-card needs to let it create, read and delete connections in this destination.
            sync: at once: The Fivetran API key isn't allowed to do this (“…”), so a sync of Google Ads may not have started. Whoever runs connect-card needs to let it read and sync connections in this destination.
        fivetran-405, fivetran-406, fivetran-410, fivetran-415
            create: at once: Fivetran refused the request for Google Ads (“…”), so there's no link for Google Ads yet. Whoever runs connect-card needs to check HTTPS_PROXY, and whether there is a newer connect-card (…); the log has the reference.
            create, of a newer service: at once: Fivetran refused the request for Google Ads (“…”), so there's no link for Google Ads yet. Whoever runs connect-card needs to check HTTPS_PROXY, and whether there is a newer connect-card (…); the log has the reference.
            renew: at once: Fivetran refused the request for Google Ads (“…”), so I couldn't make a new link for Google Ads. Whoever runs connect-card needs to check HTTPS_PROXY, and whether there is a newer connect-card (…); the log has the reference.
            cancel: at once: Fivetran refused the request for Google Ads (“…”), so the connection for Google Ads may not have been cancelled. Whoever runs connect-card needs to check HTTPS_PROXY, and whether there is a newer connect-card (…); the log has the reference.
            sync: at once: Fivetran refused the request for Google Ads (“…”), so a sync of Google Ads may not have started. Whoever runs connect-card needs to check HTTPS_PROXY, and whether there is a newer connect-card (…); the log has the reference.
        fivetran-409, fivetran-423
            create: at once: Fivetran can't do this for Google Ads at the moment (“…”), so there's no link for Google Ads yet. Try again in a few minutes.
            create, of a newer service: at once: Fivetran can't do this for Google Ads at the moment (“…”), so there's no link for Google Ads yet. Try again in a few minutes.
            renew: at once: Fivetran can't do this for Google Ads at the moment (“…”), so I couldn't make a new link for Google Ads. Try again in a few minutes.
            cancel: at once: Fivetran can't do this for Google Ads at the moment (“…”), so the connection for Google Ads may not have been cancelled. Try again in a few minutes.
            sync: at once: Fivetran can't do this for Google Ads at the moment (“…”), so a sync of Google Ads may not have started. Try again in a few minutes.
        fivetran-413, fivetran-451
            create: at once: Fivetran refused the request for Google Ads (“…”), so there's no link for Google Ads yet. Whoever runs connect-card needs to look into it (…); the log has the reference.
            create, of a newer service: at once: Fivetran refused the request for Google Ads (“…”), so there's no link for Google Ads yet. Whoever runs connect-card needs to look into it (…); the log has the reference.
            renew: at once: Fivetran refused the request for Google Ads (“…”), so I couldn't make a new link for Google Ads. Whoever runs connect-card needs to look into it (…); the log has the reference.
            cancel: at once: Fivetran refused the request for Google Ads (“…”), so the connection for Google Ads may not have been cancelled. Whoever runs connect-card needs to look into it (…); the log has the reference.
            sync: at once: Fivetran refused to start a sync of Google Ads (“…”). Open the connection in Fivetran to see why.
        fivetran-name-taken-unseen
            create: in seconds: Fivetran says acme is already taken (“…”) by a connection that this API key can't see. Choose another schema.
            create, of a newer service: in seconds: Fivetran says acme is already taken (“…”) by a connection that this API key can't see. Choose another schema.
        fivetran-group-unknown
            create: at once: Fivetran doesn't know this destination (“…”), so there's no link for Google Ads yet. Whoever runs connect-card needs to check FIVETRAN_GROUP_ID.
            create, of a newer service: at once: Fivetran doesn't know this destination (“…”), so there's no link for Google Ads yet. Whoever runs connect-card needs to check FIVETRAN_GROUP_ID.
        fivetran-key-without-permission
            create: at once: The Fivetran API key isn't allowed to do this (“…”), so there's no link for Google Ads yet. Whoever runs connect-card needs to let it create, read and delete connections in this destination.
            create, of a newer service: at once: The Fivetran API key isn't allowed to do this (“…”), so there's no link for Google Ads yet. Whoever runs connect-card needs to let it create, read and delete connections in this destination.
        fivetran-account-not-readable, fivetran-500-done, fivetran-504-done, fivetran-byte-order-mark, fivetran-wrong-charset, fivetran-large
            as if all were well
        fivetran-sync-running
            sync: at once: Fivetran is already syncing Google Ads. To see how it goes, type /connect-card status acme.
        fivetran-sync-forbidden
            sync: at once: The Fivetran API key isn't allowed to do this (“…”), so a sync of Google Ads may not have started. Whoever runs connect-card needs to let it read and sync connections in this destination.
        fivetran-pause-of-seconds, fivetran-pause-unsaid
            create: waits: Fivetran's rate limit is used up, and it asks me to wait … in the end: Fivetran's rate limit has been reached, so there's no link for Google Ads yet. Try again in an hour.
            create, of a newer service: waits: Fivetran's rate limit is used up, and it asks me to wait … in the end: Fivetran's rate limit has been reached, so there's no link for Google Ads yet. Try again in an hour.
            renew: waits: Fivetran's rate limit is used up, and it asks me to wait … in the end: Fivetran's rate limit has been reached, so I couldn't make a new link for Google Ads. Try again in an hour.
            cancel: waits: Fivetran's rate limit is used up, and it asks me to wait … in the end: Fivetran's rate limit has been reached, so the connection for Google Ads may not have been cancelled. Try again in an hour.
            sync: waits: Fivetran's rate limit is used up, and it asks me to wait … in the end: Fivetran's rate limit has been reached, so a sync of Google Ads may not have started. Try again in an hour.
        fivetran-pause-of-an-hour, fivetran-pause-until-a-date, fivetran-pause-absurd
            create: at once: Fivetran's rate limit has been reached, so there's no link for Google Ads yet. Try again in 60 minutes.
            create, of a newer service: at once: Fivetran's rate limit has been reached, so there's no link for Google Ads yet. Try again in 60 minutes.
            renew: at once: Fivetran's rate limit has been reached, so I couldn't make a new link for Google Ads. Try again in 60 minutes.
            cancel: at once: Fivetran's rate limit has been reached, so the connection for Google Ads may not have been cancelled. Try again in 60 minutes.
            sync: at once: Fivetran's rate limit has been reached, so a sync of Google Ads may not have started. Try again in 60 minutes.
        fivetran-500-done-after-40-s
            create: waits: Fivetran is taking a long time to make the connection … in a minute or two: a link
            create, of a newer service: waits: Fivetran is taking a long time to make the connection … in a minute or two: a link
        fivetran-500, fivetran-501, fivetran-503, fivetran-408, fivetran-425, fivetran-502, fivetran-504, fivetran-520, fivetran-522, fivetran-524, fivetran-598, fivetran-cut, fivetran-dropped-before, fivetran-dropped-after, fivetran-reset
            create: waits: Fivetran isn't giving clear answers right now … in the end: Fivetran couldn't be reached, or gave no clear answer in time. Try the same command again in a while: if the connection for Google Ads was created after all, you'll get a link for it, not a second connection.
            create, of a newer service: waits: Fivetran isn't giving clear answers right now … in the end: Fivetran couldn't be reached, or gave no clear answer in time. Try the same command again in a while: if the connection for Google Ads was created after all, you'll get a link for it, not a second connection.
            renew: waits: Fivetran isn't giving clear answers right now … in the end: Fivetran couldn't be reached, or gave no clear answer in time, so I couldn't make a new link. Try again later.
            cancel: waits: Fivetran isn't giving clear answers right now … in the end: Fivetran couldn't be reached, or gave no clear answer in time, so the connection for Google Ads may not have been cancelled. Try again later.
            sync: waits: Fivetran isn't giving clear answers right now … in the end: Fivetran couldn't be reached, or gave no clear answer in time, so a sync of Google Ads may not have started. Try again later.
        fivetran-empty, fivetran-204, fivetran-other-json
            create: waits: Fivetran isn't giving clear answers right now … in a minute or two: I can't read Fivetran's answer: it has a form that I don't know. So there's no link for Google Ads yet. Whoever runs connect-card needs to check whether there is a newer connect-card; the log has the reference. After that, type the same command again. A connection for Google Ads may have been made before that; if so, the same command finds it and won't create a second one.
            create, of a newer service: in seconds: I can't read Fivetran's answer: it has a form that I don't know. So there's no link for Google Ads yet. Whoever runs connect-card needs to check whether there is a newer connect-card; the log has the reference. After that, type the same command again.
            renew: in seconds: I can't read Fivetran's answer: it has a form that I don't know. So I couldn't make a new link for Google Ads. Whoever runs connect-card needs to check whether there is a newer connect-card; the log has the reference. After that, try again.
            cancel: in seconds: I can't read Fivetran's answer: it has a form that I don't know. So the connection for Google Ads may not have been cancelled. Whoever runs connect-card needs to check whether there is a newer connect-card; the log has the reference. After that, try again.
            sync: in seconds: I can't read Fivetran's answer: it has a form that I don't know. So a sync of Google Ads may not have started. Whoever runs connect-card needs to check whether there is a newer connect-card; the log has the reference. After that, try again.
        fivetran-slow-head, fivetran-slow-body
            create: waits: Fivetran is taking a long time to make the connection … in the end: Fivetran couldn't be reached, or gave no clear answer in time. Try the same command again in a while: if the connection for Google Ads was created after all, you'll get a link for it, not a second connection.
            create, of a newer service: waits: Fivetran is taking a long time to make the connection … in the end: Fivetran couldn't be reached, or gave no clear answer in time. Try the same command again in a while: if the connection for Google Ads was created after all, you'll get a link for it, not a second connection.
            renew: waits: Fivetran is taking a long time to answer … in the end: Fivetran couldn't be reached, or gave no clear answer in time, so I couldn't make a new link. Try again later.
            cancel: waits: Fivetran is taking a long time to answer … in the end: Fivetran couldn't be reached, or gave no clear answer in time, so the connection for Google Ads may not have been cancelled. Try again later.
            sync: waits: Fivetran is taking a long time to answer … in the end: Fivetran couldn't be reached, or gave no clear answer in time, so a sync of Google Ads may not have started. Try again later.
        fivetran-gzip, fivetran-portal-200
            create: waits: Fivetran hasn't said clearly whether it made the connection, so I'm checking before I try again … in a minute or two: I can't reach Fivetran: what answers at its address isn't Fivetran, or doesn't know what I asked for (…). So there's no link for Google Ads yet. Whoever runs connect-card needs to check DNS, the firewall and HTTPS_PROXY; the log has the reference. After that, type the same command again. A connection for Google Ads may have been made before that; if so, the same command finds it and won't create a second one.
            create, of a newer service: at once: I can't reach Fivetran: what answers at its address isn't Fivetran, or doesn't know what I asked for (…). So there's no link for Google Ads yet. Whoever runs connect-card needs to check DNS, the firewall and HTTPS_PROXY; the log has the reference. After that, type the same command again.
            renew: at once: I can't reach Fivetran: what answers at its address isn't Fivetran, or doesn't know what I asked for (…). So I couldn't make a new link for Google Ads. Whoever runs connect-card needs to check DNS, the firewall and HTTPS_PROXY; the log has the reference. After that, try again.
            cancel: at once: I can't reach Fivetran: what answers at its address isn't Fivetran, or doesn't know what I asked for (…). So the connection for Google Ads may not have been cancelled. Whoever runs connect-card needs to check DNS, the firewall and HTTPS_PROXY; the log has the reference. After that, try again.
            sync: at once: I can't reach Fivetran: what answers at its address isn't Fivetran, or doesn't know what I asked for (…). So a sync of Google Ads may not have started. Whoever runs connect-card needs to check DNS, the firewall and HTTPS_PROXY; the log has the reference. After that, try again.
        fivetran-too-large
            create: waits: Fivetran hasn't said clearly whether it made the connection, so I'm checking before I try again … in a minute or two: Fivetran's answer is larger than the 8 MB that I read, so there's no link for Google Ads yet. Ask whoever runs connect-card to look up the reference in the log. A connection for Google Ads may have been made before that; if so, the same command finds it and won't create a second one.
            create, of a newer service: waits: Fivetran hasn't said clearly whether it made the connection, so I'm checking before I try again … in a minute or two: Fivetran's answer is larger than the 8 MB that I read, so there's no link for Google Ads yet. Ask whoever runs connect-card to look up the reference in the log. A connection for Google Ads may have been made before that; if so, the same command finds it and won't create a second one.
            renew: at once: Fivetran's answer is larger than the 8 MB that I read, so I couldn't make a new link for Google Ads. Ask whoever runs connect-card to look up the reference in the log.
            cancel: at once: Fivetran's answer is larger than the 8 MB that I read, so the connection for Google Ads may not have been cancelled. Ask whoever runs connect-card to look up the reference in the log.
            sync: at once: Fivetran's answer is larger than the 8 MB that I read, so a sync of Google Ads may not have started. Ask whoever runs connect-card to look up the reference in the log.
        fivetran-route-not-found, fivetran-gateway-404, fivetran-proxy-403
            create: in seconds: I can't reach Fivetran: what answers at its address isn't Fivetran, or doesn't know what I asked for (…). So there's no link for Google Ads yet. Whoever runs connect-card needs to check DNS, the firewall and HTTPS_PROXY; the log has the reference. After that, type the same command again.
            create, of a newer service: in seconds: I can't reach Fivetran: what answers at its address isn't Fivetran, or doesn't know what I asked for (…). So there's no link for Google Ads yet. Whoever runs connect-card needs to check DNS, the firewall and HTTPS_PROXY; the log has the reference. After that, type the same command again.
            renew: in seconds: I can't reach Fivetran: what answers at its address isn't Fivetran, or doesn't know what I asked for (…). So I couldn't make a new link for Google Ads. Whoever runs connect-card needs to check DNS, the firewall and HTTPS_PROXY; the log has the reference. After that, try again.
            cancel: in seconds: I can't reach Fivetran: what answers at its address isn't Fivetran, or doesn't know what I asked for (…). So the connection for Google Ads may not have been cancelled. Whoever runs connect-card needs to check DNS, the firewall and HTTPS_PROXY; the log has the reference. After that, try again.
            sync: in seconds: I can't reach Fivetran: what answers at its address isn't Fivetran, or doesn't know what I asked for (…). So a sync of Google Ads may not have started. Whoever runs connect-card needs to check DNS, the firewall and HTTPS_PROXY; the log has the reference. After that, try again.
        fivetran-proxy-401, fivetran-proxy-405, fivetran-proxy-451
            create: at once: I can't reach Fivetran: what answers at its address isn't Fivetran, or doesn't know what I asked for (…). So there's no link for Google Ads yet. Whoever runs connect-card needs to check DNS, the firewall and HTTPS_PROXY; the log has the reference. After that, type the same command again.
            create, of a newer service: at once: I can't reach Fivetran: what answers at its address isn't Fivetran, or doesn't know what I asked for (…). So there's no link for Google Ads yet. Whoever runs connect-card needs to check DNS, the firewall and HTTPS_PROXY; the log has the reference. After that, type the same command again.
            renew: at once: I can't reach Fivetran: what answers at its address isn't Fivetran, or doesn't know what I asked for (…). So I couldn't make a new link for Google Ads. Whoever runs connect-card needs to check DNS, the firewall and HTTPS_PROXY; the log has the reference. After that, try again.
            cancel: at once: I can't reach Fivetran: what answers at its address isn't Fivetran, or doesn't know what I asked for (…). So the connection for Google Ads may not have been cancelled. Whoever runs connect-card needs to check DNS, the firewall and HTTPS_PROXY; the log has the reference. After that, try again.
            sync: at once: I can't reach Fivetran: what answers at its address isn't Fivetran, or doesn't know what I asked for (…). So a sync of Google Ads may not have started. Whoever runs connect-card needs to check DNS, the firewall and HTTPS_PROXY; the log has the reference. After that, try again.
        fivetran-proxy-407
            create: at once: I can't reach Fivetran: the proxy on the way wants a name and a password. So there's no link for Google Ads yet. Whoever runs connect-card needs to put both into HTTPS_PROXY; the log has the reference. After that, type the same command again.
            create, of a newer service: at once: I can't reach Fivetran: the proxy on the way wants a name and a password. So there's no link for Google Ads yet. Whoever runs connect-card needs to put both into HTTPS_PROXY; the log has the reference. After that, type the same command again.
            renew: at once: I can't reach Fivetran: the proxy on the way wants a name and a password. So I couldn't make a new link for Google Ads. Whoever runs connect-card needs to put both into HTTPS_PROXY; the log has the reference. After that, try again.
            cancel: at once: I can't reach Fivetran: the proxy on the way wants a name and a password. So the connection for Google Ads may not have been cancelled. Whoever runs connect-card needs to put both into HTTPS_PROXY; the log has the reference. After that, try again.
            sync: at once: I can't reach Fivetran: the proxy on the way wants a name and a password. So a sync of Google Ads may not have started. Whoever runs connect-card needs to put both into HTTPS_PROXY; the log has the reference. After that, try again.
        fivetran-portal-511
            create: at once: I can't reach Fivetran: the network wants somebody to sign in first. So there's no link for Google Ads yet. Whoever runs connect-card needs to sign this machine in to the network, or check HTTPS_PROXY; the log has the reference. After that, type the same command again.
            create, of a newer service: at once: I can't reach Fivetran: the network wants somebody to sign in first. So there's no link for Google Ads yet. Whoever runs connect-card needs to sign this machine in to the network, or check HTTPS_PROXY; the log has the reference. After that, type the same command again.
            renew: at once: I can't reach Fivetran: the network wants somebody to sign in first. So I couldn't make a new link for Google Ads. Whoever runs connect-card needs to sign this machine in to the network, or check HTTPS_PROXY; the log has the reference. After that, try again.
            cancel: at once: I can't reach Fivetran: the network wants somebody to sign in first. So the connection for Google Ads may not have been cancelled. Whoever runs connect-card needs to sign this machine in to the network, or check HTTPS_PROXY; the log has the reference. After that, try again.
            sync: at once: I can't reach Fivetran: the network wants somebody to sign in first. So a sync of Google Ads may not have started. Whoever runs connect-card needs to sign this machine in to the network, or check HTTPS_PROXY; the log has the reference. After that, try again.
        fivetran-portal-302, fivetran-portal-307, fivetran-moved-301, fivetran-moved-308
            create: at once: I can't reach Fivetran: its address redirects me (…). So there's no link for Google Ads yet. Whoever runs connect-card needs to check HTTPS_PROXY, and whether the network wants somebody to sign in; the log has the reference. After that, type the same command again.
            create, of a newer service: at once: I can't reach Fivetran: its address redirects me (…). So there's no link for Google Ads yet. Whoever runs connect-card needs to check HTTPS_PROXY, and whether the network wants somebody to sign in; the log has the reference. After that, type the same command again.
            renew: at once: I can't reach Fivetran: its address redirects me (…). So I couldn't make a new link for Google Ads. Whoever runs connect-card needs to check HTTPS_PROXY, and whether the network wants somebody to sign in; the log has the reference. After that, try again.
            cancel: at once: I can't reach Fivetran: its address redirects me (…). So the connection for Google Ads may not have been cancelled. Whoever runs connect-card needs to check HTTPS_PROXY, and whether the network wants somebody to sign in; the log has the reference. After that, try again.
            sync: at once: I can't reach Fivetran: its address redirects me (…). So a sync of Google Ads may not have started. Whoever runs connect-card needs to check HTTPS_PROXY, and whether the network wants somebody to sign in; the log has the reference. After that, try again.
    "#]].assert_eq(&table.to_string());
}

#[tokio::test]
async fn what_is_told_is_so_whatever_is_wrong_on_the_way() {
    let fivetran = Outside::start().await.fivetran;
    let mut table = Table::default();
    for way in chaos::WAYS {
        table.row(
            way.name,
            read(&fivetran, &way.url(fivetran.addr()), client(), &way.name.replace('-', "_"), &[]).await,
        );
    }
    let untrusted = crate::network::tls_server("server.pem");
    table.row(
        "an unknown authority",
        read(&fivetran, untrusted.trim_end_matches('/'), client(), "tls", &[]).await,
    );
    // A proxy that is asked for a tunnel.
    for status in [403, 407] {
        fivetran.faults(|faults| faults.fail_always("unknown", Fault::Page(status, "<html>")));
        let proxies = Proxies { https: proxy_url(&fivetran.url()), ..Proxies::default() };
        let client = outbound::client(&Network { proxies, roots: None }).unwrap();
        let name = format!("a proxy says {status}");
        table.row(
            &name,
            read(&fivetran, "https://api.fivetran.example", client, &format!("p{status}"), &[]).await,
        );
    }
    expect![[r#"
        fivetran-refused
            create: waits: I can't reach Fivetran right now … in the end: Fivetran couldn't be reached, or gave no clear answer in time. Try the same command again in a while: if the connection for Google Ads was created after all, you'll get a link for it, not a second connection.
            create, of a newer service: waits: I can't reach Fivetran right now … in the end: Fivetran couldn't be reached, or gave no clear answer in time. Try the same command again in a while: if the connection for Google Ads was created after all, you'll get a link for it, not a second connection.
            renew: waits: I can't reach Fivetran right now … in the end: Fivetran couldn't be reached, or gave no clear answer in time, so I couldn't make a new link. Try again later.
            cancel: waits: I can't reach Fivetran right now … in the end: Fivetran couldn't be reached, or gave no clear answer in time, so the connection for Google Ads may not have been cancelled. Try again later.
            sync: waits: I can't reach Fivetran right now … in the end: Fivetran couldn't be reached, or gave no clear answer in time, so a sync of Google Ads may not have started. Try again later.
        fivetran-without-tls
            create: at once: I can't reach Fivetran: what answers at its address doesn't speak HTTPS. So there's no link for Google Ads yet. Whoever runs connect-card needs to check DNS, the firewall and HTTPS_PROXY; the log has the reference. After that, type the same command again.
            create, of a newer service: at once: I can't reach Fivetran: what answers at its address doesn't speak HTTPS. So there's no link for Google Ads yet. Whoever runs connect-card needs to check DNS, the firewall and HTTPS_PROXY; the log has the reference. After that, type the same command again.
            renew: at once: I can't reach Fivetran: what answers at its address doesn't speak HTTPS. So I couldn't make a new link for Google Ads. Whoever runs connect-card needs to check DNS, the firewall and HTTPS_PROXY; the log has the reference. After that, try again.
            cancel: at once: I can't reach Fivetran: what answers at its address doesn't speak HTTPS. So the connection for Google Ads may not have been cancelled. Whoever runs connect-card needs to check DNS, the firewall and HTTPS_PROXY; the log has the reference. After that, try again.
            sync: at once: I can't reach Fivetran: what answers at its address doesn't speak HTTPS. So a sync of Google Ads may not have started. Whoever runs connect-card needs to check DNS, the firewall and HTTPS_PROXY; the log has the reference. After that, try again.
        an unknown authority
            create: at once: I can't reach Fivetran: its certificate isn't trusted here, as happens where a company's proxy reads along. So there's no link for Google Ads yet. Whoever runs connect-card needs to make the proxy's root certificate known (SSL_CERT_FILE); the log has the reference. After that, type the same command again.
            create, of a newer service: at once: I can't reach Fivetran: its certificate isn't trusted here, as happens where a company's proxy reads along. So there's no link for Google Ads yet. Whoever runs connect-card needs to make the proxy's root certificate known (SSL_CERT_FILE); the log has the reference. After that, type the same command again.
            renew: at once: I can't reach Fivetran: its certificate isn't trusted here, as happens where a company's proxy reads along. So I couldn't make a new link for Google Ads. Whoever runs connect-card needs to make the proxy's root certificate known (SSL_CERT_FILE); the log has the reference. After that, try again.
            cancel: at once: I can't reach Fivetran: its certificate isn't trusted here, as happens where a company's proxy reads along. So the connection for Google Ads may not have been cancelled. Whoever runs connect-card needs to make the proxy's root certificate known (SSL_CERT_FILE); the log has the reference. After that, try again.
            sync: at once: I can't reach Fivetran: its certificate isn't trusted here, as happens where a company's proxy reads along. So a sync of Google Ads may not have started. Whoever runs connect-card needs to make the proxy's root certificate known (SSL_CERT_FILE); the log has the reference. After that, try again.
        a proxy says 403
            create: in seconds: I can't reach Fivetran: the proxy on the way answers, but doesn't connect me. So there's no link for Google Ads yet. Whoever runs connect-card needs to check HTTPS_PROXY, and whether the proxy works and lets Fivetran's address through; the log has the reference. After that, type the same command again.
            create, of a newer service: in seconds: I can't reach Fivetran: the proxy on the way answers, but doesn't connect me. So there's no link for Google Ads yet. Whoever runs connect-card needs to check HTTPS_PROXY, and whether the proxy works and lets Fivetran's address through; the log has the reference. After that, type the same command again.
            renew: in seconds: I can't reach Fivetran: the proxy on the way answers, but doesn't connect me. So I couldn't make a new link for Google Ads. Whoever runs connect-card needs to check HTTPS_PROXY, and whether the proxy works and lets Fivetran's address through; the log has the reference. After that, try again.
            cancel: in seconds: I can't reach Fivetran: the proxy on the way answers, but doesn't connect me. So the connection for Google Ads may not have been cancelled. Whoever runs connect-card needs to check HTTPS_PROXY, and whether the proxy works and lets Fivetran's address through; the log has the reference. After that, try again.
            sync: in seconds: I can't reach Fivetran: the proxy on the way answers, but doesn't connect me. So a sync of Google Ads may not have started. Whoever runs connect-card needs to check HTTPS_PROXY, and whether the proxy works and lets Fivetran's address through; the log has the reference. After that, try again.
        a proxy says 407
            create: at once: I can't reach Fivetran: the proxy on the way wants a name and a password. So there's no link for Google Ads yet. Whoever runs connect-card needs to put both into HTTPS_PROXY; the log has the reference. After that, type the same command again.
            create, of a newer service: at once: I can't reach Fivetran: the proxy on the way wants a name and a password. So there's no link for Google Ads yet. Whoever runs connect-card needs to put both into HTTPS_PROXY; the log has the reference. After that, type the same command again.
            renew: at once: I can't reach Fivetran: the proxy on the way wants a name and a password. So I couldn't make a new link for Google Ads. Whoever runs connect-card needs to put both into HTTPS_PROXY; the log has the reference. After that, try again.
            cancel: at once: I can't reach Fivetran: the proxy on the way wants a name and a password. So the connection for Google Ads may not have been cancelled. Whoever runs connect-card needs to put both into HTTPS_PROXY; the log has the reference. After that, try again.
            sync: at once: I can't reach Fivetran: the proxy on the way wants a name and a password. So a sync of Google Ads may not have started. Whoever runs connect-card needs to put both into HTTPS_PROXY; the log has the reference. After that, try again.
    "#]].assert_eq(&table.to_string());
}

#[tokio::test]
async fn a_status_says_what_can_be_seen_and_no_answer_moves_a_message() {
    let bot = TestBot::start().await;
    bot.types("google_ads acme").await;
    let (posted, id) = (bot.link_message(), bot.connection_of("acme"));
    let mut table = Table::default();
    let (slow, quick): (Vec<&Row>, Vec<&Row>) = rows()
        .filter(|row| ["get_connection", "list_page"].iter().any(|route| row.routes.contains(route)))
        .partition(|row| is_slow(row));
    for row in quick {
        bot.fivetran.chaos(row.name, Lasts::UntilHealed);
        let said = bot.types("status acme").await;
        table.row(row.name, vec![says(&bot.private(&said).rendered())]);
        bot.passes(A_LIST).await;
        assert_eq!(bot.link_message(), posted, "{}", row.name);
        bot.fivetran.faults(Faults::heal);
    }
    // Each waits as long as an acknowledgement may.
    for row in &slow {
        bot.fivetran.chaos(row.name, Lasts::Calls(1));
    }
    for ack in join_all(slow.iter().map(|_| bot.send("status acme"))).await {
        let names: Vec<_> = slow.iter().map(|row| row.name).collect();
        table.row(&names.join(", "), vec![says(&bot.private(&ack).rendered())]);
    }
    bot.fivetran.faults(Faults::heal);
    assert_eq!(bot.connection_of("acme"), id);
    bot.customer_finishes("acme");
    for _ in 0..4 {
        bot.passes(Duration::from_secs(3600)).await;
    }
    assert!(bot.link_message().rendered().contains("is connected"), "{}", bot.link_message().rendered());
    bot.finish().await;
    expect![[r#"
        fivetran-400, fivetran-405, fivetran-406, fivetran-409, fivetran-410, fivetran-413, fivetran-415, fivetran-422, fivetran-423, fivetran-451
            I couldn't see what Fivetran says; this is the last known status. Fivetran refused to tell (“…”). Open the connection in Fivetran to see how it stands.
        fivetran-401
            I couldn't see what Fivetran says; this is the last known status. Fivetran rejected the API key. Whoever runs connect-card needs to set FIVETRAN_API_KEY and FIVETRAN_API_SECRET to a valid key.
        fivetran-403
            I couldn't see what Fivetran says; this is the last known status. The Fivetran API key isn't allowed to see it (“…”). Whoever runs connect-card needs to let it read the connections of this destination.
        fivetran-pause-of-seconds
            I couldn't see what Fivetran says; this is the last known status. Fivetran's rate limit has been reached; try again in 30 seconds.
        fivetran-pause-of-an-hour, fivetran-pause-until-a-date, fivetran-pause-absurd
            I couldn't see what Fivetran says; this is the last known status. Fivetran's rate limit has been reached; try again in 60 minutes.
        fivetran-pause-unsaid
            I couldn't see what Fivetran says; this is the last known status. Fivetran's rate limit has been reached; try again in an hour.
        fivetran-500, fivetran-501, fivetran-503, fivetran-408, fivetran-425, fivetran-502, fivetran-504, fivetran-520, fivetran-522, fivetran-524, fivetran-598, fivetran-cut, fivetran-dropped-before, fivetran-dropped-after, fivetran-reset, fivetran-slow-head, fivetran-slow-body
            I couldn't see what Fivetran says just now; this is the last known status.
        fivetran-empty, fivetran-204, fivetran-other-json
            I couldn't see what Fivetran says; this is the last known status. I can't read Fivetran's answer: it has a form that I don't know. Open the connection in Fivetran to see how it stands.
        fivetran-gzip, fivetran-route-not-found, fivetran-gateway-404, fivetran-proxy-403, fivetran-proxy-401, fivetran-proxy-405, fivetran-proxy-451, fivetran-portal-200
            I couldn't see what Fivetran says; this is the last known status. I can't reach Fivetran: what answers at its address isn't Fivetran, or doesn't know what I asked for (…). Whoever runs connect-card needs to check DNS, the firewall and HTTPS_PROXY.
        fivetran-byte-order-mark, fivetran-wrong-charset, fivetran-large
            Fivetran says: nobody has finished the setup yet.
        fivetran-too-large
            I couldn't see what Fivetran says; this is the last known status. Fivetran's answer about this connection is larger than the 8 MB that I read. Open the connection in Fivetran to see how it stands.
        fivetran-proxy-407
            I couldn't see what Fivetran says; this is the last known status. I can't reach Fivetran: the proxy on the way wants a name and a password. Whoever runs connect-card needs to put both into HTTPS_PROXY.
        fivetran-portal-511
            I couldn't see what Fivetran says; this is the last known status. I can't reach Fivetran: the network wants somebody to sign in first. Whoever runs connect-card needs to sign this machine in to the network, or check HTTPS_PROXY.
        fivetran-portal-302, fivetran-portal-307, fivetran-moved-301, fivetran-moved-308
            I couldn't see what Fivetran says; this is the last known status. I can't reach Fivetran: its address redirects me (…). Whoever runs connect-card needs to check HTTPS_PROXY, and whether the network wants somebody to sign in.
    "#]].assert_eq(&table.to_string());
}

#[tokio::test]
async fn a_catalogue_that_cannot_be_had_keeps_nobody_from_a_service_that_is_known() {
    for row in chaos::all().filter(|row| row.routes == ["connector_types"]) {
        let setup = Setup::new().await;
        setup.fivetran.list_service("brand_new", "Brand New");
        setup.fivetran.chaos(row.name, Lasts::UntilHealed);
        let bot = setup.start_without_catalogue().await;
        assert_eq!(accepted(&bot.send("brand_new fresh").await), None, "{}", row.name);
        assert!(accepted(&bot.send("google_ads acme").await).is_some(), "{}", row.name);
        bot.finish_with_link().await;
    }
}

/// What a status says of what Fivetran says.
fn says(shown: &str) -> String {
    let mut lines = shown.lines().filter(|line| line.contains("Fivetran"));
    lines.next().unwrap_or(shown).to_owned()
}
