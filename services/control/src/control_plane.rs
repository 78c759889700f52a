//! Everything that the methods share.

use std::sync::Arc;

use hansa_authz::{OpContext, TenantScope};
use hansa_clients::{Nodes, Vault};
use hansa_core::{Clock, Mac, Page, PageRequest, PageSize, PageTokens, Result, Secret, Timestamp};
use hansa_store::{Store, TenantTx};
use tokio::sync::watch;

use crate::{
    denial::Denials,
    jwt::{AccessTokens, JwtKeys},
    password::Passwords,
    waiters::Waiters,
};

/// What a control plane is made of.
#[derive(Debug)]
pub struct Config {
    /// The database, in the two roles of the API.
    pub store: Store,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Key of the hashes of API keys, sessions and enrolment tokens: at least 32 bytes, the same
    /// on every replica, kept outside of the database.
    pub credential_key: Secret,
    /// Key that seals page tokens: at least 32 bytes, the same on every replica.
    pub page_key: Secret,
    /// The keys of access tokens, which the vault holds.
    pub jwt_keys: Arc<dyn JwtKeys>,
    /// Who signs nodes' certificates.
    pub vault: Arc<dyn Vault>,
    /// How nodes are asked, for what is relayed; none when this process cannot reach them.
    pub nodes: Option<Arc<dyn Nodes>>,
    /// Who issues access tokens, and for whom: the API's public address.
    pub issuer: String,
}

/// The product, without any transport.
#[derive(Debug)]
pub struct ControlPlane {
    pub(crate) store: Store,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) mac: Mac,
    pub(crate) passwords: Passwords,
    pub(crate) tokens: AccessTokens,
    pub(crate) changes: watch::Receiver<u64>,
    pub(crate) waiters: Waiters,
    pub(crate) denials: Denials,
    pub(crate) vault: Arc<dyn Vault>,
    pub(crate) nodes: Option<Arc<dyn Nodes>>,
    pages: PageTokens,
}

/// Which page a caller asks for.
#[derive(Clone, Debug, Default)]
pub struct PageQuery {
    /// How many items.
    pub size: PageSize,
    /// A token of the page before.
    pub token: Option<String>,
}

impl ControlPlane {
    /// Puts it together. The second value follows the database's notifications until the control
    /// plane is dropped: the caller runs it beside the server.
    pub fn new(config: Config) -> (Arc<Self>, impl Future<Output = ()> + Send + 'static) {
        let Config { store, clock, credential_key, page_key, jwt_keys, vault, nodes, issuer } =
            config;
        let (sender, changes) = watch::channel(0);
        let follower = store.clone();
        let control = Self {
            store,
            tokens: AccessTokens::new(jwt_keys, issuer),
            clock,
            mac: Mac::new(credential_key),
            passwords: Passwords::new(),
            changes,
            waiters: Waiters::default(),
            denials: Denials::new(),
            vault,
            nodes,
            pages: PageTokens::new(page_key),
        };
        (Arc::new(control), async move { follower.follow_changes(sender).await })
    }

    /// Whether everything that requests need answers.
    ///
    /// # Errors
    /// [`hansa_core::Error::Unavailable`] when the database does not.
    pub async fn ready(&self) -> Result<()> {
        self.store.ping().await
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// A transaction for reading, in the caller's tenant.
    pub(crate) async fn reading(&self, context: &OpContext) -> Result<TenantTx> {
        self.store.tenant_tx(context.tenant_scope()?).await
    }

    pub(crate) fn page(
        &self,
        context: &OpContext,
        list: &str,
        query: &PageQuery,
    ) -> Result<PageRequest> {
        let filter = filter(&context.tenant_scope()?, list);
        let after =
            query.token.as_ref().map(|token| self.pages.open(&filter, token)).transpose()?;
        Ok(PageRequest { size: query.size, after })
    }

    pub(crate) fn listed<T, L: From<(Vec<T>, Option<String>)>>(
        &self,
        context: &OpContext,
        list: &str,
        page: Page<T>,
    ) -> Result<L> {
        let filter = filter(&context.tenant_scope()?, list);
        let token = page.next.map(|position| self.pages.seal(&filter, position));
        Ok((page.items, token).into())
    }
}

/// Everything that decides what is in a list: a token of one list opens no other.
fn filter(scope: &TenantScope, list: &str) -> String {
    format!("tenant={} {list}", scope.tenant())
}
