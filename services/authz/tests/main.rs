//! The policy as a table that a person reviews.

use hansa_authz::{Action, Actor, OpContext, Subject, allows};
use hansa_core::{ApiKeyId, Error, RequestId, TenantId, UserId};
use hansa_types::Role;

// Relative to the package, where tests run: a build may be shared between checkouts.
const GOLDEN: &str = "tests/golden/policy.txt";

/// Every change of a right is a change of this file, which a person reads.
#[test]
fn the_policy_matrix_is_reviewed() {
    let letter = |role, action, subject| if allows(role, action, subject) { 'x' } else { '.' };
    let mut matrix = String::from(
        "# Who may do what among what their tenant sees. P platform operator, A tenant admin,\n\
         # O operator, V viewer. Write it anew with HANSA_GOLDEN=write cargo test -p hansa-authz.\n\n",
    );
    for subject in Subject::ALL {
        for action in Action::ALL {
            let row: String = Role::ALL.iter().map(|role| letter(*role, action, subject)).collect();
            if row.contains('x') {
                let marks: Vec<String> = row
                    .chars()
                    .zip("PAOV".chars())
                    .map(|(mark, role)| if mark == 'x' { role } else { '.' }.to_string())
                    .collect();
                let line = format!(
                    "{:<24}{:<10}{}\n",
                    format!("{subject:?}"),
                    format!("{action:?}"),
                    marks.join(" ")
                );
                matrix.push_str(&line);
            }
        }
    }
    if std::env::var("HANSA_GOLDEN").is_ok_and(|v| v == "write") {
        std::fs::write(GOLDEN, &matrix).expect("the golden file is writable");
    }
    let reviewed = std::fs::read_to_string(GOLDEN).unwrap_or_default();
    assert_eq!(
        matrix, reviewed,
        "rights changed: write the file anew and have the change reviewed"
    );
}

/// The operator of the installation carries messages; it has no part in a consortium.
#[test]
fn the_platform_operator_reaches_no_consortium() {
    for subject in Subject::ALL {
        let of_consortiums = matches!(
            subject,
            Subject::Consortiums
                | Subject::Consortium(_)
                | Subject::Ledger(_)
                | Subject::Node { .. }
                | Subject::Invitation(_)
        );
        for action in Action::ALL {
            let allowed = allows(Role::PlatformOperator, action, subject);
            assert!(!(of_consortiums && allowed), "{action:?} on {subject:?} must not be allowed");
        }
    }
}

/// A viewer changes nothing, anywhere, but its own session.
#[test]
fn a_viewer_changes_nothing() {
    for subject in Subject::ALL.into_iter().filter(|s| *s != Subject::Me) {
        for action in Action::ALL.into_iter().filter(|a| *a != Action::Read) {
            assert!(!allows(Role::Viewer, action, subject), "{action:?} on {subject:?}");
        }
    }
}

/// A context without a credential reaches no tenant, and a caller reaches only its own.
#[test]
fn a_scope_comes_only_from_a_checked_credential() {
    let tenant = TenantId::new();
    let nobody = OpContext::anonymous(RequestId::new());
    assert!(matches!(nobody.tenant_scope(), Err(Error::Unauthenticated)));
    assert!(matches!(nobody.in_tenant(tenant), Err(Error::Forbidden)));
    assert!(matches!(nobody.system_scope(), Err(Error::Forbidden)));
    assert!(matches!(nobody.authorize(Action::Read, Subject::Me), Err(Error::Unauthenticated)));

    let actor = Actor::User(UserId::new());
    let admin = OpContext::authenticated(RequestId::new(), actor, tenant, Role::TenantAdmin);
    assert_eq!(admin.tenant_scope().map(|s| s.tenant()).ok(), Some(tenant));
    assert!(matches!(admin.in_tenant(TenantId::new()), Err(Error::Forbidden)));
    assert!(matches!(admin.system_scope(), Err(Error::Forbidden)));

    let reconciler = OpContext::reconciler(RequestId::new(), "node");
    assert!(matches!(reconciler.tenant_scope(), Err(Error::Forbidden)), "it must name a tenant");
    assert_eq!(reconciler.in_tenant(tenant).map(|s| s.tenant()).ok(), Some(tenant));
}

/// S-24: a machine must never be taken for a person with the same id.
#[test]
fn principals_of_different_kinds_are_distinct() {
    let id = UserId::new().uuid();
    assert_ne!(Actor::User(id.into()).to_string(), Actor::ApiKey(ApiKeyId::from(id)).to_string());
}
