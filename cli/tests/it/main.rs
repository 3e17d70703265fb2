//! End to end: the built program over databases and git repositories made for each test.
//!
//! Nothing of the user's takes part: git runs without their configuration, every file is in a
//! temporary directory, every identity and time is fixed.
#![cfg(unix)]

mod altered;
mod by_hand;
mod changelog;
mod changelog_damage;
mod commands;
mod damage;
mod demo;
mod drill;
mod errors;
mod git_history;
mod git_records;
mod git_scripted;
mod help;
mod ingest;
mod jsonl;
mod map;
mod pipes;
mod prune;
mod replicate;
mod resume;
mod signals;

#[path = "../support/history.rs"]
mod history;
#[path = "../support/nats.rs"]
mod nats;
#[path = "../support/program.rs"]
mod program;
