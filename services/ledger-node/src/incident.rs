//! What this node found wrong: in memory for its interface, and in a small file, so that a restart
//! does not lose it.

use std::{
    fs,
    io::Write as _,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Incidents kept; the oldest go first.
const INCIDENTS_MAX: usize = 256;

/// What was found wrong.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum IncidentKind {
    /// A stored block is not what was certified, or is gone.
    BlockCorrupt,
    /// Rows are not what the certified blocks lead to.
    StateCorrupt,
    /// A validator signed two things that exclude each other.
    Equivocation,
}

impl IncidentKind {
    /// Every kind.
    pub const ALL: [Self; 3] = [Self::BlockCorrupt, Self::StateCorrupt, Self::Equivocation];

    /// As in JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::BlockCorrupt => "block_corrupt",
            Self::StateCorrupt => "state_corrupt",
            Self::Equivocation => "equivocation",
        }
    }

    /// Whether it says that this node's own files are wrong: then it must not vote.
    pub const fn is_own(self) -> bool {
        match self {
            Self::BlockCorrupt | Self::StateCorrupt => true,
            Self::Equivocation => false,
        }
    }
}

/// Something that this node found wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Incident {
    /// Its id on this node.
    pub id: String,
    /// What.
    pub kind: IncidentKind,
    /// The height that it is about, or that the node had reached.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub height: Option<u64>,
    /// The table with edited rows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub table: Option<String>,
    /// The file with broken blocks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// The validator that cheated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub culprit: Option<u16>,
    /// In words.
    pub summary: String,
    /// When it was found, Unix milliseconds.
    pub opened_at_ms: u64,
    /// When it was put right, Unix milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resolved_at_ms: Option<u64>,
    /// The corrupt original's name below the node's data folder.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kept_original: Option<String>,
}

impl Incident {
    /// An incident that has just been found; its id comes with [`IncidentLog::open`].
    pub(crate) fn new(kind: IncidentKind, summary: String, opened_at_ms: u64) -> Self {
        Self {
            id: String::new(),
            kind,
            height: None,
            table: None,
            file: None,
            culprit: None,
            summary,
            opened_at_ms,
            resolved_at_ms: None,
            kept_original: None,
        }
    }

    /// Whether this node's files are wrong because of it.
    pub(crate) fn is_open_and_own(&self) -> bool {
        self.kind.is_own() && self.resolved_at_ms.is_none()
    }
}

#[derive(Debug, Default, Serialize, Deserialize)]
struct Content {
    /// How many there have ever been.
    count: u64,
    /// Oldest first.
    incidents: Vec<Incident>,
}

/// All incidents, on disk after every change.
#[derive(Debug)]
pub(crate) struct IncidentLog {
    path: PathBuf,
    content: Content,
}

impl IncidentLog {
    /// Reads the file; one that cannot be understood is kept aside.
    pub(crate) fn read(path: &Path) -> Result<Self> {
        let content = match fs::read(path) {
            Ok(bytes) => serde_json::from_slice(&bytes).or_else(|error| -> Result<Content> {
                tracing::warn!("{} is begun anew: {error}", path.display());
                fs::rename(path, path.with_extension("broken"))?;
                Ok(Content::default())
            })?,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Content::default(),
            Err(error) => return Err(error).context("reading the incidents"),
        };
        Ok(Self { path: path.to_owned(), content })
    }

    /// Adds one, unless the same is open already; `None` then.
    pub(crate) fn open(&mut self, mut incident: Incident) -> Result<Option<Incident>> {
        let same = |known: &Incident| {
            known.resolved_at_ms.is_none()
                && (known.kind, &known.file, known.culprit)
                    == (incident.kind, &incident.file, incident.culprit)
                && (incident.kind.is_own() || known.height == incident.height)
        };
        if self.content.incidents.iter().any(same) {
            return Ok(None);
        }
        self.content.count += 1;
        incident.id = format!("{}-{}", incident.opened_at_ms, self.content.count);
        if self.content.incidents.len() >= INCIDENTS_MAX {
            self.content.incidents.remove(0);
        }
        self.content.incidents.push(incident.clone());
        self.write()?;
        Ok(Some(incident))
    }

    /// Marks open ones of this node's own that `which` accepts as put right; returns them.
    pub(crate) fn resolve(
        &mut self,
        now_ms: u64,
        kept: Option<&str>,
        which: impl Fn(&Incident) -> bool,
    ) -> Result<Vec<Incident>> {
        let mut resolved = Vec::new();
        for incident in &mut self.content.incidents {
            if incident.is_open_and_own() && which(incident) {
                incident.resolved_at_ms = Some(now_ms);
                if let Some(kept) = kept {
                    incident.kept_original = Some(kept.to_owned());
                }
                resolved.push(incident.clone());
            }
        }
        if !resolved.is_empty() {
            self.write()?;
        }
        Ok(resolved)
    }

    /// Newest first.
    pub(crate) fn list(&self) -> Vec<Incident> {
        self.content.incidents.iter().rev().cloned().collect()
    }

    /// The reasons why this node must not vote.
    pub(crate) fn open_and_own(&self) -> impl Iterator<Item = &Incident> {
        self.content.incidents.iter().filter(|incident| incident.is_open_and_own())
    }

    fn write(&self) -> Result<()> {
        let temporary = self.path.with_extension("tmp");
        let mut file = fs::File::create(&temporary)?;
        file.write_all(&serde_json::to_vec_pretty(&self.content)?)?;
        file.sync_all()?;
        fs::rename(temporary, &self.path).context("writing the incidents")
    }
}
