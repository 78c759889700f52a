//! A node's event stream.

use std::time::Duration;

use ledger_types::Digest;
use reqwest::Response;
use serde::{Deserialize, Serialize};
use tokio::time::timeout;

use crate::node::{NodeClient, NodeError};

/// Longest silence before the connection counts as broken: the node sends a comment every 15 s.
const SILENCE_MAX: Duration = Duration::from_secs(45);
/// Bytes of one event at most.
const EVENT_BYTES_MAX: usize = 1024 * 1024;

/// How a node stands as a stream begins.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Standing {
    /// Last executed height.
    pub executed_height: u64,
    /// Its execution root.
    pub execution_root: Digest,
    /// `ok` or `repairing`.
    pub integrity: String,
    /// What is wrong and not put right yet.
    pub open_incidents: Vec<Incident>,
}

/// A block that the node has executed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BlockExecuted {
    /// Its height.
    pub height: u64,
    /// Its digest.
    pub digest: Digest,
    /// How many transactions it holds.
    pub transactions: u32,
    /// The root over state and results after it.
    pub execution_root: Digest,
}

/// Something that a node found wrong. What newer nodes say in addition is left out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Incident {
    /// Its id on that node.
    pub id: String,
    /// What: `block_corrupt`, `state_corrupt`, `equivocation`.
    pub kind: String,
    /// In words.
    pub summary: String,
    /// When it was found, Unix milliseconds.
    pub opened_at_ms: u64,
    /// When it was put right, Unix milliseconds.
    #[serde(default)]
    pub resolved_at_ms: Option<u64>,
}

/// Something that happened on a node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NodeEvent {
    /// The first of a stream.
    Standing(Standing),
    /// A block was executed.
    Block(BlockExecuted),
    /// Something was found wrong.
    IncidentOpened(Incident),
    /// Something was put right.
    IncidentResolved(Incident),
    /// The node trusts its disk again (`ok`), or no longer (`repairing`).
    Integrity(String),
    /// The node ends the stream, for this reason.
    CutOff(String),
    /// Something that this program does not know yet.
    Other(String),
}

/// An open stream.
#[derive(Debug)]
pub struct Events {
    answer: Response,
    node: NodeClient,
    parser: Parser,
}

impl Events {
    pub(crate) fn new(node: NodeClient, answer: Response) -> Self {
        Self { answer, node, parser: Parser::default() }
    }

    /// What to ask for after a break: the last height seen.
    #[must_use]
    pub fn last_id(&self) -> Option<u64> {
        self.parser.last_id
    }

    /// The next event; `None` when the stream has ended.
    ///
    /// # Errors
    /// When the connection breaks or stays silent, or what comes is no event of the interface.
    pub async fn next(&mut self) -> Result<Option<NodeEvent>, NodeError> {
        loop {
            if let Some(event) = self.parser.take() {
                return event.map(Some).map_err(|reason| self.node.malformed(reason));
            }
            match timeout(SILENCE_MAX, self.answer.chunk()).await {
                Ok(Ok(Some(part))) => {
                    self.parser.feed(&part).map_err(|reason| self.node.malformed(reason))?;
                }
                Ok(Ok(None)) => return Ok(None),
                Ok(Err(error)) => return Err(self.node.unreachable(&error)),
                Err(_) => return Err(self.node.silent()),
            }
        }
    }
}

/// Cuts a stream into events.
#[derive(Debug, Default)]
struct Parser {
    waiting: Vec<u8>,
    last_id: Option<u64>,
}

impl Parser {
    fn feed(&mut self, part: &[u8]) -> Result<(), String> {
        if self.waiting.len() + part.len() > EVENT_BYTES_MAX {
            return Err(format!("an event of more than {EVENT_BYTES_MAX} bytes"));
        }
        self.waiting.extend_from_slice(part);
        Ok(())
    }

    /// The next whole event; comments are none.
    fn take(&mut self) -> Option<Result<NodeEvent, String>> {
        loop {
            let end = self.waiting.windows(2).position(|pair| pair == b"\n\n")?;
            let block: Vec<u8> = self.waiting.drain(..end + 2).collect();
            let Ok(text) = std::str::from_utf8(&block) else {
                return Some(Err("an event that is not UTF-8".into()));
            };
            let (mut kind, mut data) = ("", String::new());
            for line in text.lines() {
                let (name, value) = line.split_once(':').unwrap_or((line, ""));
                let value = value.strip_prefix(' ').unwrap_or(value);
                match name {
                    "event" => kind = value,
                    "data" => data.push_str(value),
                    "id" => self.last_id = value.parse().ok().or(self.last_id),
                    _ => {}
                }
            }
            if !data.is_empty() {
                return Some(read(kind, &data).map_err(|error| error.to_string()));
            }
        }
    }
}

fn read(kind: &str, data: &str) -> Result<NodeEvent, serde_json::Error> {
    #[derive(Deserialize)]
    struct Integrity {
        integrity: String,
    }
    #[derive(Deserialize)]
    struct CutOff {
        reason: String,
    }
    Ok(match kind {
        "standing" => NodeEvent::Standing(serde_json::from_str(data)?),
        "block" => NodeEvent::Block(serde_json::from_str(data)?),
        "incident_opened" => NodeEvent::IncidentOpened(serde_json::from_str(data)?),
        "incident_resolved" => NodeEvent::IncidentResolved(serde_json::from_str(data)?),
        "integrity" => NodeEvent::Integrity(serde_json::from_str::<Integrity>(data)?.integrity),
        "cut_off" => NodeEvent::CutOff(serde_json::from_str::<CutOff>(data)?.reason),
        other => NodeEvent::Other(other.to_owned()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Events arrive in any pieces, between comments; the id survives for the next attempt.
    #[test]
    fn events_are_found_in_any_pieces() {
        let text = ": keep alive\n\nevent: integrity\nid: 7\ndata: {\"integrity\":\"ok\"}\n\n\
                    event: cut_off\ndata: {\"reason\":\"too_slow\"}\n\nevent: new\ndata: {}\n\n";
        for size in [1, 7, text.len()] {
            let mut parser = Parser::default();
            let mut found = Vec::new();
            for part in text.as_bytes().chunks(size) {
                parser.feed(part).unwrap();
                while let Some(event) = parser.take() {
                    found.push(event.unwrap());
                }
            }
            let expected = [
                NodeEvent::Integrity("ok".into()),
                NodeEvent::CutOff("too_slow".into()),
                NodeEvent::Other("new".into()),
            ];
            assert_eq!(found, expected, "in pieces of {size}");
            assert_eq!(parser.last_id, Some(7));
        }
    }

    /// A node that never ends an event must not fill the client's memory.
    #[test]
    fn an_endless_event_is_refused() {
        let mut parser = Parser::default();
        let part = vec![b'x'; EVENT_BYTES_MAX];
        parser.feed(&part).unwrap();
        assert!(parser.take().is_none());
        assert!(parser.feed(b"x").is_err());
    }
}
