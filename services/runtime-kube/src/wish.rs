//! A wish as it lies in the cluster: everything that its objects follow from, but no secret.

use std::collections::BTreeMap;

use hansa_core::{ConsortiumId, Generation, LedgerId, Name, NodeId, TenantId, Timestamp};
use hansa_runtime::{Size, WorkloadSpec};
use serde::{Deserialize, Serialize};

use crate::names;

/// What was wished of a node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Wish {
    pub(crate) node: NodeId,
    pub(crate) consortium: ConsortiumId,
    pub(crate) ledger: LedgerId,
    pub(crate) tenant: TenantId,
    pub(crate) name: Name,
    pub(crate) generation: Generation,
    /// When this generation was first wished for: what was said before is about another.
    pub(crate) wished_at: Timestamp,
    pub(crate) run: bool,
    pub(crate) size: Size,
    pub(crate) enrolment_url: String,
}

impl Wish {
    pub(crate) fn new(spec: &WorkloadSpec, now: Timestamp) -> Self {
        let WorkloadSpec {
            node,
            consortium,
            ledger,
            tenant,
            name,
            generation,
            run,
            size,
            enrolment: hansa_runtime::Enrolment { url, token: _ },
        } = spec.clone();
        Self {
            node,
            consortium,
            ledger,
            tenant,
            name,
            generation,
            wished_at: now,
            run,
            size,
            enrolment_url: url,
        }
    }

    /// Reads the wish that an object's annotations hold.
    pub(crate) fn read(annotations: Option<&BTreeMap<String, String>>) -> Option<Self> {
        serde_json::from_str(annotations?.get(names::WISH)?).ok()
    }

    pub(crate) fn namespace(&self) -> String {
        names::namespace(self.consortium)
    }

    /// What the node's objects are called.
    pub(crate) fn object(&self) -> String {
        names::node(&self.name, self.node)
    }

    /// What selects the node's pod.
    pub(crate) fn selector(&self) -> BTreeMap<String, String> {
        BTreeMap::from([
            (names::NAME.to_owned(), NODE_APP.to_owned()),
            (names::NODE.to_owned(), self.node.to_string()),
        ])
    }
}

/// What nodes are called among applications.
pub(crate) const NODE_APP: &str = "hansa-node";
