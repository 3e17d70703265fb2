//! The schema of an entry, word for word.

use hexxladb::{
    Cell, ChangelogOptions, ChangelogValues, Coord, Db, Edge, Error, Facet, FacetId, Options,
    ResolutionStatus, Seam, SeamType, Timestamp, Ulid,
};
use hexxladb_sinks::json::{entry_line, entry_to_json};

fn db(values: ChangelogValues) -> Db {
    let options = Options::in_memory().changelog(ChangelogOptions::new().values(values));
    Db::open("json", options).expect("a database")
}

/// The lines of all entries, without their history hash, which is 32 digits.
fn lines(db: &Db) -> Vec<String> {
    let line = |entry: Result<_, Error>| {
        let entry = entry.expect("an entry");
        let line = entry_line(&entry).expect("a line");
        let again: serde_json::Value = serde_json::from_str(&line).expect("JSON");
        assert_eq!(again, entry_to_json(&entry).expect("JSON"));
        let (rest, hash) = line.rsplit_once(",\"history_hash\":\"").expect("a hash");
        assert!(hash.len() == 34 && hash.ends_with("\"}"), "{line}");
        rest.to_owned()
    };
    db.read_changelog_since(0).expect("entries").map(line).collect()
}

fn fill(db: &Db) -> Result<(), Error> {
    let at = Coord::new(-1, 2)?;
    let seam_id = Ulid::from_string("01ARZ3NDEKTSV4RRFFQ69G5FAV").expect("an id");
    let mut cell = Cell::new("é \"x\"").with_tags(["t"]).with_source("s").with_confidence(0.1);
    let time = Timestamp::from_nanos(-1);
    (cell.provenance.created_at, cell.provenance.updated_at) = (time, time);
    let mut seam = Seam::new(at, Coord::new(0, 0)?, SeamType::Conflict);
    (seam.provenance.created_at, seam.provenance.updated_at) = (time, time);
    db.update(|tx| {
        tx.set_commit_time(Timestamp::from_nanos(1_500_000_000))?;
        tx.set_note("all \u{1}")?;
        tx.put("", "")?;
        tx.put(b"a\xff", b"\x80")?;
        tx.put_cell(at, &cell)?;
        tx.put_facet(at, FacetId::new(5)?, &Facet::default())?;
        tx.put_edge(at, at, "a/b", &Edge::default())?;
        tx.put_seam(seam_id, &seam)
    })?;
    db.update(|tx| {
        tx.set_commit_time(Timestamp::from_secs(2))?;
        tx.delete_cell(at)?;
        tx.resolve_seam(seam_id, ResolutionStatus::Merged, None)
    })?;
    db.update(|tx| {
        tx.set_commit_time(Timestamp::from_secs(3))?;
        tx.set_note("alone")
    })
}

