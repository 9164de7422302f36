//! Who has logged in: [`Identity`].

/// A user whose credentials were right, and whom the user acts as.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    user: String,
    acts_as: Option<String>,
}

impl Identity {
    /// A user that acts for itself.
    pub fn new(user: impl Into<String>) -> Self {
        Self { user: user.into(), acts_as: None }
    }

    /// The same user acting as another one (the authorization identity of SASL).
    #[must_use]
    pub fn acting_as(self, other: impl Into<String>) -> Self {
        Self { acts_as: Some(other.into()), ..self }
    }

    /// Whose rights count: the user, or the other one that it acts as.
    #[must_use]
    pub fn name(&self) -> &str {
        self.acts_as.as_deref().unwrap_or(&self.user)
    }

    /// Whose credentials were checked; for logs.
    #[must_use]
    pub fn user(&self) -> &str {
        &self.user
    }
}
