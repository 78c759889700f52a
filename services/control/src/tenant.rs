//! Tenants. Making one crosses tenants, so it happens in the identity role.

use hansa_authz::{Action, OpContext, Subject};
use hansa_core::{
    ApiKeyId, Error, Kind, Name, Purpose, Refusal, Result, Revision, Secret, TenantId, UserId,
    limits,
};
use hansa_store::{NewApiKey, NewTenant, NewUser};
use hansa_types::{
    DisplayName, Role, Tenant, TenantCreate, TenantKind, TenantList, TenantPhase, UserCreate,
};

use crate::{
    act::{Repeat, act},
    control_plane::{ControlPlane, PageQuery},
    identity::api_key_text,
};

/// The tenant that runs the installation, with its first API key.
#[derive(Debug)]
pub struct PlatformCreated {
    /// The tenant.
    pub tenant: TenantId,
    /// Its API key in the role of the platform's operator; shown this once.
    pub api_key: Secret,
}

impl ControlPlane {
    /// Makes the tenant that runs the installation, its operator and its first API key. Only the
    /// installer calls this, before there is anybody who could ask for it; there is at most one.
    ///
    /// # Errors
    /// [`Error::AlreadyExists`] when it is there.
    pub async fn platform_create(
        &self,
        context: &OpContext,
        operator: &UserCreate,
    ) -> Result<PlatformCreated> {
        let password_hash = self.passwords.hash(operator.password.secret()).await?;
        let now = self.now();
        let name: Name = "platform".parse().map_err(Error::internal)?;
        let display_name = DisplayName::try_from("Platform".to_owned()).map_err(Error::internal)?;
        let (id, kind) = (TenantId::new(), TenantKind::Platform);
        let mut tx = self.store.system_tx(context.identity_scope()).await?;
        tx.tenant_insert(&NewTenant { id, name, display_name, kind, now }).await?;
        tx.user_insert(&NewUser {
            id: UserId::new(),
            tenant: id,
            tenant_kind: kind,
            email: operator.email.clone(),
            display_name: operator.display_name.clone(),
            role: Role::PlatformOperator,
            password_hash,
            now,
        })
        .await?;
        let key = ApiKeyId::new();
        let (secret, secret_hash) = self.new_secret(Purpose::ApiKey, key.uuid())?;
        tx.api_key_insert(&NewApiKey {
            id: key,
            tenant: id,
            tenant_kind: kind,
            name: "installer".parse().map_err(Error::internal)?,
            role: Role::PlatformOperator,
            secret_hash,
            created_by: None,
            now,
            expires_at: now + limits::API_KEY_LIFE_MAX,
        })
        .await?;
        tx.commit().await?;
        Ok(PlatformCreated { tenant: id, api_key: Secret::from(api_key_text(key, &secret)) })
    }

    /// Makes a tenant with its first administrator.
    ///
    /// # Errors
    /// [`Error::Forbidden`] unless the caller operates the platform, [`Error::AlreadyExists`].
    pub async fn tenant_create(
        &self,
        context: &OpContext,
        request: &TenantCreate,
        repeat: Option<Repeat>,
    ) -> Result<Tenant> {
        act!(begin_platform: self, context, "tenant_create", None, repeat, |act| {
            context.authorize(Action::Create, Subject::Tenants)?;
            let TenantCreate { name, display_name, administrator } = request;
            let password_hash = self.passwords.hash(administrator.password.secret()).await?;
            let (id, kind, now) = (TenantId::new(), TenantKind::Customer, act.now);
            act.about(id.uuid());
            let (name, display_name) = (name.clone(), display_name.clone());
            act.tx.tenant_insert(&NewTenant { id, name, display_name, kind, now }).await?;
            act.tx
                .user_insert(&NewUser {
                    id: UserId::new(),
                    tenant: id,
                    tenant_kind: kind,
                    email: administrator.email.clone(),
                    display_name: administrator.display_name.clone(),
                    role: Role::TenantAdmin,
                    password_hash,
                    now,
                })
                .await?;
            act.tx.tenant_get(id).await?.ok_or(Error::NotFound(Kind::Tenant))
        })
    }

    /// A tenant.
    ///
    /// # Errors
    /// [`Error::Forbidden`] unless the caller operates the platform, [`Error::NotFound`].
    pub async fn tenant_get(&self, context: &OpContext, id: TenantId) -> Result<Tenant> {
        context.authorize(Action::Read, Subject::Tenants)?;
        let mut tx = self.store.system_tx(context.identity_scope()).await?;
        tx.tenant_get(id).await?.ok_or(Error::NotFound(Kind::Tenant))
    }

    /// All tenants.
    ///
    /// # Errors
    /// [`Error::Forbidden`] unless the caller operates the platform.
    pub async fn tenant_list(&self, context: &OpContext, query: &PageQuery) -> Result<TenantList> {
        context.authorize(Action::Read, Subject::Tenants)?;
        let page = self.page(context, "tenants", query)?;
        let mut tx = self.store.system_tx(context.identity_scope()).await?;
        self.listed(context, "tenants", tx.tenant_list(page).await?)
    }

    /// Ends a tenant: its credentials stop working at once, and its name is free again.
    ///
    /// # Errors
    /// [`Error::Forbidden`] unless the caller operates the platform, [`Error::NotFound`],
    /// [`Error::Stale`], [`Refusal::TenantHasSeats`] while a consortium counts on it, and
    /// [`Refusal::InUse`] for the tenant that runs the installation.
    pub async fn tenant_delete(
        &self,
        context: &OpContext,
        id: TenantId,
        expected: Revision,
    ) -> Result<()> {
        act!(begin_platform: self, context, "tenant_delete", Some(id.uuid()), None, |act| {
            context.authorize(Action::Delete, Subject::Tenants)?;
            let tenant = act.tx.tenant_lock(id).await?;
            if tenant.kind == TenantKind::Platform {
                return Err(Refusal::InUse(Kind::Tenant).into());
            }
            // The identity role knows nothing of consortiums: seats are counted in the tenant's own
            // scope. With its row locked none can be added meanwhile.
            let own = OpContext::reconciler(context.request(), "tenant_delete").in_tenant(id)?;
            let seats = self.store.tenant_tx(own).await?.tenant_seat_count().await?;
            if seats > 0 {
                return Err(Refusal::TenantHasSeats { seats }.into());
            }
            act.tx.tenant_end(id, expected).await
        })
    }

    /// An active tenant by its exact name, for an invitation.
    pub(crate) async fn tenant_to_invite(
        &self,
        context: &OpContext,
        name: &Name,
    ) -> Result<TenantId> {
        let mut tx = self.store.system_tx(context.identity_scope()).await?;
        let found = tx.tenant_by_name(name).await?;
        found
            .filter(|t| t.kind == TenantKind::Customer && t.phase == TenantPhase::Active)
            .map(|tenant| tenant.id)
            .ok_or_else(|| Refusal::TenantUnknown.into())
    }
}
