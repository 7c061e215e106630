"""``python -m chaoskit.guardian.beside``: a deputy, started by a guardian in a container beside the targets' engine.

It serves as the guardian does, over files in place of a connection. It has no store: it undoes, and keeps no books.
"""

import socket
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from chaoskit import __version__
from chaoskit.app import revive
from chaoskit.domain.errors import ChaoskitError, GuardianLost, TargetError
from chaoskit.domain.journal import Intended
from chaoskit.engine.clock import RealClock
from chaoskit.guardian import serve
from chaoskit.guardian.folder import FOLDER, FolderWire
from chaoskit.guardian.post import SOCKET, engine_id
from chaoskit.guardian.undoing import Undoing
from chaoskit.settings import Settings
from chaoskit.targets.docker_engine import Engine

ORDERED_WITHIN = 60.0
AGAIN = 75
"""The exit status after which the engine starts the container again."""
_KNOCK_WITHIN = 5.0
_HOST = f"unix://{SOCKET}"


class _Beside(Undoing):
    """Undoes through the socket that the container was given."""

    def undo(self, held: Sequence[Any], log: Callable[[str], None]) -> bool:
        """Undo all. Where nobody listens at the socket, the engine may have a new one, which only a new start shows.

        Raises SystemExit then.
        """
        done = super().undo(held, log)
        if not done and _is_stale(SOCKET):
            log("nobody listens at the engine's socket; ending, to be started again with the socket as it is then")
            sys.exit(AGAIN)
        return done


class _Wary(FolderWire):
    """Takes nothing that could not be undone: an image may know fewer kinds of faults than the runner does."""

    def receive(self, timeout: float | None) -> Mapping[str, Any] | None:
        """The next message. Raises Closed, and GuardianLost for one that asks too much."""
        said = super().receive(timeout)
        if said is not None and said["word"] == "arm":
            _see_that_it_can_undo(said["intended"])
        return said


def _see_that_it_can_undo(intended: Sequence[Any]) -> None:
    for one in intended:
        try:
            revive(Intended.model_validate(one))
        except (ValueError, ChaoskitError) as error:
            raise GuardianLost(f"it could not undo {one['kind']}; build its image anew: {error}") from error


def _is_stale(path: str) -> bool:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as knock:
        knock.settimeout(_KNOCK_WITHIN)
        try:
            knock.connect(path)
        except (ConnectionRefusedError, FileNotFoundError):
            return True
        except OSError:
            return False
    return False


def main() -> int:
    """Serve whoever put the orders there; a deputy that is not fit to says why, and ends."""
    serve.go_apart()
    wire = _Wary(Path(FOLDER), RealClock().now)
    orders = wire.receive(ORDERED_WITHIN)
    if orders is None:
        serve.log(f"there are no orders in {FOLDER}; only a guardian starts this")
        return 0
    duty = _Beside(str(orders["run"]), Settings(docker_host=_HOST), None, RealClock().now())
    serving = serve.Serving(wire, float(str(orders["lease"])), lambda: duty, RealClock().now, lambda *_: None)
    try:
        _see_that_it_fits(orders)
        serving.prepare()
        serving.serve()
    except GuardianLost as error:
        return _refuse(wire, str(error), 0)
    except Exception as error:  # noqa: BLE001 the guardian must know; the engine starts us again
        return _refuse(wire, f"{type(error).__name__}: {error}", AGAIN)
    return 0


def _see_that_it_fits(orders: Mapping[str, Any]) -> None:
    if orders["version"] != __version__:
        raise GuardianLost(f"its image holds chaoskit {__version__}, the runner is {orders['version']}; build it anew")
    try:
        engine = Engine(_HOST, _KNOCK_WITHIN)
        try:
            another = engine_id(engine) != orders["engine"]
        finally:
            engine.close()
    except TargetError as error:
        raise GuardianLost(f"it cannot use the socket it was given (guardian_socket): {error}") from error
    if another:
        raise GuardianLost("the socket it was given (guardian_socket) leads to another engine")


def _refuse(wire: FolderWire, why: str, status: int) -> int:
    serve.log(why)
    wire.send("refused", why=why)
    return status


if __name__ == "__main__":
    sys.exit(main())
