//! Three tenants to try things with, and the operator of the platform. Gamma is in no consortium.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result};
use hansa_control::{ControlPlane, Credential, OpContext, PageQuery};
use hansa_core::{Error, Kind, RequestId, Secret};
use hansa_types::{ApiKeyCreate, TenantCreate, UserCreate};
use ledger_client::read_or_create_key_file;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::folder::{Folder, write_private};

/// The operator's tenant.
pub(crate) const PLATFORM: &str = "platform";
/// The tenants of customers.
pub(crate) const TENANTS: [&str; 3] = ["alpha", "beta", "gamma"];
/// Those with a ledger administrator key.
pub(crate) const MEMBERS: [&str; 2] = ["alpha", "beta"];
/// Name of the API key of each tenant.
const KEY_NAME: &str = "dev";

/// Passwords and API keys by tenant, as `secrets/tenants.json` holds them.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Secrets {
    pub(crate) passwords: BTreeMap<String, String>,
    pub(crate) api_keys: BTreeMap<String, String>,
}

/// The address of a tenant's administrator.
pub(crate) fn email(tenant: &str) -> String {
    format!("admin@{tenant}.example")
}

/// Makes what is missing. Secrets are written down before they are used, so a crash in between
/// leaves nobody locked out.
pub(crate) async fn ensure(folder: &Folder, control: &ControlPlane) -> Result<Secrets> {
    let path = folder.join("secrets/tenants.json");
    let mut secrets: Secrets = match std::fs::read(&path) {
        Ok(bytes) => serde_json::from_slice(&bytes).context("secrets/tenants.json")?,
        Err(_) => Secrets::default(),
    };
    for tenant in TENANTS.iter().chain([&PLATFORM]) {
        if !secrets.passwords.contains_key(*tenant) {
            let password = Secret::random(16)?.to_hex();
            let password = password.expose_text().context("hexadecimal text")?.to_owned();
            secrets.passwords.insert((*tenant).to_owned(), password);
        }
    }
    let write = |secrets: &Secrets| write_private(&path, &serde_json::to_vec_pretty(secrets)?);
    write(&secrets)?;
    platform(control, &secrets).await?;
    if !works(control, secrets.api_keys.get(PLATFORM)).await {
        let key = api_key(control, PLATFORM, "platform_operator", &secrets).await?;
        secrets.api_keys.insert(PLATFORM.to_owned(), key);
        write(&secrets)?;
    }
    for tenant in TENANTS {
        if works(control, secrets.api_keys.get(tenant)).await {
            continue;
        }
        make(control, tenant, &secrets).await?;
        let key = api_key(control, tenant, "tenant_admin", &secrets).await?;
        secrets.api_keys.insert(tenant.to_owned(), key);
        write(&secrets)?;
    }
    for member in MEMBERS {
        read_or_create_key_file(&key_path(folder, member))?;
    }
    Ok(secrets)
}

/// Where a member's ledger administrator key is.
pub(crate) fn key_path(folder: &Folder, member: &str) -> std::path::PathBuf {
    folder.join("keys").join(format!("{member}.key"))
}

async fn platform(control: &ControlPlane, secrets: &Secrets) -> Result<()> {
    let operator: UserCreate = serde_json::from_value(user(PLATFORM, secrets))?;
    let anonymous = OpContext::anonymous(RequestId::new());
    match control.platform_create(&anonymous, &operator).await {
        // The installer's key that comes with it is not used: one is made with the password.
        Ok(_) | Err(Error::AlreadyExists(Kind::Tenant)) => Ok(()),
        Err(error) => Err(error).context("making the platform's operator"),
    }
}

async fn make(control: &ControlPlane, tenant: &str, secrets: &Secrets) -> Result<()> {
    let request: TenantCreate = serde_json::from_value(json!({
        "name": tenant, "display_name": title(tenant), "administrator": user(tenant, secrets),
    }))?;
    let platform = secrets.api_keys.get(PLATFORM).cloned().unwrap_or_default();
    let operator = control
        .authenticate(RequestId::new(), &Credential::Bearer(Secret::from(platform)))
        .await?
        .context;
    match control.tenant_create(&operator, &request, None).await {
        Ok(_) | Err(Error::AlreadyExists(Kind::Tenant)) => Ok(()),
        Err(error) => Err(error).with_context(|| format!("making the tenant {tenant}")),
    }
}

/// A new API key of a tenant, made as its administrator does; one of the same name ends.
async fn api_key(
    control: &ControlPlane,
    tenant: &str,
    role: &str,
    secrets: &Secrets,
) -> Result<String> {
    let sign_in = serde_json::from_value(json!({
        "tenant": tenant, "email": email(tenant), "password": secrets.passwords[tenant],
    }))?;
    let anonymous = OpContext::anonymous(RequestId::new());
    let signed_in = control
        .session_create(&anonymous, &sign_in)
        .await
        .with_context(|| format!("signing in as {}", email(tenant)))?;
    let cookie = Credential::Cookie(signed_in.cookie);
    let context = control.authenticate(RequestId::new(), &cookie).await?.context;
    let keys = control.api_key_list(&context, &PageQuery::default()).await?;
    for key in keys.items.iter().filter(|key| key.name.as_str() == KEY_NAME) {
        control.api_key_delete(&context, key.id).await?;
    }
    let request: ApiKeyCreate = serde_json::from_value(json!({ "name": KEY_NAME, "role": role }))?;
    let made = control.api_key_create(&context, &request, None).await?;
    made.token.context("a new key comes with its secret")
}

async fn works(control: &ControlPlane, key: Option<&String>) -> bool {
    let Some(key) = key else { return false };
    let credential = Credential::Bearer(Secret::from(key.clone()));
    control.authenticate(RequestId::new(), &credential).await.is_ok()
}

fn user(tenant: &str, secrets: &Secrets) -> serde_json::Value {
    json!({
        "email": email(tenant), "display_name": format!("{} administrator", title(tenant)),
        "password": secrets.passwords[tenant],
        "role": if tenant == PLATFORM { "platform_operator" } else { "tenant_admin" },
    })
}

fn title(tenant: &str) -> String {
    let mut letters = tenant.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}
