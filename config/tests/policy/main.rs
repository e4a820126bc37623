//! What a config means, and what is said of one that is wrong.

mod common;
mod corpus;
mod decisions;
mod faults;
mod print;
mod properties;
