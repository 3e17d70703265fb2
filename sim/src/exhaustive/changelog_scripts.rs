//! The short scripts of the exhaustive mode around the changelog.

pub(super) const CHANGELOG_SCRIPTS: &[(&str, &str)] = &[
    (
        "changelog",
        "setup page=512 cache=16384 checkpoint=16384 changelog=full
         open
         update ok: put a 1x10; put_cell 0,0 4x30; put_facet 0,0 1 1x9; put_edge 0,0 1,0 a 2x0
         update ok: put b 2x40; put_seam 0 0,0 1,0 8x5; note 20
         checkpoint
         update ok: delete_cell 0,0; resolve 0 2x0
         update ok: note 5
         update fail: put c 6x10
         update ok: put c 7x300; delete a; put d 1x1; delete d",
    ),
    (
        "changelog_rotation",
        "setup page=512 cache=65536 checkpoint=65536 changelog=full
         open
         update ok: put a 1x9000
         update ok: put a 2x9000
         checkpoint
         update ok: put b 3x20
         checkpoint
         update ok: put a 4x16000
         checkpoint
         update ok: put c 5x20
         read all
         close",
    ),
    (
        "changelog_turned_on",
        "setup page=512 cache=16384 checkpoint=16384 changelog=hash
         open changelog=off
         update ok: put a 1x10
         update ok: put b 2x10
         drop
         open
         update ok: put a 3x10
         close
         open changelog=none
         update ok: put a 4x10",
    ),
    (
        "changelog_turned_off",
        "setup page=512 cache=16384 checkpoint=16384 changelog=full
         open
         update ok: put a 1x10
         close
         open changelog=off
         update ok: put a 2x10
         close
         open
         close
         open
         update ok: put a 3x10
         crash kill
         open changelog=off
         crash kill
         open
         update ok: put b 4x10
         crash kill
         open changelog=off
         update ok: put b 5x10
         drop
         open
         update ok: put b 6x10
         read all",
    ),
    (
        "changelog_large",
        "setup page=512 cache=16384 checkpoint=16384 changelog=full
         open
         update ok: put a 1x10
         update ok: fill big 0 100 1x70
         update fail: fill big 40 100 500x70
         update ok: put a 2x10
         begin
         fill b 0 100 900x70
         abandon
         crash kill
         open
         update ok: put b 3x10",
    ),
    (
        "changelog_failed_sync",
        "setup page=512 cache=16384 checkpoint=16384 changelog=full
         open
         update ok: put a 1x10
         fault 13 sync eio-keep
         checkpoint
         crash kill
         open
         update ok: put b 2x20
         fault 10 sync eio-revert
         checkpoint
         drop
         open changelog=off
         drop
         open
         update ok: put c 4x20
         checkpoint",
    ),
    (
        "changelog_buffered",
        "setup page=512 cache=16384 checkpoint=16384 durability=buffered changelog=full
         open
         update ok: put a 1x10
         update ok: put b 2x10
         sync
         update ok: put a 3x10
         read changelog 0 0 0
         begin
         put c 4x10
         pipeline 0
         crash kill
         open
         update ok: put d 5x10
         checkpoint
         update ok: put e 6x10
         close",
    ),
    (
        "changelog_version_one",
        "setup page=512 cache=16384 checkpoint=16384 mvcc=no changelog=full
         open
         update ok: put a 1x10; put_cell 0,0 2x20
         update ok: put a 3x600; put b 4x10
         checkpoint
         update ok: delete a; delete_cell 0,0
         crash kill
         open
         update ok: put a 5x10",
    ),
    (
        "changelog_pipeline",
        "setup page=512 cache=16384 checkpoint=16384 changelog=full
         open
         follow 0 0 0 0
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
         read_follow 0 9
         update fail: get a
         read beside 0 0 0
         wait 2
         read_follow 0 9",
    ),
    (
        "changelog_recycle",
        "setup page=512 cache=65536 checkpoint=16384 changelog=hash
         open
         update ok: put a 1x3000
         update ok: put a 2x3000; put b 3x3000
         update ok: put a 4x3500
         update ok: put b 5x3900
         update ok: put a 6x3500
         update ok: put c 7x3500
         update ok: put a 8x3500
         update ok: put c 9x3500
         update ok: put a 10x30",
    ),
    (
        "changelog_no_space",
        "setup page=512 cache=16384 checkpoint=16384 changelog=full
         open
         update ok: put a 1x10
         free 4
         update ok: put a 2x3500
         update ok: put b 3x3500
         checkpoint
         update ok: put b 7x20
         free all
         update ok: put c 8x20
         read all
         checkpoint
         update ok: put d 9x20",
    ),
    (
        "changelog_missing",
        "setup page=512 cache=16384 checkpoint=16384 changelog=full
         open
         update ok: put a 1x10
         checkpoint
         update ok: put b 2x10
         crash kill
         lose_changelog
         open
         update ok: put c 3x10
         close
         lose_changelog
         open
         update ok: put d 4x10",
    ),
    (
        "changelog_mixed",
        "setup page=512 cache=16384 checkpoint=16384 changelog=full
         open
         update ok: put a 1x10; put_cell 0,0 2x20
         stash 0
         update ok: put b 2x10; put a 3x10
         restore 0 primary
         restore 0 log
         restore 0 both
         restore 0 changelog
         restore 0 all
         checkpoint
         stash 1
         restore 0 changelog
         restore 0 primary
         restore 0 both
         damage remove_changelog
         damage foreign_changelog
         update ok: put a 4x10
         restore 1 changelog
         damage remove_changelog
         damage cut_segment 0 4096
         close
         restore 0 both
         restore 0 changelog
         damage remove_changelog
         damage foreign_changelog
         damage remove_segment 0",
    ),
];
