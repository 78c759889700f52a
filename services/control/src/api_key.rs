//! API keys of the caller's tenant.

use hansa_authz::{Action, OpContext, Subject};
use hansa_core::{ApiKeyId, Error, Purpose, Result, Rule, Timestamp, limits};
use hansa_store::NewApiKey;
use hansa_types::{ApiKey, ApiKeyCreate, ApiKeyCreated, ApiKeyList};

use crate::{
    act::{Repeat, act},
    control_plane::{ControlPlane, PageQuery},
    identity::api_key_text,
    user::{check_role, own},
};

impl ControlPlane {
    /// Makes an API key. Its secret is in this answer and nowhere else: the answer to a repetition
    /// does not have it.
    ///
    /// # Errors
    /// [`Error::Forbidden`], [`Error::AlreadyExists`], [`Error::QuotaExceeded`].
    pub async fn api_key_create(
        &self,
        context: &OpContext,
        request: &ApiKeyCreate,
        repeat: Option<Repeat>,
    ) -> Result<ApiKeyCreated> {
        let id = ApiKeyId::new();
        let (secret, secret_hash) = self.new_secret(Purpose::ApiKey, id.uuid())?;
        // What is kept for repetition is the key without its secret.
        let key = self.api_key_create_kept(context, request, repeat, id, secret_hash).await?;
        let token = (key.id == id).then(|| api_key_text(id, &secret));
        Ok(ApiKeyCreated { key, token })
    }

    async fn api_key_create_kept(
        &self,
        context: &OpContext,
        request: &ApiKeyCreate,
        repeat: Option<Repeat>,
        id: ApiKeyId,
        secret_hash: hansa_core::Tag,
    ) -> Result<ApiKey> {
        let ApiKeyCreate { name, role, expires_at } = request;
        act!(self, context, "api_key_create", Some(id.uuid()), repeat, |act| {
            context.authorize(Action::Create, Subject::ApiKeys)?;
            let tenant = own(&mut act.tx).await?;
            check_role(&tenant, *role)?;
            let expires_at = expiry(*expires_at, act.now)?;
            if act.tx.api_key_count().await? >= limits::API_KEYS_PER_TENANT_MAX {
                return Err(Error::QuotaExceeded { limit: limits::API_KEYS_PER_TENANT_MAX });
            }
            let new = NewApiKey {
                id,
                tenant: tenant.id,
                tenant_kind: tenant.kind,
                name: name.clone(),
                role: *role,
                secret_hash,
                created_by: context.user(),
                now: act.now,
                expires_at,
            };
            act.tx.api_key_insert(&new).await?;
            act.tx.api_key_get(id).await
        })
    }

    /// An API key, without its secret.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::Forbidden`].
    pub async fn api_key_get(&self, context: &OpContext, id: ApiKeyId) -> Result<ApiKey> {
        let key = self.reading(context).await?.api_key_get(id).await?;
        context.authorize(Action::Read, Subject::ApiKeys)?;
        Ok(key)
    }

    /// The tenant's API keys in force.
    ///
    /// # Errors
    /// [`Error::Forbidden`].
    pub async fn api_key_list(&self, context: &OpContext, query: &PageQuery) -> Result<ApiKeyList> {
        context.authorize(Action::Read, Subject::ApiKeys)?;
        let page = self.page(context, "api-keys", query)?;
        self.listed(context, "api-keys", self.reading(context).await?.api_key_list(page).await?)
    }

    /// Ends an API key: the next request with it is refused.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::Forbidden`].
    pub async fn api_key_delete(&self, context: &OpContext, id: ApiKeyId) -> Result<()> {
        act!(self, context, "api_key_delete", Some(id.uuid()), None, |act| {
            act.tx.api_key_get(id).await?;
            context.authorize(Action::Delete, Subject::ApiKeys)?;
            act.tx.api_key_end(id, act.now).await
        })
    }
}

fn expiry(asked: Option<Timestamp>, now: Timestamp) -> Result<Timestamp> {
    match asked {
        None => Ok(now + limits::API_KEY_LIFE_DEFAULT),
        Some(at) if at > now && at <= now + limits::API_KEY_LIFE_MAX => Ok(at),
        Some(_) => {
            let detail = "must be in the future and at most 366 days from now";
            Err(Error::invalid("/expires_at", Rule::Range, detail))
        }
    }
}
