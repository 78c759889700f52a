//! SQLite's pre-update hook, declared by hand.
//!
//! The wrapper offers it only together with bindings made by libclang. The C flag
//! `SQLITE_ENABLE_PREUPDATE_HOOK` is set in the checked-in cargo configuration; without it linking
//! fails. The hook sees what triggers and update hooks miss: rows deleted by REPLACE, cascades,
//! `DELETE` without `WHERE`, tables without rowid.
#![allow(unsafe_code)] // four foreign functions; every block says why it is sound

use std::{
    ffi::{CStr, c_char, c_int, c_void},
    slice,
    sync::{Arc, Mutex, PoisonError},
};

use ledger_types::Value;
use rusqlite::{Connection, ffi};

use crate::capture::Capture;

type Hook = unsafe extern "C" fn(
    *mut c_void,
    *mut ffi::sqlite3,
    c_int,
    *const c_char,
    *const c_char,
    i64,
    i64,
);

unsafe extern "C" {
    fn sqlite3_preupdate_hook(
        connection: *mut ffi::sqlite3,
        hook: Option<Hook>,
        context: *mut c_void,
    ) -> *mut c_void;
    fn sqlite3_preupdate_old(
        connection: *mut ffi::sqlite3,
        column: c_int,
        value: *mut *mut ffi::sqlite3_value,
    ) -> c_int;
    fn sqlite3_preupdate_new(
        connection: *mut ffi::sqlite3,
        column: c_int,
        value: *mut *mut ffi::sqlite3_value,
    ) -> c_int;
}

/// A connection whose row changes go to a [`Capture`].
///
/// The hook's context is a pointer into `capture`; it lives as long as the connection, because both
/// are fields here and the connection is dropped first.
#[derive(Debug)]
pub(crate) struct Captured {
    connection: Connection,
    capture: Watched,
}

/// The capture, without its connection.
#[derive(Clone, Debug, Default)]
pub(crate) struct Watched(Arc<Mutex<Capture>>);

impl Watched {
    pub(crate) fn capture<T>(&self, act: impl FnOnce(&mut Capture) -> T) -> T {
        act(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Captured {
    pub(crate) fn new(connection: Connection) -> Self {
        let capture = Watched::default();
        let context = Arc::as_ptr(&capture.0).cast_mut().cast::<c_void>();
        // SAFETY: the handle is valid while `connection` lives; `context` points to the mutex in
        // `capture`, which this value keeps alive for longer (see the type's documentation).
        unsafe {
            sqlite3_preupdate_hook(connection.handle(), Some(hook), context);
        }
        Self { connection, capture }
    }

    pub(crate) fn connection(&self) -> &Connection {
        &self.connection
    }

    pub(crate) fn capture<T>(&self, act: impl FnOnce(&mut Capture) -> T) -> T {
        self.capture.capture(act)
    }

    /// For who looks while a statement runs.
    pub(crate) fn watch(&self) -> Watched {
        self.capture.clone()
    }
}

/// Called by SQLite before each row change, on the thread that runs the statement.
///
/// # Safety
/// Only SQLite calls it, with the context given to `sqlite3_preupdate_hook`.
unsafe extern "C" fn hook(
    context: *mut c_void,
    connection: *mut ffi::sqlite3,
    operation: c_int,
    _database: *const c_char,
    table: *const c_char,
    _old_rowid: i64,
    _new_rowid: i64,
) {
    // SAFETY: `context` is the pointer that `Captured::new` registered, still alive.
    let capture = unsafe { &*context.cast_const().cast::<Mutex<Capture>>() };
    // SAFETY: SQLite passes the table's name as a NUL-terminated string.
    let name = unsafe { CStr::from_ptr(table) };
    let mut capture = capture.lock().unwrap_or_else(PoisonError::into_inner);
    let Ok(name) = name.to_str() else { return capture.fail("a table's name is not UTF-8") };
    // The node's own bookkeeping tables are not in the registry and not in the tree.
    let Some(table) = capture.table(name) else { return };
    let columns = table.columns.len();
    let old = (operation != ffi::SQLITE_INSERT).then(|| {
        // SAFETY: inside the hook, for an operation that has an old row.
        read_row(columns, |at, value| unsafe { sqlite3_preupdate_old(connection, at, value) })
    });
    let new = (operation != ffi::SQLITE_DELETE).then(|| {
        // SAFETY: inside the hook, for an operation that has a new row.
        read_row(columns, |at, value| unsafe { sqlite3_preupdate_new(connection, at, value) })
    });
    match (old, new) {
        (Some(None), _) | (_, Some(None)) => capture.fail("a changed row cannot be read"),
        (old, new) => {
            let (old, new) = (old.flatten(), new.flatten());
            capture.row(&table, old.as_deref(), new.as_deref());
        }
    }
}

fn read_row(
    columns: usize,
    read: impl Fn(c_int, *mut *mut ffi::sqlite3_value) -> c_int,
) -> Option<Vec<Value>> {
    let column = |at: usize| {
        let mut value = std::ptr::null_mut();
        let code = read(c_int::try_from(at).ok()?, &raw mut value);
        if code != ffi::SQLITE_OK || value.is_null() {
            return None;
        }
        // SAFETY: SQLite has just given this value; it is protected until the hook returns.
        unsafe { read_value(value) }
    };
    (0..columns).map(column).collect()
}

/// # Safety
/// `value` must be a protected value of SQLite.
unsafe fn read_value(value: *mut ffi::sqlite3_value) -> Option<Value> {
    // SAFETY (all calls): `value` is protected, and text or blob stay valid until the next
    // conversion; the length is asked after the pointer, as SQLite demands.
    unsafe {
        let bytes = |start: *const u8| {
            let len = usize::try_from(ffi::sqlite3_value_bytes(value)).ok()?;
            let bytes = if len == 0 { &[][..] } else { slice::from_raw_parts(start, len) };
            Some(bytes.to_vec())
        };
        match ffi::sqlite3_value_type(value) {
            ffi::SQLITE_NULL => Some(Value::Null),
            ffi::SQLITE_INTEGER => Some(Value::Integer(ffi::sqlite3_value_int64(value))),
            ffi::SQLITE_TEXT => {
                let text = bytes(ffi::sqlite3_value_text(value))?;
                String::from_utf8(text).ok().map(Value::Text)
            }
            ffi::SQLITE_BLOB => {
                let hex = bytes(ffi::sqlite3_value_blob(value).cast())?;
                Some(Value::Blob { hex })
            }
            _ => None,
        }
    }
}
