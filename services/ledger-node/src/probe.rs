//! What pods reach, tried by pods: one listens, another calls it and the control plane. A cluster's
//! driver starts both to learn whether network policies are enforced there.

use std::{
    net::{Ipv4Addr, SocketAddr},
    path::Path,
    time::Duration,
};

use anyhow::{Context as _, Result};
use futures::future::join_all;
use reqwest::Client;
use serde::Serialize;
use tokio::{
    net::{TcpListener, TcpStream},
    signal::unix::{SignalKind, signal},
    time::{Instant, sleep, timeout},
};

use crate::enrol;

/// How long whoever calls tries.
struct Patience {
    /// Until a listener that may be reached is.
    open: Duration,
    /// Until one that may not be is so no more: policies take a while for a pod that has just started.
    closed: Duration,
    /// Until the control plane answers.
    enrolment: Duration,
}

const PATIENCE: Patience = Patience {
    open: Duration::from_secs(30),
    closed: Duration::from_secs(15),
    enrolment: Duration::from_secs(20),
};
const CONNECT_TIME_MAX: Duration = Duration::from_secs(2);
/// Between two attempts.
const REST: Duration = Duration::from_millis(500);

/// What was reached.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct Reached {
    /// The address that policies leave open: if it was not reached, the other says nothing.
    pub open: bool,
    /// The address that policies close, however often it was tried.
    pub closed: bool,
    /// Why the control plane was not; absent when it was, or when it was not asked for.
    pub enrolment_problem: Option<String>,
}

/// Accepts connections on ports of every interface until SIGTERM.
///
/// # Errors
/// When a port is taken.
pub async fn listen(ports: &[u16]) -> Result<()> {
    let mut ended = signal(SignalKind::terminate())?;
    let mut listeners = Vec::new();
    for port in ports {
        let bound = TcpListener::bind((Ipv4Addr::UNSPECIFIED, *port)).await;
        listeners.push(bound.with_context(|| format!("listening on {port}"))?);
    }
    let accepting = join_all(
        listeners.iter().map(|listener| async { while listener.accept().await.is_ok() {} }),
    );
    tokio::select! {
        _ = ended.recv() => {}
        _ = accepting => {}
    }
    Ok(())
}

/// Tries two addresses of a listener, and the address of the control plane with the file of its
/// authorities.
///
/// # Errors
/// When the control plane's address is none that a node would enrol with.
pub async fn call(
    open: SocketAddr,
    closed: SocketAddr,
    enrolment: Option<(&str, Option<&Path>)>,
) -> Result<Reached> {
    call_for(&PATIENCE, open, closed, enrolment).await
}

async fn call_for(
    patience: &Patience,
    open: SocketAddr,
    closed: SocketAddr,
    enrolment: Option<(&str, Option<&Path>)>,
) -> Result<Reached> {
    let client = enrolment.map(|(url, ca)| enrol::check_url(url).and_then(|()| enrol::client(ca)));
    let client = client.transpose()?;
    let mut is_open = within(patience.open, async || connects(open).await).await;
    let mut is_closed = false;
    if is_open {
        is_closed = within(patience.closed, async || !connects(closed).await).await;
        // A listener that has ended meanwhile is no policy.
        is_open = connects(open).await;
    }
    let enrolment_problem = match (client, enrolment) {
        (Some(client), Some((url, _))) => answers(&client, url, patience.enrolment).await.err(),
        _ => None,
    };
    Ok(Reached { open: is_open, closed: is_open && !is_closed, enrolment_problem })
}

async fn connects(address: SocketAddr) -> bool {
    matches!(timeout(CONNECT_TIME_MAX, TcpStream::connect(address)).await, Ok(Ok(_)))
}

/// Whether anything answers there, with a certificate that nodes would accept.
async fn answers(client: &Client, url: &str, most: Duration) -> Result<(), String> {
    let mut why = String::new();
    let answered =
        within(most, async || match timeout(CONNECT_TIME_MAX, client.get(url).send()).await {
            Ok(Ok(_)) => true,
            Ok(Err(error)) => {
                why = format!("{:#}", anyhow::Error::from(error.without_url()));
                false
            }
            Err(_) => {
                why = format!("no answer within {CONNECT_TIME_MAX:?}");
                false
            }
        });
    if answered.await { Ok(()) } else { Err(format!("{url}: {why}")) }
}

/// Tries until it holds or the time is over; whether it held.
async fn within(most: Duration, mut holds: impl AsyncFnMut() -> bool) -> bool {
    let end = Instant::now() + most;
    loop {
        if holds().await {
            return true;
        }
        if Instant::now() >= end {
            return false;
        }
        sleep(REST).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn listener() -> (TcpListener, SocketAddr) {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("it is bound");
        (listener, address)
    }

    /// A port where nobody listens.
    async fn silent() -> SocketAddr {
        listener().await.1
    }

    /// Each is tried twice.
    const SHORT: Patience = Patience { open: REST, closed: REST, enrolment: REST };

    /// A cluster that enforces nothing must not be taken for one that does, nor the other way round.
    #[tokio::test]
    async fn what_is_reached_all_the_time_is_told_from_what_is_not() {
        let (_open, open) = listener().await;
        let (_closed, closed) = listener().await;
        let reached = call_for(&SHORT, open, closed, None).await.expect("addresses");
        assert_eq!(reached, Reached { open: true, closed: true, enrolment_problem: None });
        let reached = call_for(&SHORT, open, silent().await, None).await.expect("addresses");
        assert_eq!(reached, Reached { open: true, closed: false, enrolment_problem: None });
    }

    /// Where nothing is reached at all, nobody learns whether policies are why.
    #[tokio::test]
    async fn without_the_open_address_the_other_says_nothing() {
        let (_closed, closed) = listener().await;
        let reached = call_for(&SHORT, silent().await, closed, None).await.expect("addresses");
        assert_eq!(reached, Reached { open: false, closed: false, enrolment_problem: None });
    }

    /// The operator must read why nodes of a cluster would never enrol.
    #[tokio::test]
    async fn a_control_plane_that_is_not_reached_is_told_with_its_address_and_why() {
        let (_open, open) = listener().await;
        let url = format!("http://{}", silent().await);
        let reached =
            call_for(&SHORT, open, silent().await, Some((&url, None))).await.expect("addresses");
        let problem = reached.enrolment_problem.expect("nobody listens there");
        assert!(problem.starts_with(&url) && problem.contains("refused"), "{problem}");
        let refused = call_for(&SHORT, open, open, Some(("http://hansa.example", None))).await;
        assert!(refused.is_err(), "no node would enrol in the clear");
    }
}
