//! What storage promises after crashes and rot.

mod block_log;
mod crash;
mod disk;
mod failing;
mod fixture;
mod kill;
mod recovery;
mod rot;
mod vote_log;
