"""The endpoints of the API; each calls one use case of the domain. Their docstrings are texts of /api/v1/docs."""

from contextlib import suppress
from datetime import timedelta
from typing import Any

from flask import Response

from portal.api.answers import answer, success
from portal.api.endpoints import Endpoints
from portal.api.keys import current_caller, current_visitor
from portal.api.responses import ACCOUNT_INFO, CONFIRMED, DONE, IDENTITY, IDENTITY_AND_ACCOUNT
from portal.api.schemas import (
    AccountInfoRequest,
    LoginRequest,
    LogoutRequest,
    MagicAuthRequest,
    RedeemHandoverRequest,
    RegisterAccountRequest,
    RegisterAccountVerifyRequest,
    ResetPasswordRequest,
    SetNewPasswordRequest,
)
from portal.app import current_context
from portal.domain.api_keys import Scope
from portal.domain.devices import remember_device
from portal.domain.errors import Failure, Refused, failures_of
from portal.domain.identities import Customer, find
from portal.domain.use_cases.hand_over import redeem
from portal.domain.use_cases.log_in_by_api import log_in_by_api
from portal.domain.use_cases.log_out import log_out
from portal.domain.use_cases.magic_auth import magic_auth as sign_in_by_magic_auth
from portal.domain.use_cases.register import RegistrationRequest
from portal.domain.use_cases.register_by_api import confirm_by_api, register_by_api
from portal.domain.use_cases.request_reset import request_reset
from portal.domain.use_cases.set_new_password import set_new_password as set_password_by_link
from portal.domain.values.email import Address

customer = Endpoints("customer", __name__, url_prefix="/api/v1/customer")


@customer.post("/login", LoginRequest, Scope.LOGIN, IDENTITY, failures_of("login"))
def login(email: Address, password: str, otp: str | None, customer_ip: str | None) -> Response:
    """Sign a customer in and return the identity."""
    visitor = current_visitor(customer_ip)
    identity = log_in_by_api(current_context(), visitor, email, password, otp)
    remember_device(current_context(), visitor, identity)
    return success(identityId=identity)


@customer.post("/magic-auth", MagicAuthRequest, Scope.MAGIC_AUTH, IDENTITY, failures_of("login"))
def magic_auth(
    email: Address, first_name: str | None, last_name: str | None, customer_ip: str | None, referral: str | None
) -> Response:
    """Sign in the owner of a mailbox, which the caller has verified, and return the identity."""
    identity = sign_in_by_magic_auth(
        current_context(),
        current_visitor(customer_ip),
        email,
        first_name=first_name,
        last_name=last_name,
        referral=referral,
    )
    return success(identityId=identity)


@customer.post("/register-account", RegisterAccountRequest, Scope.REGISTER, DONE, failures_of("register-account"))
def register_account(
    email: Address,
    password: str,
    customer_ip: str | None,
    newsletter: bool | None,
    groups: tuple[str, ...] | None,
    **details: Any,
) -> Response:
    """Register a customer, who gets an email with a link to confirm."""
    may_set_groups = Scope.GROUPS in current_caller().scopes
    request = RegistrationRequest(
        email, password, newsletter=bool(newsletter), groups=(groups or ()) if may_set_groups else (), **details
    )
    register_by_api(current_context(), current_visitor(customer_ip), request)
    return success()


@customer.post(
    "/register-account-verify", RegisterAccountVerifyRequest, Scope.REGISTER, CONFIRMED, [Failure.REGISTRATION_FAILED]
)
def register_account_verify(token: str) -> Response:
    """Confirm a registration by the token of the emailed link; the caller vouches that the customer opened it."""
    confirmed = confirm_by_api(current_context(), current_visitor(), token)
    return success(email=confirmed.email, returnUrl=confirmed.return_url)


@customer.post("/reset-password", ResetPasswordRequest, Scope.RESET, DONE)
def reset_password(email: Address, lifetime: timedelta | None, customer_ip: str | None) -> Response:
    """Email a link that sets a new password; the answer is the same for every address."""
    with suppress(Refused):  # too many mails
        request_reset(current_context(), current_visitor(customer_ip), email, lifetime)
    return success()


@customer.post("/set-new-password", SetNewPasswordRequest, Scope.RESET, DONE, failures_of("set-new-password"))
def set_new_password(token: str, password: str, customer_ip: str | None) -> Response:
    """Set a new password by the token of an emailed link; every identity of the customer ends."""
    set_password_by_link(current_context(), current_visitor(customer_ip), token, password)
    return success()


@customer.post("/logout", LogoutRequest, Scope.IDENTITY, DONE)
def logout(identity_id: str) -> Response:
    """End an identity; one that has ended already is no failure."""
    log_out(current_context(), current_visitor(), identity_id)
    return success()


@customer.get("/get-account-info", AccountInfoRequest, Scope.IDENTITY, ACCOUNT_INFO)
def get_account_info(identity_id: str) -> Response:
    """Return the customer of an identity; each call counts as a use of the session."""
    account = find(current_context(), current_caller().organisation_id, identity_id)
    if account is None:
        return answer({"loggedIn": False})
    return answer(_account_info(identity_id, account))


@customer.post(
    "/redeem-handover", RedeemHandoverRequest, Scope.IDENTITY, IDENTITY_AND_ACCOUNT, failures_of("redeem-handover")
)
def redeem_handover(code: str, nonce: str) -> Response:
    """Take over the sign-in of a frame or a redirect; the new identity and that of the browser end together."""
    identity = redeem(current_context(), current_visitor(), code, nonce)
    account = find(current_context(), current_caller().organisation_id, identity)
    if account is None:  # ended since
        raise Refused(Failure.NO_SUCH_HANDOVER)
    return success(identityId=identity, account=_account_info(identity, account))


def _account_info(identity_id: str, account: Customer) -> dict[str, Any]:
    """Return the data of a signed-in customer, without absent values."""
    values = {
        "cuRefNo": account.cu_ref_no,
        "email": account.email,
        "phone": account.phone,
        "firstName": account.first_name,
        "lastName": account.last_name,
        "companyName": account.company_name,
    }
    return {
        "loggedIn": True,
        "identityId": identity_id,
        **{name: value for name, value in values.items() if value is not None},
        "premium": False,
        "ban": False,  # a ban ends every identity
        "creditBalance": 0,
    }
