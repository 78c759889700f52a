//! The program, from the outside: its roles, and the command line against an API that the test
//! plays.

mod failures;
mod help;
mod output;
mod played;
mod roles;
mod sign_in;
mod wait;
