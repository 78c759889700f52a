//! What storage promises after crashes and rot.

mod block_log;
mod crash;
mod disk;
mod fixture;
mod recovery;
mod rot;
mod vote_log;
