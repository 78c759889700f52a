//! Everything that nodes say to each other: one enum over one connection.

use std::sync::Arc;

use borsh::{BorshDeserialize, BorshSerialize};

use crate::{
    batch::{Batch, BatchRef},
    block::{Block, BlockHeader, Executed},
    certificate::Certificate,
    digest::{Digest, Domain},
    id::{LedgerId, ValidatorIndex},
    key::{PublicKey, Signature, SigningKey},
    proposal::Proposal,
    timeout::Timeout,
    vote::Vote,
};

/// What the consensus engine sends and receives.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub enum ConsensusMessage {
    /// A leader's proposal.
    Proposal(Box<Proposal>),
    /// A vote.
    Vote(Vote),
    /// A round change.
    Timeout(Box<Timeout>),
    /// A decision, for nodes that have the block but too few votes.
    Decision(Box<Certificate>),
}

/// A node's signed statement of where it is; compared live between nodes.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Head {
    /// Who.
    pub node: ValidatorIndex,
    /// Height being decided.
    pub in_progress: u64,
    /// Last decided height.
    pub decided: u64,
    /// Digest of the last decided block.
    pub block: Digest,
    /// Last executed height and root.
    pub executed: Executed,
    /// For each validator the highest height at which the sender has heard it speak: who comes back
    /// on an old copy of its folder learns it from here.
    pub heard: Vec<u64>,
    /// The certificate of the highest height that the sender holds one of: `in_progress` alone is
    /// only a word, and whoever has lost its votes believes no words.
    pub proof: Option<Certificate>,
    /// Unix milliseconds at the sender.
    pub time_ms: u64,
    /// Over everything above.
    pub signature: Signature,
}

impl Head {
    /// The digest under the signature.
    pub fn digest(&self, ledger: LedgerId) -> Digest {
        let mut unsigned = self.clone();
        unsigned.signature = Signature([0; 64]);
        Digest::tagged_value(Domain::Head, ledger, &unsigned)
    }

    /// Signs in place.
    pub fn sign(mut self, key: &SigningKey, ledger: LedgerId) -> Self {
        self.signature = key.sign(&self.digest(ledger));
        self
    }

    /// Whether the signature is `key`'s.
    #[must_use]
    pub fn verify(&self, ledger: LedgerId, key: &PublicKey) -> bool {
        key.verify(&self.digest(ledger), &self.signature)
    }
}

/// A decided block with its decision.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct DecidedBlock {
    /// The block.
    pub block: Arc<Block>,
    /// Why it is decided.
    pub certificate: Certificate,
}

/// One peer-to-peer message.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub enum Message {
    /// For the consensus engine.
    Consensus(ConsensusMessage),
    /// A sealed batch from its origin, or the answer to [`Message::FetchBatch`].
    Batch(Arc<Batch>),
    /// Asks for a batch by name.
    FetchBatch(BatchRef),
    /// Asks for the header and batches of a proposed block by digest.
    FetchProposed {
        /// The height in progress.
        height: u64,
        /// The block.
        block: Digest,
    },
    /// Answers [`Message::FetchProposed`].
    Proposed {
        /// The header.
        header: Box<BlockHeader>,
        /// Its batches.
        batches: Vec<BatchRef>,
    },
    /// Asks for decided blocks, `from..=to`, as many as fit a frame.
    FetchBlocks {
        /// First height.
        from: u64,
        /// Last height.
        to: u64,
    },
    /// Answers [`Message::FetchBlocks`]: consecutive, from the first height asked.
    Blocks(Vec<DecidedBlock>),
    /// Where the sender is; sent every second and on connection.
    Head(Box<Head>),
}
