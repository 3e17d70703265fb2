//! What can be written as JSON, with the feature `serde`.
#![cfg(feature = "serde")]

use hexxladb::{
    Cell, Durability, Edge, Facet, FacetId, FindingKind, Provenance, ResolutionStatus, Seam,
    SeamType, Timestamp, Validity, Week,
};
use serde_json::{from_value, json, to_value};

use crate::support::{coord, in_memory, put};

fn full() -> Cell {
    let mut cell = Cell::new("text")
        .with_tags(["a", "b"])
        .with_validity(Validity { valid_from: Some(Timestamp::MIN), valid_to: None });
    cell.provenance = Provenance {
        source_id: "who".into(),
        confidence: 0.5,
        created_at: Timestamp::from_secs(1),
        updated_at: Timestamp::MAX,
    };
    cell.cluster_hint = Some("near".into());
    cell
}

#[test]
fn cells_and_settings_come_back_from_json() {
    for cell in [full(), Cell::default()] {
        assert_eq!(from_value::<Cell>(to_value(&cell).unwrap()).unwrap(), cell);
    }
    // Every field has a name of its own, and one that is left out has its default.
    let value = to_value(full()).unwrap();
    assert_eq!(value["provenance"]["confidence"], 0.5);
    assert_eq!(value["validity"]["valid_from"], i64::MIN);
    assert_eq!(value["tags"], json!(["a", "b"]));
    assert_eq!(from_value::<Cell>(json!({ "raw_content": "x" })).unwrap(), Cell::new("x"));
    assert_eq!(from_value::<Validity>(json!({})).unwrap(), Validity::default());
    for durability in [Durability::Sync, Durability::Buffered] {
        assert_eq!(from_value::<Durability>(to_value(durability).unwrap()).unwrap(), durability);
    }
    for time in [Timestamp::MIN, Timestamp::default(), Timestamp::MAX] {
        assert_eq!(to_value(time).unwrap(), json!(time.as_nanos()));
        assert_eq!(from_value::<Timestamp>(json!(time.as_nanos())).unwrap(), time);
    }
    let at = coord(-3, 7);
    assert_eq!(from_value::<hexxladb::Coord>(to_value(at).unwrap()).unwrap(), at);
    assert!(from_value::<hexxladb::Coord>(json!({ "q": 1 << 18, "r": 0 })).is_err());
}

#[test]
fn facets_edges_and_seams_come_back_from_json() {
    let facet = Facet::of(&Cell::new("abc"), "a to c").with_last_rotated(Timestamp::from_secs(7));
    let value = to_value(&facet).unwrap();
    let hash = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    assert_eq!(value["derivation_hash"], hash);
    assert_eq!(from_value::<Facet>(value).unwrap(), facet);
    let upper = json!({ "derivation_hash": hash.to_uppercase() });
    assert_eq!(from_value::<Facet>(upper).unwrap().derivation_hash, facet.derivation_hash);
    for wrong in [&hash[1..], &hash[2..], "", &format!("{hash}00"), &hash.replace('b', "g")] {
        assert!(from_value::<Facet>(json!({ "derivation_hash": wrong })).is_err(), "{wrong}");
    }
    assert_eq!(to_value(FacetId::ALL).unwrap(), json!([0, 1, 2, 3, 4, 5]));
    assert_eq!(from_value::<FacetId>(json!(5)).unwrap(), FacetId::ALL[5]);
    assert!(from_value::<FacetId>(json!(6)).is_err());

    let edge = Edge::new(-0.5).with_provenance(full().provenance);
    assert_eq!(from_value::<Edge>(to_value(&edge).unwrap()).unwrap(), edge);
    assert_eq!(from_value::<Edge>(json!({})).unwrap(), Edge::default());

    let (a, b) = (coord(0, 0), coord(3, -1));
    let mut seam = Seam::new(a, b, SeamType::Supersedes).with_reason("newer").with_source("who");
    seam.resolution_status = ResolutionStatus::Archived;
    seam.resolution_note = Some(String::new());
    let value = to_value(&seam).unwrap();
    assert_eq!(
        (&value["seam_type"], &value["resolution_status"]),
        (&json!("supersedes"), &json!("archived"))
    );
    assert_eq!(from_value::<Seam>(value).unwrap(), seam);
    let short = json!({ "cell_a": a, "cell_b": b, "seam_type": "overlap" });
    let other = Seam::new(a, b, SeamType::Other("overlap".into()));
    assert_eq!(from_value::<Seam>(short).unwrap(), other);
    assert!(from_value::<Seam>(json!({ "cell_a": a, "seam_type": "conflict" })).is_err());
    assert!(from_value::<SeamType>(json!("")).is_err());

    let week: Week = "2026-W47".parse().unwrap();
    assert_eq!(to_value(week).unwrap(), "2026-W47");
    assert_eq!(from_value::<Week>(json!("2026-W47")).unwrap(), week);
    assert!(from_value::<Week>(json!("2026-W54")).is_err());
}

#[test]
fn reports_can_be_written_as_json() {
    let db = in_memory();
    db.update(|tx| tx.put_cell(coord(1, 1), &full()).and(tx.set_note("why"))).unwrap();
    put(&db, "key", "").unwrap();
    let stats = to_value(db.stats_mvcc().unwrap()).unwrap();
    assert_eq!((&stats["commit_seq"], &stats["visible_cell_count"]), (&json!(2), &json!(1)));
    assert_eq!(stats["families"][0]["family"], "raw");
    let commit = to_value(db.commits(1..).unwrap().next().unwrap().unwrap()).unwrap();
    assert_eq!((&commit["seq"], &commit["note"]), (&json!(1), &json!("why")));
    assert_eq!(commit["history_hash"].as_array().unwrap().len(), 16);
    assert_eq!(to_value(db.check().unwrap()).unwrap()["findings"], json!([]));
    assert_eq!(to_value(db.recovery_report()).unwrap()["clean"], true);
    assert_eq!(to_value(FindingKind::DoublyUsed).unwrap(), "DoublyUsed");
}
