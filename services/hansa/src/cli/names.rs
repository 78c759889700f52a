//! Names where the API wants ids.

use std::str::FromStr;

use hansa_core::{ConsortiumId, Name, NameError, Uuid};
use hansa_types::{
    Cluster, Consortium, ConsortiumPhase, Invitation, InvitationPhase, Ledger, LedgerPhase, Node,
    NodePhase,
};

use super::{
    api::Api,
    failure::{Failure, Kind, Outcome},
};

/// Something by its id or its name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Reference {
    /// An id.
    Id(Uuid),
    /// A name.
    Name(Name),
}

impl FromStr for Reference {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        match Uuid::try_parse(text) {
            Ok(id) => Ok(Self::Id(id)),
            Err(_) => text.parse().map(Self::Name),
        }
    }
}

impl std::fmt::Display for Reference {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Id(id) => id.fmt(f),
            Self::Name(name) => name.fmt(f),
        }
    }
}

/// A ledger: `CONSORTIUM/NAME` or an id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum LedgerReference {
    /// An id.
    Id(Uuid),
    /// Within a consortium.
    Path(Reference, Name),
}

impl FromStr for LedgerReference {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Some((consortium, ledger)) = text.split_once('/') {
            let consortium = consortium.parse().map_err(|e: NameError| e.to_string())?;
            return Ok(Self::Path(
                consortium,
                ledger.parse().map_err(|e: NameError| e.to_string())?,
            ));
        }
        Uuid::try_parse(text)
            .map(Self::Id)
            .map_err(|_| "a ledger is written CONSORTIUM/NAME, or as its id".to_owned())
    }
}

/// A node: an id, a name within a ledger that is named beside it, or `CONSORTIUM/LEDGER/NAME`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum NodeReference {
    /// An id or a name.
    Plain(Reference),
    /// The whole way.
    Path(LedgerReference, Name),
}

impl FromStr for NodeReference {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.rsplit_once('/') {
            Some((ledger, node)) => {
                Ok(Self::Path(ledger.parse()?, node.parse().map_err(|e: NameError| e.to_string())?))
            }
            None => text.parse().map(Self::Plain).map_err(|e: NameError| e.to_string()),
        }
    }
}

/// The one of `items` that is meant; `describe` gives its name and id.
pub(crate) fn pick<'a, T>(
    kind: &str,
    wanted: &Name,
    items: &'a [T],
    describe: impl Fn(&'a T) -> (&'a Name, Uuid),
) -> Outcome<&'a T> {
    let found: Vec<&T> = items.iter().filter(|item| describe(item).0 == wanted).collect();
    match found[..] {
        [one] => Ok(one),
        [] => {
            let known: Vec<&str> = items.iter().map(|item| describe(item).0.as_str()).collect();
            let text = format!("there is no {kind} {wanted}");
            let missing = Failure::new(Kind::NotFound, text);
            Err(if known.is_empty() {
                missing
            } else {
                missing.next(format!("there are: {}", known.join(", ")))
            })
        }
        [..] => {
            let ids: Vec<String> = found.iter().map(|item| describe(item).1.to_string()).collect();
            let text = format!("there is more than one {kind} {wanted}");
            Err(Failure::usage(text).next(format!("use an id: {}", ids.join(", "))))
        }
    }
}

pub(crate) async fn consortium(api: &Api, wanted: &Reference) -> Outcome<Consortium> {
    match wanted {
        Reference::Id(id) => api.get(&format!("/v1/consortiums/{id}")).await,
        Reference::Name(name) => {
            let mut all: Vec<Consortium> = api.list("/v1/consortiums").await?;
            all.retain(|c| c.phase != ConsortiumPhase::Deleted);
            pick("consortium", name, &all, |c| (&c.name, c.id.uuid())).cloned()
        }
    }
}

pub(crate) async fn cluster(api: &Api, wanted: &Reference) -> Outcome<Cluster> {
    match wanted {
        Reference::Id(id) => api.get(&format!("/v1/clusters/{id}")).await,
        Reference::Name(name) => {
            let all: Vec<Cluster> = api.list("/v1/clusters").await?;
            pick("cluster", name, &all, |c| (&c.name, c.id.uuid())).cloned()
        }
    }
}

pub(crate) async fn ledger(api: &Api, wanted: &LedgerReference) -> Outcome<Ledger> {
    match wanted {
        LedgerReference::Id(id) => api.get(&format!("/v1/ledgers/{id}")).await,
        LedgerReference::Path(of, name) => {
            let of = consortium(api, of).await?;
            let mut all = ledgers(api, of.id).await?;
            all.retain(|l| l.phase != LedgerPhase::Deleted);
            pick("ledger", name, &all, |l| (&l.name, l.id.uuid())).cloned()
        }
    }
}

