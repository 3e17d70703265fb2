//! The engine's tests, in one program.

mod all_families;
mod basics;
mod cells;
mod changelog_consumers;
#[cfg(feature = "sim")]
mod changelog_damage;
mod changelog_entries;
mod changelog_files;
#[cfg(feature = "sim")]
mod changelog_golden;
mod changelog_mishaps;
mod changelog_reading;
mod changelog_repair;
mod changelog_replicas;
mod changelog_support;
mod changelog_threads;
mod check_findings;
mod closing;
#[cfg(feature = "sim")]
mod corruption;
mod diffs;
mod dump;
mod dump_records;
mod durability;
mod edges;
mod errors;
mod facets;
mod failures;
mod files;
mod format_bits;
mod free_list;
#[cfg(feature = "sim")]
mod fuzz_corpus;
mod gate;
mod geometry;
#[cfg(feature = "sim")]
mod golden;
mod group_commit;
mod hooks;
mod image;
mod indexes;
mod iterators;
mod keys_public;
mod lattice;
mod log_frames;
mod memory;
mod no_files;
mod opening;
mod processes;
mod prune;
#[cfg(feature = "sim")]
mod prune_faults;
mod prune_guards;
mod prune_mishaps;
mod prune_threads;
mod read_only;
mod records;
mod retention;
mod rings;
mod seams;
mod snapshot_tags;
mod snapshots;
mod support;
mod support_records;
mod timeline;
mod transactions;
mod with_serde;
