"""The routes about people: logging in, one's own account, and other people's."""

from ..station.act import Act
from .accounts import (
    add_account,
    change_account,
    end_account_sessions,
    list_accounts,
    remove_factors,
    reset_password,
)
from .factors import (
    add_passkey,
    begin_totp,
    confirm_totp,
    list_factors,
    new_recovery_codes,
    passkey_options,
    remove_factor,
)
from .own_sessions import end_other_sessions, end_session, list_sessions
from .route import Access, Route
from .sessions import change_password, log_in, log_in_second, log_out, who_am_i
from .tokens import end_token, list_tokens, make_token

API = "/api/v1"
FRESH = Access.FRESH


def people() -> tuple[Route, ...]:
    """All of them."""
    return (*_session(), *_sessions(), *_factors(), *_tokens(), *_accounts())


def _session() -> tuple[Route, ...]:
    tag, path, anyone, refused = "people", f"{API}/session", Access.PUBLIC, (401, 403, 429, 503)
    second, change = f"{path}/second", f"{path}/password"
    return (
        Route("POST", path, log_in, "Log in", tag, anyone, errors=refused),
        Route("POST", second, log_in_second, "Log in: the second factor", tag, anyone, errors=refused),
        Route("GET", path, who_am_i, "Who am I, and what may I do", tag, FRESH),
        Route("DELETE", path, log_out, "Log out", tag, FRESH, status=204),
        Route("POST", change, change_password, "Change my password", tag, FRESH, errors=(409, 429, 503)),
    )


def _sessions() -> tuple[Route, ...]:
    tag, path, own = "own account", f"{API}/sessions", Act.OWN
    return (
        Route("GET", path, list_sessions, "Where I am logged in", tag, FRESH, own),
        Route("DELETE", path, end_other_sessions, "End my other sessions", tag, FRESH, own, status=204),
        Route("DELETE", f"{path}/{{id}}", end_session, "End a session of mine", tag, FRESH, own, status=204),
    )


def _factors() -> tuple[Route, ...]:
    tag, path, own = "own account", f"{API}/factors", Act.OWN
    totp, confirm, remove = f"{path}/totp", f"{path}/{{id}}/confirm", f"{path}/{{id}}/remove"
    passkey, options, recovery = f"{path}/passkey", f"{path}/passkey/options", f"{path}/recovery"
    limited = (409, 429, 503)
    return (
        Route("GET", path, list_factors, "My second factors", tag, FRESH, own),
        Route("POST", totp, begin_totp, "Begin with an app", tag, FRESH, own, status=201, errors=(409,)),
        Route("POST", confirm, confirm_totp, "Show the first code", tag, FRESH, own, errors=(409, 429)),
        Route("POST", options, passkey_options, "Begin with a passkey", tag, FRESH, own, errors=(409,)),
        Route("POST", passkey, add_passkey, "Add the passkey", tag, FRESH, own, status=201, errors=(409,)),
        Route("POST", remove, remove_factor, "Remove a factor", tag, FRESH, own, status=204, errors=limited),
        Route("POST", recovery, new_recovery_codes, "New recovery codes", tag, FRESH, own, errors=limited),
    )


def _tokens() -> tuple[Route, ...]:
    tag, path, own = "own account", f"{API}/tokens", Act.OWN
    return (
        Route("GET", path, list_tokens, "My API tokens", tag, act=own),
        Route("POST", path, make_token, "Make an API token", tag, act=own, status=201, errors=(404, 409)),
        Route("DELETE", f"{path}/{{id}}", end_token, "End an API token", tag, act=own, status=204),
    )


def _accounts() -> tuple[Route, ...]:
    tag, path, edit, bad = "people", f"{API}/accounts", Act.EDIT_PEOPLE, (404, 409)
    one = f"{path}/{{id}}"
    sessions, factors, reset = f"{one}/sessions", f"{one}/factors", f"{one}/password"
    return (
        Route("GET", path, list_accounts, "Accounts", tag, act=edit),
        Route("POST", path, add_account, "Add an account", tag, act=edit, status=201, errors=bad),
        Route("PATCH", one, change_account, "Change or disable an account", tag, act=edit, errors=bad),
        Route("POST", reset, reset_password, "Give a one-time password", tag, act=edit),
        Route("DELETE", factors, remove_factors, "Remove second factors", tag, act=edit, status=204),
        Route("DELETE", sessions, end_account_sessions, "End its sessions", tag, act=edit, status=204),
    )
