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
    limits,
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

/// Bytes of the blocks in one [`Message::Blocks`]; a single larger block still goes.
const BLOCKS_BYTES_MAX: usize = limits::FRAME_BYTES_MAX / 2;
/// What a block takes besides its transactions at most: header, certificate, lengths.
const BLOCK_OVERHEAD: usize = 16 * 1024;

/// Blocks for a [`Message::Blocks`], as many as fit a frame.
#[derive(Debug, Default)]
pub struct BlocksToSend {
    blocks: Vec<DecidedBlock>,
    bytes: usize,
}

impl BlocksToSend {
    /// Adds the next block, if it fits; whether it did. The first one always does.
    pub fn push(&mut self, decided: DecidedBlock) -> bool {
        let transactions = decided.block.transactions.iter();
        let bytes = BLOCK_OVERHEAD + transactions.map(|t| t.raw().len() + 8).sum::<usize>();
        if !self.blocks.is_empty() && self.bytes + bytes > BLOCKS_BYTES_MAX {
            return false;
        }
        self.bytes += bytes;
        self.blocks.push(decided);
        true
    }

    /// What was added.
    pub fn into_blocks(self) -> Vec<DecidedBlock> {
        self.blocks
    }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{CertificateKind, Payload, Statement, TransactionBody, codec::encode};

    fn decided(height: u64, transactions: usize, bytes: usize) -> DecidedBlock {
        let key = SigningKey::from_seed(&[3; 32]);
        let statement = Statement { sql: "x".repeat(bytes), parameters: vec![] };
        let body = TransactionBody {
            ledger: LedgerId([5; 16]),
            signer: key.public_key(),
            nonce: height,
            valid_from_ms: 0,
            valid_until_ms: 1,
            payload: Payload::Sql(vec![statement; 4]),
        };
        let transaction = Arc::new(body.sign(&key));
        let transactions = vec![transaction; transactions];
        let header = BlockHeader {
            height,
            epoch: 0,
            parent: Digest::ZERO,
            time_ms: 0,
            proposer: ValidatorIndex(0),
            transaction_count: 0,
            transactions_root: Digest::ZERO,
            batches: Digest::ZERO,
            executed: Executed { height: 0, root: Digest::ZERO },
        };
        let certificate = Certificate {
            kind: CertificateKind::Commit,
            epoch: 0,
            height,
            round: 0,
            block: Digest::ZERO,
            signatures: vec![(ValidatorIndex(0), Signature([0; 64])); 64],
        };
        DecidedBlock { block: Arc::new(Block { header, transactions }), certificate }
    }

    #[test]
    fn blocks_for_a_late_peer_fit_a_frame_whatever_their_size() {
        // A frame that is too long ends the connection: a node behind large blocks would never return.
        for (transactions, bytes) in [(0, 0), (1, 10), (200, 90), (20, 60_000), (32, 65_000)] {
            let mut blocks = BlocksToSend::default();
            let sent =
                (1..=257).take_while(|h| blocks.push(decided(*h, transactions, bytes))).count();
            assert!(sent > 0, "at least one goes");
            let frame = encode(&Message::Blocks(blocks.into_blocks())).len();
            assert!(frame <= limits::FRAME_BYTES_MAX, "{transactions} of {bytes}: {frame} bytes");
        }
    }
}
