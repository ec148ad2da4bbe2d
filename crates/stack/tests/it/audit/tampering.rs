//! Changes behind the log's back are found, and the first one is named.

use rusqlite::Connection;

use super::{Site, copy_folder, five_events};

/// Changes the database as somebody with the file would: without its triggers, which are put back.
fn tamper(site: &Site, sql: &str) {
    let connection = Connection::open(site.log().join("audit.db")).unwrap();
    connection.execute_batch("PRAGMA foreign_keys = OFF").unwrap();
    let mut select =
        connection.prepare("SELECT name, sql FROM sqlite_schema WHERE type = 'trigger'").unwrap();
    let triggers = select.query_map([], |row| Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?)));
    let triggers: Vec<_> = triggers.unwrap().collect::<Result<_, _>>().unwrap();
    for (name, _) in &triggers {
        connection.execute_batch(&format!("DROP TRIGGER {name}")).unwrap();
    }
    connection.execute_batch(sql).unwrap();
    for (_, trigger) in &triggers {
        connection.execute_batch(trigger).unwrap();
    }
}

#[test]
fn five_events_are_verified() {
    let site = five_events();
    let verified = site.verifies();
    assert_eq!((&verified["ok"], &verified["entries"]), (&true.into(), &5.into()));
    let ran = site.stack(&["audit", "verify", "--session", "registry"]);
    assert!(ran.stderr.contains("--anchor"), "{}", ran.stderr);
    assert!(ran.output().starts_with("verified: 5 entries in 2 streams\n"));
}

#[test]
fn an_unknown_session_is_an_error() {
    let site = five_events();
    let unknown = "00112233445566778899aabbccddeeff";
    for arguments in [
        &["audit", "verify", "--session", unknown][..],
        &["audit", "show", unknown],
        &["audit", "export", "--session", unknown],
        &["audit", "erase", "--session", unknown, "--reason", "a test"],
        &["audit", "hold", unknown, "--reason", "a test"],
    ] {
        site.stack(arguments).fails(3, &[unknown, "hint: "]);
    }
    let empty = Site::new();
    empty.stack(&["audit", "verify"]).fails(3, &["error[no-audit-log]", "hint: "]);
}

#[test]
fn whatever_is_changed_is_named() {
    let payload = "UPDATE payload SET bytes = CAST(replace(CAST(bytes AS TEXT), 'second', 'sEcond') AS BLOB) \
                   WHERE idx = 3";
    let swap = "UPDATE entry SET idx = -1 WHERE idx = 1; UPDATE entry SET idx = 1 WHERE idx = 3; \
                UPDATE entry SET idx = 3 WHERE idx = -1";
    let cut = "DELETE FROM payload WHERE idx = 4; DELETE FROM entry WHERE idx = 4";
    for (what, sql, class, index) in [
        ("one byte of a payload", payload, "payload_changed", 3),
        ("the last entry", cut, "truncated", 4),
        ("two entries", swap, "bad_entry", 1),
        ("an entry", "DELETE FROM payload WHERE idx = 2; DELETE FROM entry WHERE idx = 2", "gap", 2),
        ("a payload", "DELETE FROM payload WHERE idx = 2", "payload_missing", 2),
        ("a hash", "UPDATE entry SET hash = zeroblob(32) WHERE idx = 2", "bad_entry", 2),
        (
            "one byte of an entry",
            "UPDATE entry SET body = CAST(substr(body, 1, 110) || x'ff' || substr(body, 112) AS BLOB) WHERE idx = 2",
            "bad_entry",
            2,
        ),
    ] {
        let site = five_events();
        tamper(&site, sql);
        let ran = site.stack(&["audit", "verify", "--json"]);
        let error: serde_json::Value = serde_json::from_str(&ran.stderr).unwrap();
        let details = &error["error"]["details"];
        assert_eq!(
            (ran.code, &details["class"], &details["index"]),
            (5, &class.into(), &index.into()),
            "{what}"
        );
        site.stack(&["audit", "verify"]).fails(5, &[&format!("error[{class}]"), &format!("at {index}")]);
    }
}

#[test]
fn an_older_copy_is_found_by_an_anchor() {
    let site = five_events();
    let older = site.path("older");
    copy_folder(&site.log(), older.as_ref());
    site.configure(&format!("[audit]\nanchors = [{:?}]\n", site.path("anchor")));
    site.stack(&["rm", "second"]).output();
    assert_eq!(site.verifies()["checkpoints_from_elsewhere"], 1);
    std::fs::remove_dir_all(site.log()).unwrap();
    copy_folder(older.as_ref(), &site.log());
    // By itself an older copy is as sound as it was.
    let log = site.log();
    site.stack(&["audit", "verify", log.to_str().unwrap()]).output();
    let anchor = site.path("anchor");
    site.stack(&["audit", "verify", log.to_str().unwrap(), "--anchor", &anchor])
        .fails(5, &["error[truncated]"]);
    site.stack(&["audit", "verify"]).fails(5, &["error[truncated]", "at 5"]);
}

#[test]
fn an_anchor_can_be_required_and_a_key_named() {
    let site = five_events();
    site.stack(&["audit", "verify", "--require-anchor"]).fails(6, &["error[not_anchored]", "--anchor"]);
    let note = site.stack(&["audit", "checkpoint"]).output();
    std::fs::write(site.path("note"), note).unwrap();
    site.stack(&["audit", "verify", "--require-anchor", "--anchor", &site.path("note")]).output();
    let keys = site.stack(&["audit", "keys", "--json"]).json();
    site.stack(&["audit", "verify", "--key", keys["keys"][0].as_str().unwrap()]).output();
    let other = format!("ed25519:{}", "3b6a27bcceb6a42d62a3a8d02a6f0d73653215771de243a63ac048a18b59da29");
    site.stack(&["audit", "verify", "--key", &other]).fails(6, &["error[unknown_key]", "--key"]);
    std::fs::write(site.path("rubbish"), "rubbish").unwrap();
    site.stack(&["audit", "verify", &site.path("rubbish")]).fails(4, &["error[unreadable]"]);
    for file in ["audit.db-wal", "audit.db-shm"] {
        std::fs::remove_file(site.log().join(file)).unwrap();
    }
    std::fs::write(site.log().join("audit.db"), vec![b'x'; 8192]).unwrap();
    site.stack(&["audit", "verify"]).fails(4, &["hint: "]);
}
