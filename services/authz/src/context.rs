//! The operation context: every method of the control plane takes one.

use hansa_core::{Error, RequestId, Result, TenantId, UserId};
use hansa_types::Role;

use crate::{
    actor::Actor,
    policy::{Action, Subject, allows},
};

/// Who asks, for which tenant, in which role, under which request.
#[derive(Clone, Debug)]
pub struct OpContext {
    request: RequestId,
    actor: Actor,
    standing: Standing,
}

/// In whose name the actor acts.
#[derive(Clone, Copy, Debug)]
enum Standing {
    /// Nobody's: before a credential was checked.
    None,
    /// A tenant's, in a role.
    Tenant(TenantId, Role),
    /// The control plane's own.
    System,
}

/// The right to one tenant's rows. It can only be had from an [`OpContext`]: the field is private.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TenantScope {
    tenant: TenantId,
    actor: Actor,
    request: RequestId,
}

/// The right to see across tenants: for what must happen before the tenant is known, and for the
/// control plane's own work. How far it reaches is bounded by the database role behind it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SystemScope {
    actor: Actor,
    request: RequestId,
}

impl OpContext {
    /// Before a credential was checked.
    #[must_use]
    pub const fn anonymous(request: RequestId) -> Self {
        Self { request, actor: Actor::Anonymous, standing: Standing::None }
    }

    /// A caller whose credential was checked. Only whoever checks credentials calls this.
    #[must_use]
    pub const fn authenticated(
        request: RequestId,
        actor: Actor,
        tenant: TenantId,
        role: Role,
    ) -> Self {
        Self { request, actor, standing: Standing::Tenant(tenant, role) }
    }

    /// A part of the control plane that acts by itself.
    #[must_use]
    pub const fn reconciler(request: RequestId, name: &'static str) -> Self {
        Self { request, actor: Actor::Reconciler(name), standing: Standing::System }
    }

    /// The request.
    #[must_use]
    pub const fn request(&self) -> RequestId {
        self.request
    }

    /// Who acts.
    #[must_use]
    pub const fn actor(&self) -> Actor {
        self.actor
    }

    /// The caller, when it is a person.
    #[must_use]
    pub const fn user(&self) -> Option<UserId> {
        match self.actor {
            Actor::User(id) => Some(id),
            Actor::ApiKey(_) | Actor::Node(_) | Actor::Reconciler(_) | Actor::Anonymous => None,
        }
    }

    /// The caller's tenant.
    #[must_use]
    pub const fn tenant(&self) -> Option<TenantId> {
        match self.standing {
            Standing::Tenant(tenant, _) => Some(tenant),
            Standing::None | Standing::System => None,
        }
    }

    /// The caller's role.
    #[must_use]
    pub const fn role(&self) -> Option<Role> {
        match self.standing {
            Standing::Tenant(_, role) => Some(role),
            Standing::None | Standing::System => None,
        }
    }

    /// Asks the policy.
    ///
    /// # Errors
    /// [`Error::Unauthenticated`] without a credential, [`Error::Forbidden`] when the role does not
    /// allow it. That something may not even be known to exist was decided before: a handle can
    /// only be had for what the caller's tenant sees.
    pub fn authorize(&self, action: Action, subject: Subject) -> Result<()> {
        match self.standing {
            Standing::None => Err(Error::Unauthenticated),
            Standing::System => Ok(()),
            Standing::Tenant(_, role) if allows(role, action, subject) => Ok(()),
            Standing::Tenant(..) => Err(Error::Forbidden),
        }
    }

    /// The right to the caller's own tenant's rows.
    ///
    /// # Errors
    /// [`Error::Unauthenticated`] without a credential; [`Error::Forbidden`] for the control plane
    /// itself, which names the tenant with [`OpContext::in_tenant`].
    pub const fn tenant_scope(&self) -> Result<TenantScope> {
        match self.standing {
            Standing::None => Err(Error::Unauthenticated),
            Standing::System => Err(Error::Forbidden),
            Standing::Tenant(tenant, _) => Ok(self.scope_of(tenant)),
        }
    }

    /// The right to one tenant's rows, for the control plane's own work: its writes pass the same
    /// gate as the tenant's.
    ///
    /// # Errors
    /// [`Error::Forbidden`] for callers.
    pub const fn in_tenant(&self, tenant: TenantId) -> Result<TenantScope> {
        match self.standing {
            Standing::System => Ok(self.scope_of(tenant)),
            Standing::None | Standing::Tenant(..) => Err(Error::Forbidden),
        }
    }

    /// The right to look up credentials and names before a tenant is known. In the API it leads to
    /// a database role that sees identities and nothing else.
    #[must_use]
    pub const fn identity_scope(&self) -> SystemScope {
        SystemScope { actor: self.actor, request: self.request }
    }

    /// The right to all tenants' rows, for reconcilers.
    ///
    /// # Errors
    /// [`Error::Forbidden`] for callers.
    pub const fn system_scope(&self) -> Result<SystemScope> {
        match self.standing {
            Standing::System => Ok(self.identity_scope()),
            Standing::None | Standing::Tenant(..) => Err(Error::Forbidden),
        }
    }

    const fn scope_of(&self, tenant: TenantId) -> TenantScope {
        TenantScope { tenant, actor: self.actor, request: self.request }
    }
}

impl TenantScope {
    /// The tenant whose rows may be touched.
    #[must_use]
    pub const fn tenant(&self) -> TenantId {
        self.tenant
    }

    /// Who acts.
    #[must_use]
    pub const fn actor(&self) -> Actor {
        self.actor
    }

    /// The request.
    #[must_use]
    pub const fn request(&self) -> RequestId {
        self.request
    }
}

impl SystemScope {
    /// Who acts.
    #[must_use]
    pub const fn actor(&self) -> Actor {
        self.actor
    }

    /// The request.
    #[must_use]
    pub const fn request(&self) -> RequestId {
        self.request
    }
}