#[test]
fn every_family_and_operation() {
    // spec: LOG-01
    let db = db(ChangelogValues::Full);
    fill(&db).expect("commits");
    let first = r#""time":"1970-01-01T00:00:01.5Z","time_nanos":1500000000,"note":"all \u0001""#;
    let second = r#""time":"1970-01-01T00:00:02Z","time_nanos":2000000000,"note":null"#;
    let third = r#""time":"1970-01-01T00:00:03Z","time_nanos":3000000000,"note":"alone""#;
    let at = r#"{"q":-1,"r":2}"#;
    let edge = format!(r#"{{"from":{at},"to":{at},"relation":"a/b"}}"#);
    let nothing = r#""provenance":{"source_id":"","confidence":1.0,"created_at":0,"updated_at":0}"#;
    let cell = r#"{"raw_content":"é \"x\"","provenance":{"source_id":"s","confidence":0.1,"created_at":-1,"updated_at":-1},"validity":{"valid_from":null,"valid_to":null},"tags":["t"],"cluster_hint":null}"#;
    let zeros = "0".repeat(64);
    let facet = format!(r#"{{"derived_content":"","derivation_hash":"{zeros}","last_rotated":0}}"#);
    let seam = |status: &str| {
        format!(
            r#"{{"cell_a":{at},"cell_b":{{"q":0,"r":0}},"seam_type":"conflict","reason":"","confidence_delta":0.0,"detected_at":0,"resolution_status":"{status}","resolution_note":null,"provenance":{{"source_id":"","confidence":1.0,"created_at":-1,"updated_at":-1}},"validity":{{"valid_from":null,"valid_to":null}}}}"#
        )
    };
    let (open, merged) = (seam("unresolved"), seam("merged"));
    let expected = [
        format!(
            r#"{{"seq":1,"index":0,"last_in_commit":false,"op":"put","family":"raw","key":"raw/","id":"","value":"",{first}"#
        ),
        format!(
            r#"{{"seq":1,"index":1,"last_in_commit":false,"op":"put","family":"raw","key":"raw/a\\xff","id":{{"hex":"61ff"}},"value":{{"hex":"80"}},{first}"#
        ),
        format!(
            r#"{{"seq":1,"index":2,"last_in_commit":false,"op":"put","family":"cell","key":"cell/(-1,2)","id":{at},"value":{cell},{first}"#
        ),
        format!(
            r#"{{"seq":1,"index":3,"last_in_commit":false,"op":"put","family":"facet","key":"facet/(-1,2)/5","id":{{"q":-1,"r":2,"facet":5}},"value":{facet},{first}"#
        ),
        format!(
            r#"{{"seq":1,"index":4,"last_in_commit":false,"op":"put","family":"edge","key":"edge/(-1,2)/(-1,2)/a/b","id":{edge},"value":{{"weight":1.0,{nothing}}},{first}"#
        ),
        format!(
            r#"{{"seq":1,"index":5,"last_in_commit":true,"op":"put","family":"seam","key":"seam/01ARZ3NDEKTSV4RRFFQ69G5FAV","id":"01ARZ3NDEKTSV4RRFFQ69G5FAV","value":{open},{first}"#
        ),
        format!(
            r#"{{"seq":2,"index":0,"last_in_commit":false,"op":"delete","family":"cell","key":"cell/(-1,2)","id":{at},{second}"#
        ),
        format!(
            r#"{{"seq":2,"index":1,"last_in_commit":false,"op":"delete","family":"facet","key":"facet/(-1,2)/5","id":{{"q":-1,"r":2,"facet":5}},{second}"#
        ),
        format!(
            r#"{{"seq":2,"index":2,"last_in_commit":false,"op":"delete","family":"edge","key":"edge/(-1,2)/(-1,2)/a/b","id":{edge},{second}"#
        ),
        format!(
            r#"{{"seq":2,"index":3,"last_in_commit":true,"op":"resolve","family":"seam","key":"seam/01ARZ3NDEKTSV4RRFFQ69G5FAV","id":"01ARZ3NDEKTSV4RRFFQ69G5FAV","value":{merged},{second}"#
        ),
        format!(
            r#"{{"seq":3,"index":0,"last_in_commit":true,"op":"note","family":null,"key":null,"id":null,{third}"#
        ),
    ];
    let found = lines(&db);
    for (found, expected) in found.iter().zip(&expected) {
        assert_eq!(found, expected);
    }
    assert_eq!(found.len(), expected.len());
}

#[test]
fn values_as_far_as_the_changelog_keeps_them() {
    let hashed = db(ChangelogValues::Hash);
    fill(&hashed).expect("commits");
    // SHA-256 of nothing, and of what the second raw record holds.
    let of_nothing =
        r#""value_sha256":"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855""#;
    let all = lines(&hashed);
    assert!(all[0].contains(of_nothing), "{}", all[0]);
    for (index, line) in all.iter().enumerate() {
        assert!(!line.contains("\"value\":"), "{line}");
        assert_eq!(line.contains("\"value_sha256\":"), index < 6 || index == 9, "{line}");
    }
    let none = db(ChangelogValues::None);
    fill(&none).expect("commits");
    assert!(lines(&none).iter().all(|line| !line.contains("\"value")));
}