pub(crate) async fn ledgers(api: &Api, of: ConsortiumId) -> Outcome<Vec<Ledger>> {
    api.list(&format!("/v1/consortiums/{of}/ledgers")).await
}

pub(crate) async fn nodes(api: &Api, of: &Ledger) -> Outcome<Vec<Node>> {
    api.list(&format!("/v1/ledgers/{}/nodes", of.id)).await
}

pub(crate) async fn node(
    api: &Api,
    wanted: &NodeReference,
    of: Option<&LedgerReference>,
) -> Outcome<Node> {
    let (of, name) = match (wanted, of) {
        (NodeReference::Plain(Reference::Id(id)), _) => {
            return api.get(&format!("/v1/nodes/{id}")).await;
        }
        (NodeReference::Path(of, name), None) => (of, name),
        (NodeReference::Plain(Reference::Name(name)), Some(of)) => (of, name),
        (NodeReference::Plain(Reference::Name(name)), None) => {
            let text = format!("of which ledger is the node {name}? Give --ledger CONSORTIUM/NAME");
            return Err(Failure::usage(text));
        }
        (NodeReference::Path(..), Some(_)) => {
            return Err(Failure::usage("the node's ledger is named twice"));
        }
    };
    let all = nodes(api, &ledger(api, of).await?).await?;
    node_of(&all, &Reference::Name(name.clone())).cloned()
}

/// One of a ledger's nodes.
pub(crate) fn node_of<'a>(all: &'a [Node], wanted: &Reference) -> Outcome<&'a Node> {
    match wanted {
        Reference::Id(id) => all
            .iter()
            .find(|node| node.id.uuid() == *id)
            .ok_or_else(|| Failure::new(Kind::NotFound, format!("the ledger has no node {id}"))),
        Reference::Name(name) => {
            let known: Vec<&Node> = all.iter().filter(|n| n.phase != NodePhase::Deleted).collect();
            pick("node", name, &known, |n| (&n.name, n.id.uuid())).copied()
        }
    }
}

/// An invitation by its id, or the open one to a consortium of this name.
pub(crate) async fn invitation(api: &Api, wanted: &Reference) -> Outcome<Invitation> {
    match wanted {
        Reference::Id(id) => api.get(&format!("/v1/invitations/{id}")).await,
        Reference::Name(name) => {
            let mut all: Vec<Invitation> = api.list("/v1/invitations").await?;
            all.retain(|i| i.phase == InvitationPhase::Pending);
            pick("open invitation to", name, &all, |i| (&i.consortium, i.id.uuid())).cloned()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> Name {
        text.parse().expect("a name")
    }

    /// One spelling must mean one thing: an id is never taken for a name.
    #[test]
    fn references_are_read_as_people_write_them() {
        let id = Uuid::from_u128(7);
        assert_eq!(id.to_string().parse(), Ok(Reference::Id(id)));
        assert_eq!("demo".parse(), Ok(Reference::Name(name("demo"))));
        let path = LedgerReference::Path(Reference::Name(name("demo")), name("main"));
        assert_eq!("demo/main".parse(), Ok(path.clone()));
        assert_eq!(id.to_string().parse(), Ok(LedgerReference::Id(id)));
        assert_eq!("demo/main/one".parse(), Ok(NodeReference::Path(path, name("one"))));
        for bad in ["main", "Demo/main", "demo/", "/main", "a/b/c", ""] {
            assert!(bad.parse::<LedgerReference>().is_err(), "{bad:?} is no ledger");
        }
    }

    /// A wrong guess among two things of one name may end the wrong one.
    #[test]
    fn a_name_that_fits_none_or_two_is_refused_with_the_choices() {
        let all = [
            (name("a"), Uuid::from_u128(1)),
            (name("b"), Uuid::from_u128(2)),
            (name("b"), Uuid::from_u128(3)),
        ];
        let pick = |wanted: &str| pick("node", &name(wanted), &all, |(name, id)| (name, *id));
        assert_eq!(pick("a").map(|found| found.1).ok(), Some(Uuid::from_u128(1)));
        let none = pick("c").expect_err("there is no c").to_string();
        assert!(none.contains("there are: a, b"), "name the choices: {none}");
        let two = pick("b").expect_err("there are two").to_string();
        assert!(two.contains(&Uuid::from_u128(3).to_string()), "name the ids: {two}");
    }
}
