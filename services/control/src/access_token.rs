//! Short-lived bearer tokens.

use hansa_authz::{Action, OpContext, Subject};
use hansa_core::{Error, Result};
use hansa_types::AccessToken;

use crate::{control_plane::ControlPlane, identity::CredentialId};

impl ControlPlane {
    /// A token for the caller that ends with the credential it was made from.
    ///
    /// # Errors
    /// [`Error::Unavailable`] when the vault does not sign.
    pub async fn access_token_create(
        &self,
        context: &OpContext,
        credential: CredentialId,
    ) -> Result<AccessToken> {
        context.authorize(Action::Create, Subject::Me)?;
        let tenant = context.tenant().ok_or(Error::Unauthenticated)?;
        let subject = context.actor().to_string();
        let (access_token, expires_at) =
            self.tokens.make(tenant, subject, credential, self.now()).await?;
        Ok(AccessToken { access_token, token_type: "Bearer".to_owned(), expires_at })
    }
}
