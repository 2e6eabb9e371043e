//! A call to the database until it has an answer: logged in, tried again, moved to another server.

use std::sync::{Arc, PoisonError, RwLock};

use http::HeaderValue;

use super::{
    ArangoOptions, driver,
    failure::{Failure, Refusal, Verdict, judge},
    place::Place,
    retry::Tries,
    transport::{Call, Reply, Transport},
};
use crate::Error;

/// Tokens that one call may see refused before it waits between two: a server that was started anew forgets them.
const MOST_RENEWALS: u32 = 3;

/// The way to one database, shared by all calls.
pub(super) struct Session {
    pub(super) place: Place,
    pub(super) options: ArangoOptions,
    transport: Transport,
    token: RwLock<Token>,
    login: tokio::sync::Mutex<()>,
}

/// What the server knows its user by.
#[derive(Clone)]
enum Token {
    /// Nobody has logged in, or the server has forgotten it.
    Missing,
    /// The server asks nobody.
    NotNeeded,
    /// The header that goes with every call.
    Held(HeaderValue),
}

/// What one try has come to.
enum Answer {
    Done(Reply),
    LogIn(Refusal),
    Again(String),
}

impl Session {
    pub(super) fn new(place: Place, options: ArangoOptions) -> Result<Self, Error> {
        let transport = Transport::new(&place, &options)?;
        let user = place.user.as_ref().or(options.access.user.as_ref());
        let token = if user.is_some() { Token::Missing } else { Token::NotNeeded };
        Ok(Self { place, options, transport, token: RwLock::new(token), login: tokio::sync::Mutex::default() })
    }

    /// Who logs in, if anybody.
    pub(super) fn user(&self) -> Option<&str> {
        self.place.user.as_deref().or(self.options.access.user.as_deref())
    }

    /// Calls until there is an answer; every call must be one that may be made twice.
    ///
    /// # Errors
    /// Why there is none, or the server's no.
    pub(super) async fn call(self: &Arc<Self>, call: &Call) -> Result<Reply, Failure> {
        let mut tries = Tries::start(&self.options);
        let mut renewals = 0;
        loop {
            let token = self.token().await?;
            match self.send(call, token.as_ref()).await? {
                Answer::Done(reply) => return Ok(reply),
                Answer::LogIn(refusal) => {
                    renewals += 1;
                    self.forget(token.as_ref());
                    if renewals > MOST_RENEWALS {
                        // One that refuses each for so long is none of ours.
                        let reason = refusal.to_string();
                        tries.wait(&reason).await.map_err(|_| Failure::Unauthorized(reason))?;
                    }
                }
                Answer::Again(reason) => tries.wait(&reason).await?,
            }
        }
    }

    /// Calls once: for what moves on with every call.
    ///
    /// # Errors
    /// As [`Self::call`], and after the first failure.
    pub(super) async fn call_once(self: &Arc<Self>, call: &Call) -> Result<Reply, Failure> {
        let token = self.token().await?;
        match self.send(call, token.as_ref()).await? {
            Answer::Done(reply) => Ok(reply),
            Answer::LogIn(refusal) => {
                self.forget(token.as_ref());
                Err(Failure::Unavailable(refusal.to_string()))
            }
            Answer::Again(reason) => Err(Failure::Unavailable(reason)),
        }
    }

    /// Calls as nobody until there is an answer, for the login itself.
    ///
    /// # Errors
    /// As [`Self::call`].
    pub(super) async fn call_as_nobody(&self, call: &Call) -> Result<Reply, Failure> {
        let mut tries = Tries::start(&self.options);
        loop {
            match self.send(call, None).await? {
                Answer::Done(reply) => return Ok(reply),
                Answer::LogIn(refusal) => return Err(Failure::Refused(refusal)),
                Answer::Again(reason) => tries.wait(&reason).await?,
            }
        }
    }

    async fn send(&self, call: &Call, token: Option<&HeaderValue>) -> Result<Answer, Failure> {
        let reply = match self.transport.send(call, token).await {
            Ok(reply) => reply,
            Err(reason) => return Ok(Answer::Again(reason)),
        };
        let status = reply.status.as_u16();
        if reply.status.is_success() {
            return Ok(Answer::Done(reply));
        }
        let refusal = Refusal::read(status, &reply.body);
        match judge(status, refusal.number) {
            Verdict::LogIn => Ok(Answer::LogIn(refusal)),
            Verdict::Again => Ok(Answer::Again(refusal.to_string())),
            Verdict::Smaller => Err(Failure::TooLarge),
            Verdict::Done | Verdict::Refused => Err(Failure::Refused(refusal)),
        }
    }

    /// The header for a call, after a login where there is none; none where the server asks nobody.
    async fn token(self: &Arc<Self>) -> Result<Option<HeaderValue>, Failure> {
        let mut token = self.held();
        if matches!(token, Token::Missing) {
            // Callers that were refused together log in once.
            let _turn = self.login.lock().await;
            token = self.held();
            if matches!(token, Token::Missing) {
                driver::connect(self).await?;
                token = self.held();
            }
        }
        match token {
            Token::Held(token) => Ok(Some(token)),
            Token::Missing | Token::NotNeeded => Ok(None),
        }
    }

    /// Takes the header of a login, or that none is needed.
    pub(super) fn adopt(&self, token: Option<HeaderValue>) {
        let token = token.map_or(Token::NotNeeded, Token::Held);
        *self.token.write().unwrap_or_else(PoisonError::into_inner) = token;
    }

    fn held(&self) -> Token {
        self.token.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Drops a token that was refused, unless another caller has a newer one already.
    fn forget(&self, refused: Option<&HeaderValue>) {
        let mut token = self.token.write().unwrap_or_else(PoisonError::into_inner);
        let is_same = match &*token {
            Token::Held(held) => Some(held) == refused,
            Token::NotNeeded => refused.is_none() && self.user().is_some(),
            Token::Missing => false,
        };
        if is_same {
            *token = Token::Missing;
        }
    }
}
