//! Users of the caller's tenant.

use hansa_authz::{Action, OpContext, Subject};
use hansa_core::{Error, Kind, Refusal, Result, Revision, Rule, UserId, limits};
use hansa_store::{NewUser, TenantTx, UserChanges};
use hansa_types::{Role, Tenant, TenantKind, User, UserCreate, UserList, UserPhase, UserUpdate};

use crate::{
    act::{Repeat, act},
    control_plane::{ControlPlane, PageQuery},
};

impl ControlPlane {
    /// Makes a user.
    ///
    /// # Errors
    /// [`Error::Forbidden`], [`Error::AlreadyExists`], [`Error::QuotaExceeded`].
    pub async fn user_create(
        &self,
        context: &OpContext,
        request: &UserCreate,
        repeat: Option<Repeat>,
    ) -> Result<User> {
        let UserCreate { email, display_name, role, password } = request;
        act!(self, context, "user_create", None, repeat, |act| {
            context.authorize(Action::Create, Subject::Users)?;
            let tenant = own(&mut act.tx).await?;
            check_role(&tenant, *role)?;
            if act.tx.user_count().await? >= limits::USERS_PER_TENANT_MAX {
                return Err(Error::QuotaExceeded { limit: limits::USERS_PER_TENANT_MAX });
            }
            let id = UserId::new();
            act.about(id.uuid());
            let new = NewUser {
                id,
                tenant: tenant.id,
                tenant_kind: tenant.kind,
                email: email.clone(),
                display_name: display_name.clone(),
                role: *role,
                password_hash: self.passwords.hash(password.secret()).await?,
                now: act.now,
            };
            act.tx.user_insert(&new).await?;
            act.tx.user_get(id).await
        })
    }

    /// A user.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::Forbidden`].
    pub async fn user_get(&self, context: &OpContext, id: UserId) -> Result<User> {
        let user = self.reading(context).await?.user_get(id).await?;
        context.authorize(Action::Read, Subject::Users)?;
        Ok(user)
    }

    /// The tenant's users.
    ///
    /// # Errors
    /// [`Error::Forbidden`].
    pub async fn user_list(&self, context: &OpContext, query: &PageQuery) -> Result<UserList> {
        context.authorize(Action::Read, Subject::Users)?;
        let page = self.page(context, "users", query)?;
        self.listed(context, "users", self.reading(context).await?.user_list(page).await?)
    }

    /// Changes a user. A new password, a disabled account or another role ends its sessions.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::Forbidden`], [`Error::Stale`], [`Refusal::LastAdministrator`].
    pub async fn user_update(
        &self,
        context: &OpContext,
        id: UserId,
        expected: Revision,
        request: &UserUpdate,
    ) -> Result<User> {
        let UserUpdate { display_name, role, phase, password } = request;
        act!(self, context, "user_update", Some(id.uuid()), None, |act| {
            let before = act.tx.user_get(id).await?;
            context.authorize(Action::Modify, Subject::Users)?;
            if let Some(role) = role {
                check_role(&own(&mut act.tx).await?, *role)?;
            }
            let password_hash = match password {
                Some(password) => Some(self.passwords.hash(password.secret()).await?),
                None => None,
            };
            let ends_sessions = password.is_some() || phase.is_some() || role.is_some();
            let changes = UserChanges {
                display_name: display_name.clone(),
                role: *role,
                phase: *phase,
                password_hash,
            };
            let administrators = act.tx.administrator_count().await?;
            let user = act.tx.user_update(id, expected, &changes).await?;
            let lost = is_administrator(&before) && !is_administrator(&user);
            if lost && administrators <= 1 {
                return Err(Refusal::LastAdministrator.into());
            }
            if ends_sessions {
                act.tx.session_end_all(id, act.now).await?;
            }
            Ok(user)
        })
    }

    /// Removes a user. Its sessions and the API keys that it made end at once.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::Forbidden`], [`Error::Stale`], [`Refusal::OwnAccount`],
    /// [`Refusal::LastAdministrator`].
    pub async fn user_delete(
        &self,
        context: &OpContext,
        id: UserId,
        expected: Revision,
    ) -> Result<()> {
        act!(self, context, "user_delete", Some(id.uuid()), None, |act| {
            let user = act.tx.user_get(id).await?;
            context.authorize(Action::Delete, Subject::Users)?;
            if context.user() == Some(id) {
                return Err(Refusal::OwnAccount.into());
            }
            let administrators = act.tx.administrator_count().await?;
            if is_administrator(&user) && administrators <= 1 {
                return Err(Refusal::LastAdministrator.into());
            }
            act.tx.api_key_end_all(id, act.now).await?;
            act.tx.user_delete(id, expected).await
        })
    }
}

fn is_administrator(user: &User) -> bool {
    let role = match user.role {
        Role::TenantAdmin | Role::PlatformOperator => true,
        Role::Operator | Role::Viewer => false,
    };
    role && user.phase == UserPhase::Active
}

/// The caller's own tenant.
pub(crate) async fn own(tx: &mut TenantTx) -> Result<Tenant> {
    tx.tenant_own().await?.ok_or(Error::NotFound(Kind::Tenant))
}

/// The platform's operators are in the platform's tenant, and nobody else is.
pub(crate) fn check_role(tenant: &Tenant, role: Role) -> Result<()> {
    let platform = tenant.kind == TenantKind::Platform;
    if platform == (role == Role::PlatformOperator) {
        Ok(())
    } else {
        Err(Error::invalid("/role", Rule::Range, "this tenant has no such role"))
    }
}
