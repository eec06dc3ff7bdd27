"""An authenticator app, and customers who sign in with one."""

from dataclasses import dataclass
from datetime import timedelta

import pyotp

from portal.domain.second_step import STEP_SECONDS
from portal.domain.use_cases.set_up_two_step import begin_set_up, set_up_two_step
from tests.conftest import MovableClock
from tests.domain.scene import ADA, PASSWORD, Scene

STEP = timedelta(seconds=STEP_SECONDS)


@dataclass(frozen=True)
class Authenticator:
    """An app that contains one secret, on a phone with the domain's clock."""

    secret: str
    clock: MovableClock
    recovery_codes: tuple[str, ...]

    def code(self, steps: int = 0) -> str:
        """Return the code of now, or of a number of time steps later."""
        return pyotp.TOTP(self.secret).at(self.clock.now + steps * STEP)

    def next_code(self) -> str:
        """Return the code of the next time step."""
        self.clock.advance(STEP)
        return self.code()

    def wrong_code(self) -> str:
        """Return six digits that are not the code of any time step near now."""
        near = {self.code(steps) for steps in range(-2, 3)}
        return next(code for code in ("000000", "111111", "222222", "333333", "444444", "555555") if code not in near)


def turn_on(scene: Scene, clock: MovableClock, email: str = ADA, password: str = PASSWORD) -> Authenticator:
    """Set up two-step verification in a session of its own."""
    customer = scene.get(scene.log_in(email, password))
    secret = begin_set_up(scene.context, scene.visitor, customer.id, customer.email, sealed=None).secret
    app = Authenticator(secret, clock, ())
    on = set_up_two_step(scene.context, scene.visitor, customer, secret, app.code())
    assert on is not None
    return Authenticator(secret, clock, on.recovery_codes)
