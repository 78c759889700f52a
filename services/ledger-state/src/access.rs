//! Who may do what: roles of keys, in a table that the state tree covers.

use ledger_types::{AccessChange, Genesis, Outcome, PublicKey, Reason, RecordKind, Roles};
use rusqlite::{Connection, OptionalExtension as _, params};

use crate::{
    error::StateError,
    schema::{Column, Kind, Schema, Table},
};

pub(crate) const ACCESS_TABLE: u32 = 1;
pub(crate) const RECORD_TABLE: u32 = 2;

const SCHEMA: &str = "
CREATE TABLE hansa_access (
    public_key BLOB NOT NULL PRIMARY KEY, member INTEGER NOT NULL, roles INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE hansa_record (
    height INTEGER NOT NULL, place INTEGER NOT NULL, kind TEXT NOT NULL, signer BLOB NOT NULL,
    body TEXT NOT NULL, PRIMARY KEY (height, place)
) STRICT, WITHOUT ROWID;
";

/// Makes the ledger's own tables with the genesis' administrators in them.
pub(crate) fn create(
    connection: &Connection,
    schema: &mut Schema,
    genesis: &Genesis,
) -> Result<(), StateError> {
    connection.execute_batch(SCHEMA)?;
    let table = |id, name: &str, columns: &[(&str, Kind)], key: Vec<u32>| {
        let columns: Vec<Column> = columns
            .iter()
            .zip(1..)
            .map(|((name, kind), id)| Column {
                id,
                name: (*name).to_owned(),
                kind: *kind,
                creation_default: ledger_types::Value::Null,
            })
            .collect();
        let next_column = u32::try_from(columns.len()).expect("few columns") + 1;
        Table { id, name: name.to_owned(), columns, key, next_column, sql: Vec::new() }
    };
    let access = [("public_key", Kind::Blob), ("member", Kind::Integer), ("roles", Kind::Integer)];
    schema.put(connection, table(ACCESS_TABLE, "hansa_access", &access, vec![0]))?;
    let record = [
        ("height", Kind::Integer),
        ("place", Kind::Integer),
        ("kind", Kind::Text),
        ("signer", Kind::Blob),
        ("body", Kind::Text),
    ];
    schema.put(connection, table(RECORD_TABLE, "hansa_record", &record, vec![0, 1]))?;
    for (member, at) in genesis.charter.members.iter().zip(0u32..) {
        set(connection, &member.administrator, at, Roles::ADMINISTRATOR)?;
    }
    if let Some(anchor) = &genesis.charter.anchor {
        // No member: nobody's administrator may change it.
        set(connection, anchor, u32::from(u16::MAX), Roles::ANCHOR)?;
    }
    Ok(())
}

/// A key's member and roles.
pub(crate) fn find(
    connection: &Connection,
    key: &PublicKey,
) -> Result<Option<(u32, Roles)>, StateError> {
    let found = connection
        .prepare_cached("SELECT member, roles FROM hansa_access WHERE public_key = ?1")?
        .query_row([&key.0[..]], |row| Ok((row.get(0)?, Roles(row.get(1)?))))
        .optional()?;
    Ok(found)
}

fn set(
    connection: &Connection,
    key: &PublicKey,
    member: u32,
    roles: Roles,
) -> Result<(), StateError> {
    connection
        .prepare_cached(
            "INSERT INTO hansa_access (public_key, member, roles) VALUES (?1, ?2, ?3)
             ON CONFLICT (public_key) DO UPDATE SET roles = excluded.roles",
        )?
        .execute(params![&key.0[..], member, roles.0])?;
    Ok(())
}

fn refused(reason: Reason, detail: String) -> Outcome {
    Outcome::Refused { reason, statement: None, position: None, detail }
}

/// Runs an access transaction: an administrator changes keys of its own member.
pub(crate) fn change(
    connection: &Connection,
    signer: (u32, Roles),
    changes: &[AccessChange],
    signer_key: &PublicKey,
) -> Result<Outcome, StateError> {
    let (member, roles) = signer;
    if !roles.contains(Roles::ADMIN) {
        return Ok(refused(Reason::NotPermitted, "the key is no administrator".into()));
    }
    for change in changes {
        let usable = change.key.check().is_ok() && change.roles.0 <= Roles::ADMINISTRATOR.0;
        if !usable {
            let text = format!("the key {} or its roles cannot be granted", change.key);
            return Ok(refused(Reason::NotAllowed, text));
        }
        let taken = find(connection, &change.key)?;
        if taken.is_some_and(|(owner, _)| owner != member) {
            let text = format!("the key {} belongs to another member", change.key);
            return Ok(refused(Reason::NotPermitted, text));
        }
        if change.key == *signer_key && !change.roles.contains(Roles::ADMIN) {
            let text = "an administrator cannot take its own right away".into();
            return Ok(refused(Reason::NotAllowed, text));
        }
        set(connection, &change.key, member, change.roles)?;
    }
    Ok(Outcome::Applied { changes: vec![changes.len() as u64] })
}

/// Appends a governance record.
pub(crate) fn record(
    connection: &Connection,
    place: (u64, u32),
    kind: RecordKind,
    body: &str,
    signer: &PublicKey,
    validators: &[PublicKey],
) -> Result<Outcome, StateError> {
    let (name, permitted) = match kind {
        RecordKind::Incident => ("incident", validators.contains(signer)),
        RecordKind::Anchor => {
            let found = find(connection, signer)?;
            ("anchor", found.is_some_and(|(_, roles)| roles.contains(Roles::ANCHOR)))
        }
    };
    if !permitted {
        let text = format!("the key may not write {name} records");
        return Ok(refused(Reason::NotPermitted, text));
    }
    let height = crate::tree::store::signed(place.0);
    connection
        .prepare_cached(
            "INSERT INTO hansa_record (height, place, kind, signer, body)
             VALUES (?1, ?2, ?3, ?4, ?5)",
        )?
        .execute(params![height, place.1, name, &signer.0[..], body])?;
    Ok(Outcome::Applied { changes: vec![1] })
}
