//! The command line, from the outside: the real program against an API that the test plays.

mod failures;
mod help;
mod output;
mod played;
mod sign_in;
mod wait;
