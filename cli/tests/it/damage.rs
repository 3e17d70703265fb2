//! Damaged files: `check` tells, other commands refuse, nothing panics or shows wrong data.

use std::path::Path;

use crate::program::{Place, args, cell_lines, run, run_with};

fn make(db: &Path) {
    let lines = cell_lines(600, |n| "text ".repeat(n % 90));
    run_with(args!["ingest", db, "--commit-every", "100"], lines.as_bytes()).ok();
}

// spec: CHECK-05
#[test]
fn check_says_clean_where_all_is_well() {
    let place = Place::new();
    let db = place.path("x.db");
    make(&db);
    let text = run(args!["check", &db]).ok().text();
    assert!(text.starts_with("clean: ") && text.contains(" rows read, no damage found"), "{text}");
    let json = run(args!["check", &db, "--json"]).ok().json();
    assert_eq!(json[0]["clean"], true);
    assert_eq!(json[0]["findings"], serde_json::json!([]));
    assert!(json[0]["rows"].as_u64() >= Some(600) && json[0]["pages"].as_u64() > Some(3));
}

// spec: CHECK-05
#[test]
fn check_finds_a_flipped_bit_in_every_used_page() {
    let place = Place::new();
    let (db, copy) = (place.path("x.db"), place.path("copy.db"));
    make(&db);
    let bytes = std::fs::read(&db).unwrap();
    let whole = run(args!["ls", &db, "--json"]).ok().stdout;
    let mut found = 0;
    for offset in (100..bytes.len()).step_by(4096) {
        let mut damaged = bytes.clone();
        damaged[offset] ^= 0x10;
        std::fs::write(&copy, &damaged).unwrap();
        let check = run(args!["check", &copy]);
        let listed = run(args!["ls", &copy, "--json"]);
        match check.code {
            // A byte that nothing uses: then everything must read as before.
            0 => assert!(listed.ok().stdout == whole, "wrong data after a flip at {offset}"),
            1 => {
                found += 1;
                let text = check.text();
                assert!(text.contains("copy.db at offset "), "{text}");
                assert!(text.contains("damaged: "), "{text}");
                let json = run(args!["check", &copy, "--json"]).fails(1).json();
                assert_eq!(json[0]["clean"], false);
                assert!(json[0]["findings"][0]["offset"].is_u64());
                // What could be read before the damage is the truth.
                assert!(matches!(listed.code, 0 | 3), "{listed:?}");
                assert!(whole.starts_with(&listed.stdout), "wrong data after a flip at {offset}");
            }
            other => panic!("check ended with {other} after a flip at {offset}: {check:?}"),
        }
    }
    assert!(found >= 10, "only {found} flips were found");
}
