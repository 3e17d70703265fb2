//! Functions of the application that the database calls: when, with what, and what they may refuse
//! or break.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex};

use hexxladb::vfs::sim::SimVfs;
use hexxladb::{Cell, Db, Edge, Error, Facet, Options, PutCells, ResolutionStatus, Ulid};

use crate::support::{both_formats, check_clean, coord, open, options, refused};
use crate::support_records::{all, facet_id};

type Heard = Arc<Mutex<Vec<String>>>;

/// Options whose hooks note what they hear; a cell that says "no" is refused.
fn listening(options: Options) -> (Options, Heard) {
    let heard = Heard::default();
    let [validator, cell, seam] = [(); 3].map(|()| {
        let heard = Arc::clone(&heard);
        move |what: String| heard.lock().unwrap().push(what)
    });
    let options = options
        .cell_validator(move |at, cell: &Cell| {
            validator(format!("may {at} say {}?", cell.raw_content));
            if cell.raw_content == "no" { Err("it says no".into()) } else { Ok(()) }
        })
        .after_put_cell(move |at, put: &Cell| cell(format!("{at} says {}", put.raw_content)))
        .after_put_seam(move |id, put| seam(format!("seam {} {}", id.0, put.resolution_status)));
    (options, heard)
}

fn take(heard: &Heard) -> Vec<String> {
    std::mem::take(&mut heard.lock().unwrap())
}

// spec: OPT-16
#[test]
fn hooks_hear_of_what_is_put_and_of_nothing_else() {
    for options in both_formats() {
        let (options, heard) = listening(options);
        let vfs = SimVfs::new(1);
        let db = open(&vfs, options.clone());
        let (a, b) = (coord(0, 0), coord(1, 0));
        db.update(|tx| {
            tx.put_cell(a, &Cell::new("one"))?;
            tx.put_cell(b, &Cell::new("two"))?;
            assert_eq!(heard.lock().unwrap().len(), 4, "within the transaction");
            tx.put_seam(Ulid(3), &hexxladb::Seam::new(a, b, "x".parse()?))?;
            tx.resolve_seam(Ulid(3), ResolutionStatus::Merged, None)?;
            tx.put_facet(a, facet_id(0), &Facet::default())?;
            tx.put_edge(a, b, "r", &Edge::default())?;
            tx.put("raw", "no")?;
            tx.delete_cell(b).map(|_| ())
        })
        .unwrap();
        let expected = [
            "may (0,0) say one?",
            "(0,0) says one",
            "may (1,0) say two?",
            "(1,0) says two",
            "seam 3 unresolved",
            "seam 3 merged",
        ];
        assert_eq!(take(&heard), expected);
        db.put_cells([(a, Cell::new("three"))], &PutCells::default()).unwrap();
        assert_eq!(take(&heard), ["may (0,0) say three?", "(0,0) says three"]);
        // Recovery replays what was put; it does not put.
        drop(db);
        vfs.kill();
        let db = open(&vfs, options);
        assert_eq!(db.view(|tx| tx.get_cell(a)).unwrap(), Some(Cell::new("three")));
        assert_eq!(take(&heard), [""; 0]);
    }
}

// spec: OPT-16, REC-07
#[test]
fn a_refused_put_leaves_the_transaction_usable_and_nothing_of_itself() {
    for options in both_formats() {
        let (options, heard) = listening(options);
        let db = open(&SimVfs::new(1), options);
        let at = coord(0, 0);
        db.update(|tx| {
            tx.put_cell(at, &Cell::new("yes").with_tags(["old"]))?;
            let put = tx.put_cell(at, &Cell::new("no").with_tags(["new"]));
            match put {
                Err(Error::InvalidRecord { family: "cell", what }) => {
                    assert_eq!(what, "it says no");
                }
                other => panic!("{other:?}"),
            }
            assert_eq!(tx.get_cell(at)?.unwrap().raw_content, "yes");
            // A rule of the family is no less a rule where a validator is.
            let unsure = tx.put_cell(at, &Cell::new("yes").with_confidence(7.0));
            refused!(unsure, Error::InvalidRecord { family: "cell", .. });
            tx.put_cell(coord(1, 0), &Cell::new("after"))
        })
        .unwrap();
        let says: Vec<String> =
            take(&heard).into_iter().filter(|what| what.contains("says")).collect();
        assert_eq!(says, ["(0,0) says yes", "(1,0) says after"]);
        let tags = db.view(|tx| Ok::<_, Error>(all(tx.cells_by_tag(..).coords()))).unwrap();
        assert_eq!(tags, [("old".to_owned(), at)]);
        let put = db.put_cells([(at, Cell::new("no"))], &PutCells::default());
        refused!(put, Error::InvalidRecord { .. });
        check_clean(&db);
    }
}

/// Puts a cell and a seam that a hook cannot stand.
fn put_all(db: &Db) -> Result<(), Error> {
    db.update(|tx| {
        tx.put("raw", "value")?;
        tx.put_cell(coord(0, 0), &Cell::new("x").with_tags(["t"]))?;
        tx.put_cell(coord(1, 0), &Cell::new("x"))?;
        tx.mark_conflict(coord(0, 0), coord(1, 0), "x").map(|_| ())
    })
}

// spec: OPT-16, TXN-01
#[test]
fn a_hook_that_panics_leaves_nothing_behind() {
    let with: [fn(Options) -> Options; 3] = [
        |options| options.cell_validator(|_, _| panic!("the validator")),
        |options| options.after_put_cell(|_, _| panic!("after a cell")),
        |options| options.after_put_seam(|_, _| panic!("after a seam")),
    ];
    for hook in with {
        let vfs = SimVfs::new(1);
        let db = open(&vfs, hook(options()));
        assert!(catch_unwind(AssertUnwindSafe(|| put_all(&db))).is_err());
        assert_eq!((db.head().unwrap(), db.stats_mvcc().unwrap().versioned_row_count), (0, 0));
        // The seat is free again.
        db.update(|tx| tx.put("later", "")).unwrap();
        check_clean(&db);
        drop(db);
        let db = open(&vfs, options());
        assert_eq!(db.head().unwrap(), 1);
        put_all(&db).unwrap();
        assert_eq!(db.view(|tx| Ok::<_, Error>(all(tx.cells_with_tag("t")).len())).unwrap(), 1);
    }
}

// spec: OPT-16, TXN-14
#[test]
fn a_hook_may_read_and_may_not_write() {
    let shared: Arc<Mutex<Option<Db>>> = Arc::default();
    let inside = Arc::clone(&shared);
    let options = options().after_put_cell(move |at, _| {
        let db = inside.lock().unwrap().clone().unwrap();
        // What is not committed is not seen by others.
        assert_eq!(db.view(|tx| tx.get_cell(at)).unwrap(), None);
        refused!(db.update(|tx| tx.put("k", "v")), Error::NestedWrite);
        refused!(db.tag_snapshot("t"), Error::NestedWrite);
        refused!(db.close(), Error::CloseInTransaction);
    });
    let db = open(&SimVfs::new(1), options);
    *shared.lock().unwrap() = Some(db.clone());
    db.update(|tx| tx.put_cell(coord(0, 0), &Cell::new("x"))).unwrap();
    assert_eq!(db.stats_mvcc().unwrap().versioned_row_count, 1);
    shared.lock().unwrap().take();
}
