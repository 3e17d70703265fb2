//! The short scripts of the exhaustive mode, each around one thing that writes.

use super::changelog_scripts::CHANGELOG_SCRIPTS;
use crate::op::Plan;

/// Name and plan of every script.
///
/// # Panics
/// When a script does not parse: they are part of the program.
#[must_use]
pub fn scripts() -> Vec<(&'static str, Plan)> {
    SCRIPTS
        .iter()
        .chain(CHANGELOG_SCRIPTS)
        .map(|(name, text)| match text.trim_start().parse() {
            Ok(plan) => (*name, plan),
            Err(error) => panic!("script {name}: {error}"),
        })
        .collect()
}

const SCRIPTS: &[(&str, &str)] = &[
    (
        "create",
        "setup page=512 cache=16384 checkpoint=16384
         open
         drop
         open
         close",
    ),
    (
        "commit",
        "setup page=512 cache=16384 checkpoint=16384
         open
         update ok: put a 1x10
         clock step 1000
         update ok: put b 2x40; put a 3x12; put_cell 0,0 4x30; note 20
         clock step -500
         update ok: delete a; put_cell 1,-1 5x8; delete_cell 0,0
         update fail: put c 6x10
         update ok: put c 7x300; time 1704067300000000000",
    ),
    (
        "mixed_files",
        "setup page=512 cache=16384 checkpoint=16384
         open
         update ok: put a 1x10; put_cell 0,0 2x20
         tag t
         damage empty_primary
         stash 0
         update ok: put b 2x10; put a 3x10
         untag t
         prune 2 1
         checkpoint
         restore 0 primary
         restore 0 log
         restore 0 both
         damage remove_log
         update ok: put a 4x10
         damage empty_primary
         damage cut_log 9000
         close
         damage empty_primary
         damage remove_log",
    ),
    (
        "split",
        "setup page=512 cache=16384 checkpoint=16384
         open
         update ok: fill k 0 4 1x60
         update ok: fill k 4 4 5x60
         update ok: fill k 8 8 9x60
         checkpoint
         update ok: fill k 2 8 20x90; put_cell 0,0 3x60; put_cell 1,0 4x60
         update ok: fill j 0 12 30x50",
    ),
    (
        "merge",
        "setup page=512 cache=16384 checkpoint=16384 mvcc=no
         open
         update ok: fill k 0 30 1x60
         checkpoint
         update ok: clear k 4 10
         checkpoint
         update ok: clear k 0 28
         checkpoint
         update ok: clear k 0 30; put a 1x5",
    ),
    (
        "overflow",
        "setup page=512 cache=16384 checkpoint=16384
         open
         update ok: put a 1x1500; put b 2x20
         checkpoint
         update ok: put a 3x3000; put_cell 2,2 4x900
         checkpoint
         update ok: delete a; put b 5x700",
    ),
    (
        "large",
        "setup page=512 cache=16384 checkpoint=16384
         open
         update ok: put a 1x10
         update ok: fill big 0 100 1x70
         update fail: fill big 40 100 500x70
         update ok: put a 2x10
         begin
         fill b 0 100 900x70
         abandon
         update ok: put b 3x10",
    ),
    (
        "checkpoint",
        "setup page=512 cache=16384 checkpoint=16384
         open
         update ok: fill k 0 6 1x40
         checkpoint
         update ok: put k00002 9x50; put_cell 0,1 8x20
         checkpoint
         update ok: delete k00003
         checkpoint
         checkpoint
         update ok: put z 3x100",
    ),
    (
        "recycle",
        "setup page=512 cache=65536 checkpoint=16384
         open
         update ok: put a 1x3000
         update ok: put a 2x3000; put b 3x3000
         update ok: put a 4x3500
         update ok: put b 5x3900
         update ok: put a 6x3500
         update ok: put c 7x3500
         update ok: put a 8x3500
         update ok: put c 9x3500
         update ok: put a 10x30
         update ok: put b 11x3500
         update ok: put a 12x3500",
    ),
    (
        "close",
        "setup page=512 cache=16384 checkpoint=16384
         open
         update ok: put a 1x10; put_cell 0,0 1x10
         close
         open
         update ok: put b 2x10
         close",
    ),
    (
        "reopen",
        "setup page=512 cache=16384 checkpoint=16384
         open
         update ok: put a 1x10
         drop
         open
         update ok: put b 2x10
         crash kill
         open
         update ok: put c 3x10; delete a
         crash kill
         open read_only
         drop
         open
         update ok: put d 4x10",
    ),
    (
        "pipeline",
        "setup page=512 cache=16384 checkpoint=16384
         open
         update ok: put a 1x10
         begin
         put a 2x20
         pipeline 0
         begin
         put b 3x20
         pipeline 1
         begin
         put c 4x20
         pipeline 2
         wait 1
         update ok: get a
         begin
         put d 5x9
         pipeline 3
         update fail: get d
         wait 2",
    ),
    (
        "crossing",
        "setup page=512 cache=65536 checkpoint=65536
         open
         update ok: put a 1x3000
         begin
         put a 2x9000
         pipeline 0
         begin
         put b 3x9000
         pipeline 1
         wait 1
         update ok: put c 4x10
         begin
         put a 5x4000
         pipeline 0
         begin
         put b 6x13000
         pipeline 1
         wait 0",
    ),
    (
        "failed_sync_keep",
        "setup page=512 cache=16384 checkpoint=16384
         open
         update ok: put a 1x10
         fault 0 sync eio-keep
         update ok: put a 2x20
         update ok: put b 3x20
         drop
         open
         update ok: put c 4x20
         fault 0 sync eio-keep
         checkpoint
         crash kill
         open
         update ok: put d 5x20",
    ),
    (
        "failed_sync_revert",
        "setup page=512 cache=16384 checkpoint=16384
         open
         update ok: put a 1x10
         fault 0 sync eio-revert
         update ok: put a 2x20
         update ok: put b 3x20
         drop
         open
         update ok: put c 4x20
         fault 0 sync eio-revert
         checkpoint
         drop
         open
         update ok: put d 5x20",
    ),
    (
        "no_space",
        "setup page=512 cache=16384 checkpoint=16384
         open
         update ok: put a 1x10
         free 4
         update ok: put a 2x3500
         update ok: put b 3x3500
         update ok: put c 4x3500
         update ok: put d 5x3500
         update ok: put a 6x3500
         checkpoint
         update ok: put b 7x20
         free all
         update ok: put c 8x20
         checkpoint
         update ok: put d 9x20",
    ),
    (
        "version_one",
        "setup page=512 cache=16384 checkpoint=16384 mvcc=no
         open
         update ok: put a 1x10; put_cell 0,0 2x20
         update ok: put a 3x600; put b 4x10
         checkpoint
         update ok: delete a; delete_cell 0,0
         close
         open
         update ok: put a 5x10",
    ),
    (
        "buffered",
        "setup page=512 cache=16384 checkpoint=16384 durability=buffered
         open
         update ok: put a 1x10
         update ok: put b 2x10
         sync
         update ok: put a 3x10
         update ok: put c 4x600
         checkpoint
         update ok: put d 5x10
         update ok: put e 6x10
         close",
    ),
    (
        "cascade",
        "setup page=512 cache=16384 checkpoint=16384
         open
         update ok: put_cell 0,0 5x20; put_facet 0,0 1 1x9; put_facet 0,0 4 2x9; put_facet 0,1 1 3x9
         update ok: put_edge 0,0 1,0 a 2x0; put_edge 0,0 0,0 b 3x0; put_edge 1,0 0,0 a 4x0
         update ok: delete_cell 0,0
         update ok: put_cell 0,0 6x20; put_facet 0,0 1 7x9; scan; delete_cell 0,0
         update ok: put_cell 0,0 7x20; put_edge 0,0 1,0 a 8x0
         prune 5 3
         prune 5 1000",
    ),
    (
        "retag",
        "setup page=512 cache=16384 checkpoint=16384
         open
         update ok: put_cell 0,0 1x20; put_cell 1,0 7x20
         update ok: retag 0,0 3x0; retag 0,0 31x0; retag 1,0 2x0
         checkpoint
         update ok: retag 0,0 11x0; retag 0,0 31x0; scan
         update ok: retag 0,0 1x0; retag 1,0 21x0
         prune 3 1
         prune 4 1000",
    ),
    (
        "seams",
        "setup page=512 cache=16384 checkpoint=16384
         open
         update ok: put_cell 0,0 1x9; put_cell 1,0 2x9; put_cell 2,0 3x9
         update ok: supersede 0,0 1,0 1x9; supersede 1,0 2,0 2x9; conflict 2,0 0,0 3x9
         update ok: supersede 2,0 0,0 4x9; resolve 0 2x0; resolve 1 7x0; scan
         update ok: put_seam 3 0,0 2,0 10x9; put_seam 3 0,0 2,0 13x9; put_seam 3 0,0 1,0 13x9
         update ok: put_seam 3 0,0 2,0 21x9; resolve 3 9x0
         prune 5 2
         prune 5 1000",
    ),
    (
        "prune",
        "setup page=512 cache=16384 checkpoint=16384
         open
         update ok: put a 1x9; put_cell 0,0 3x20; put_facet 0,0 1 1x9; put_edge 0,0 1,0 a 2x0; put_seam 0 0,0 1,0 3x5
         clock step 1000
         update ok: put a 2x600; put_cell 0,0 7x20; put_facet 0,0 1 2x9; put_edge 0,0 1,0 a 4x0; resolve 0 3x0
         update ok: put b 1x1
         prune 2 1
         prune 2 2
         checkpoint
         prune 2 1000
         update ok: put a 3x9; delete b
         prune_time 1704067200000001000 5
         prune 4 1000",
    ),
    (
        "resurrection",
        "setup page=512 cache=16384 checkpoint=16384
         open
         update ok: put a 1x9; put_cell 0,0 5x9
         update ok: put a 2x9
         update ok: delete a; delete_cell 0,0
         update ok: put b 1x1
         prune 4 1
         prune 4 1
         prune 4 1
         prune 4 1
         prune 4 1
         prune 4 1",
    ),
    (
        "prune_frames",
        "setup page=512 cache=65536 checkpoint=16384
         open
         update ok: fill k{70} 0 36 1x2
         update ok: fill k{70} 0 36 300x2; put_cell 0,0 1x9
         update ok: clear k{70} 0 30; delete_cell 0,0
         update ok: put a 1x9
         prune 4 1000",
    ),
    (
        "tags",
        "setup page=512 cache=16384 checkpoint=16384
         open
         update ok: put a 1x9
         tag t
         update ok: put a 2x9; put_cell 0,0 1x9
         tag u 2
         tag t
         prune 2 1000
         untag t
         checkpoint
         prune 2 1000
         update ok: put a 3x9
         tag t 2
         untag u
         prune 3 1000
         close
         open
         untag t
         prune 3 1000",
    ),
    (
        "held",
        "setup page=512 cache=16384 checkpoint=16384
         open
         update ok: fill k 0 6 1x40
         update ok: fill k 2 6 9x40; put_cell 0,0 1x9
         snap 0 1
         diff 1 1 2
         update ok: clear k 0 4; delete_cell 0,0
         prune 3 1000
         read_diff 1 3
         drop_snap 0
         checkpoint
         prune 3 2
         read_diff 1 100
         drop_diff 1
         prune 3 2
         prune 3 1000",
    ),
    (
        "prune_buffered",
        "setup page=512 cache=16384 checkpoint=16384 durability=buffered
         open keep=1
         update ok: put a 1x10
         tag t
         update ok: put a 2x10; put_cell 0,0 1x9
         untag t
         update ok: delete a; retag 0,0 2x0
         prune_by low_latency
         sync
         update ok: put b 3x10
         prune_by balanced tick
         prune 4 1
         checkpoint
         prune 4 1000",
    ),
];
