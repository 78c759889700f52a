//! The structure that docs/architecture.md describes, compared with what is there.

mod dependencies;
mod project;
mod words;
