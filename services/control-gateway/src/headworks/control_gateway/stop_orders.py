"""Carries out the orders of people who stop the plant, or let it go on: the same for every way by which they come."""

from collections.abc import Mapping
from dataclasses import dataclass

import structlog

from headworks.common.audit import Result
from headworks.control_gateway.audit import Auditor
from headworks.control_gateway.e_stop import ClearRequest, EStops, Press, Scope
from headworks.control_gateway.e_stop_board import EStopBoard
from headworks.control_gateway.loop import ControlLoop

log = structlog.get_logger(__name__)


class Unrecorded(Exception):
    """The order cannot be recorded or kept; nothing was changed."""


@dataclass(frozen=True, slots=True)
class StopOrders:
    """Emergency stops of all sites of a gateway."""

    board: EStopBoard
    loops: Mapping[str, ControlLoop]
    auditor: Auditor

    def press(self, scope: Scope, by: str, reason: str, where: str) -> Press:
        """Stop at once, whether or not it can be recorded."""
        press = self.board.press(scope, by, reason, self.auditor.clock.now())
        self._tell(scope)
        self._journal(scope, f"e-stop{_of(scope)} pressed by {press.told}")
        self.auditor.order("e_stop_pressed", by, str(scope), reason, where)
        log.warning("e-stop pressed", scope=str(scope), by=press.told)
        return press

    def clear(self, scope: Scope, by: str, reason: str, where: str) -> ClearRequest | None:
        """Ask to clear, or confirm what another person asked; the request that now waits, if one does. Raises Unrecorded."""
        if not self.board.now.active(scope):
            return None
        waiting = self.board.waiting(scope)
        confirms = waiting is not None and waiting.may_be_confirmed_by(by)
        what = "cleared" if confirms else "clear requested"
        if not self._journal(scope, f"e-stop{_of(scope)} {what} by {by}: {reason}") or not self.auditor.order(
            "e_stop_cleared" if confirms else "e_stop_clear_requested",
            by,
            str(scope),
            reason,
            where,
            Result.SUCCESS if confirms else Result.PENDING,
        ):
            raise Unrecorded
        try:
            return self.board.clear(scope, by, reason)
        except OSError as error:
            self.auditor.order("e_stop_clear_failed", by, str(scope), str(error), where, Result.FAILURE)
            raise Unrecorded from error
        finally:
            self._tell(scope)

    def heard(self, stops: EStops, gateway: str) -> None:
        """Take over what another gateway knows."""
        before = {press.press_id for press in self.board.now.active()}
        if not self.board.merge(stops):
            return
        after = {press.press_id: press for press in self.board.now.active()}
        for press in after.values():
            if press.press_id not in before:
                self._journal(press.scope, f"e-stop{_of(press.scope)} pressed by {press.told} at {gateway}")
                self.auditor.order("e_stop_heard", press.by, str(press.scope), press.reason, f"from {gateway}")
                log.warning("e-stop heard", scope=str(press.scope), by=press.told, gateway=gateway)
        for ended in before - set(after):
            self.auditor.order("e_stop_clearing_heard", gateway, ended, "", f"from {gateway}")
        self._tell(Scope())

    def _of_scope(self, scope: Scope) -> list[ControlLoop]:
        return [loop for site, loop in self.loops.items() if scope.site in {None, site}]

    def _journal(self, scope: Scope, order: str) -> bool:
        recorded = [loop.record_order(order, scope.resource) for loop in self._of_scope(scope)]
        return all(recorded)

    def _tell(self, scope: Scope) -> None:
        for loop in self._of_scope(scope):
            loop.changed.set()
            loop.wake()


def _of(scope: Scope) -> str:
    """What is stopped, where it is not just the site."""
    return "" if scope.site and not scope.resource else f" of {scope}"
