//! How a database error becomes one of ours.

use hansa_core::{Error, Kind, Refusal};

/// Maps an error of the database. A constraint that a caller can break has its meaning here, by
/// name; everything that passes by itself is "unavailable"; the rest is a fault of ours.
pub(crate) fn database(error: sqlx::Error) -> Error {
    match &error {
        sqlx::Error::Database(refused) => {
            if let Some(known) = refused.constraint().and_then(of_constraint) {
                return known;
            }
            let code = refused.code();
            if code.as_deref().is_some_and(passes_by_itself) {
                return Error::unavailable(error);
            }
            Error::internal(error)
        }
        sqlx::Error::PoolTimedOut
        | sqlx::Error::PoolClosed
        | sqlx::Error::WorkerCrashed
        | sqlx::Error::Io(_)
        | sqlx::Error::Tls(_)
        | sqlx::Error::Protocol(_) => Error::unavailable(error),
        // Not our enum: whatever sqlx adds is a fault of ours until we know better.
        _ => Error::internal(error),
    }
}

fn of_constraint(name: &str) -> Option<Error> {
    Some(match name {
        "tenant_name_key" | "tenant_platform_key" => Error::AlreadyExists(Kind::Tenant),
        "app_user_email_key" => Error::AlreadyExists(Kind::User),
        "api_key_name_key" => Error::AlreadyExists(Kind::ApiKey),
        "consortium_name_key" => Error::AlreadyExists(Kind::Consortium),
        "member_name_key" => Error::AlreadyExists(Kind::Member),
        "member_key_key" => Refusal::KeyInvalid.into(),
        "member_tenant_key" | "invitation_pending_key" | "consortium_access_pkey" => {
            Refusal::AlreadyMember.into()
        }
        "cluster_name_key" => Error::AlreadyExists(Kind::Cluster),
        "ledger_name_key" => Error::AlreadyExists(Kind::Ledger),
        "node_name_key" => Error::AlreadyExists(Kind::Node),
        "operation_ledger_key" | "operation_node_key" => Refusal::OperationInProgress.into(),
        _ => return None,
    })
}

/// Classes and codes of SQLSTATE after which the same request can succeed.
fn passes_by_itself(code: &str) -> bool {
    const CLASSES: [&str; 3] = [
        "08", // connection
        "53", // out of connections, memory, disk
        "57", // shutdown, crash, time-out
    ];
    const CODES: [&str; 4] = [
        "25006", // a standby: read only
        "40001", // serialisation
        "40P01", // deadlock
        "55P03", // lock not had in time
    ];
    CLASSES.iter().any(|class| code.starts_with(class)) || CODES.contains(&code)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// an ended server must become 503 with a time to come back, never 500.
    #[test]
    fn an_absent_server_is_unavailable() {
        for code in ["08006", "53300", "53100", "57P01", "57P03", "57014", "55P03", "25006"] {
            assert!(passes_by_itself(code), "{code} passes by itself");
        }
        for code in ["42501", "42P01", "23503", "22P02"] {
            assert!(!passes_by_itself(code), "{code} is a fault of ours");
        }
        assert!(matches!(database(sqlx::Error::PoolTimedOut), Error::Unavailable { .. }));
    }
}
