//! The program, from the outside.

mod roles;
