//! The examples in the document: one small ledger, told consistently. A test reads each of them with
//! the types that programs use.

use serde_json::{Value, json};

const LEDGER: &str = "0199b2a4-7c10-7d52-9f3e-2b6c1a90d4e7";
const NODE: &str = "0199b2a4-8d21-7a63-8e4f-3c7d2ba1e5f8";
const TRANSACTION: &str = "6f1d2c3b4a5968778695a4b3c2d1e0ff6f1d2c3b4a5968778695a4b3c2d1e0ff";
const BLOCK: &str = "b10c5a4e3d2c1b0a99887766554433221100ffeeddccbbaa9988776655443322";
const PARENT: &str = "0f1e2d3c4b5a69788796a5b4c3d2e1f00f1e2d3c4b5a69788796a5b4c3d2e1f0";
const ROOT: &str = "5e7a1b2c3d4e5f60718293a4b5c6d7e8f90a1b2c3d4e5f60718293a4b5c6d7e8";
const STATE: &str = "c0ffee00112233445566778899aabbccddeeff00112233445566778899aabbcc";
const LIST: &str = "1a2b3c4d5e6f708192a3b4c5d6e7f8091a2b3c4d5e6f708192a3b4c5d6e7f809";
const KEY: &str = "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a";
const SIGNATURE: &str = "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e06522490155\
                         5fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b";

/// A signed transaction, shortened.
pub(in crate::api) const RAW_TRANSACTION: &str = "0199b2a47c107d529f3e2b6c1a90d4e7d75a980182b10ab7";

/// The beginning of a stream.
pub(in crate::api) const EVENTS: &str = "\
event: standing
id: 5
data: {\"executed_height\":5,\"execution_root\":\"5e7a…\",\"integrity\":\"ok\",\"open_incidents\":[]}

event: block
id: 6
data: {\"height\":6,\"digest\":\"b10c…\",\"transactions\":1,\"execution_root\":\"91af…\"}

";

pub(in crate::api) fn executed() -> Value {
    json!({
        "transaction": TRANSACTION,
        "progress": "executed",
        "height": 5,
        "outcome": { "status": "applied", "changes": [1, 1, 1] },
    })
}

pub(in crate::api) fn query() -> Value {
    json!({
        "sql": "SELECT id, balance FROM account WHERE id = ?1",
        "parameters": [42],
        "height": 5,
    })
}

pub(in crate::api) fn rows() -> Value {
    json!({
        "columns": ["id", "balance"],
        "rows": [[42, 1_000]],
        "height": 5,
        "truncated": false,
    })
}

pub(in crate::api) fn status() -> Value {
    json!({
        "ledger": LEDGER,
        "node": 0,
        "height": 6,
        "executed_height": 6,
        "execution_root": ROOT,
        "round": 0,
        "leader": 2,
        "policy": "bft",
        "validators": 4,
        "may_vote": true,
        "diverged": false,
        "integrity": "ok",
        "waiting": 0,
        "quorum_reachable": true,
        "peers_connected": [1, 2, 3],
        "kept_heights": { "from": 1, "to": 6 },
    })
}

pub(in crate::api) fn incident() -> Value {
    json!({
        "id": "1767225600000-1",
        "kind": "state_corrupt",
        "height": 5,
        "table": "account",
        "summary": "table account: rows from key 80…2a to 80…2a were changed outside the ledger",
        "opened_at_ms": 1_767_225_600_000_u64,
        "resolved_at_ms": 1_767_225_600_850_u64,
        "kept_original": "distrusted-5-1767225600012-state.db",
    })
}

fn header(height: u64) -> Value {
    json!({
        "height": height,
        "epoch": 0,
        "parent": PARENT,
        "time_ms": 1_767_225_600_000_u64,
        "proposer": 1,
        "transaction_count": 1,
        "transactions_root": LIST,
        "batches": LIST,
        "executed": { "height": height - 1, "root": ROOT },
    })
}

fn certificate(height: u64) -> Value {
    json!({
        "kind": "fast",
        "epoch": 0,
        "height": height,
        "round": 0,
        "block": BLOCK,
        "signatures": [[0, SIGNATURE], [1, SIGNATURE], [2, SIGNATURE]],
    })
}

pub(in crate::api) fn block() -> Value {
    json!({
        "header": header(5),
        "digest": BLOCK,
        "transactions": [TRANSACTION],
        "certificate": certificate(5),
    })
}

pub(in crate::api) fn receipt() -> Value {
    json!({
        "ledger": LEDGER,
        "transaction": TRANSACTION,
        "height": 5,
        "path": { "index": 0, "count": 1, "siblings": [] },
        "outcome": { "status": "applied", "changes": [1, 1, 1] },
        "state_root": STATE,
        "covering": header(6),
        "certificate": certificate(6),
    })
}

pub(in crate::api) fn genesis() -> Value {
    json!({
        "charter": {
            "ledger": LEDGER,
            "name": "main",
            "suite": "ed25519-sha256",
            "policy": "bft",
            "development": false,
            "members": [{ "name": "alpha", "administrator": KEY }],
            "threshold": 1,
            "anchor": null,
            "ca_certificate": "-----BEGIN CERTIFICATE-----\n…\n-----END CERTIFICATE-----\n",
        },
        "charter_signatures": [SIGNATURE],
        "validators": [{
            "node": NODE,
            "name": "a1",
            "member": 0,
            "consensus_key": KEY,
            "tls_key": STATE,
            "p2p": "a1.alpha.example:7001",
            "endorsed": SIGNATURE,
        }],
        "created_at_ms": 1_767_225_600_000_u64,
    })
}
