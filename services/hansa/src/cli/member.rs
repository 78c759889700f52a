//! Seats of consortiums and the keys that hold them.

use std::path::PathBuf;

use clap::Subcommand;

#[derive(Debug, Subcommand)]
pub(crate) enum Member {
    /// The key that is a member's authority over ledgers.
    #[command(subcommand)]
    Key(Key),
}

#[derive(Debug, Subcommand)]
pub(crate) enum Key {
    /// Makes a key file (mode 0600) and prints its public half.
    Create {
        /// The file to make; it must not exist.
        file: PathBuf,
    },
}

impl Member {
    pub(crate) fn run(self) -> anyhow::Result<()> {
        match self {
            Self::Key(Key::Create { file }) => {
                println!("{}", ledger_client::create_key_file(&file)?.public_key());
                Ok(())
            }
        }
    }
}
