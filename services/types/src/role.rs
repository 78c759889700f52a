//! Roles.

use crate::word_enum;

word_enum! {
    /// What a person or a machine may do within its own tenant.
    Role {
        /// Runs the installation: makes and suspends tenants. Sees no consortium.
        PlatformOperator = "platform_operator",
        /// Everything within the tenant: people, credentials, consortiums, membership.
        TenantAdmin = "tenant_admin",
        /// Runs ledgers and nodes.
        Operator = "operator",
        /// Looks.
        Viewer = "viewer",
    }
}
