"""One trial, in a process of its own: `python -m tintype.sweep.child`, told by one line of JSON what to train.

Its standard input stays open as long as the process lives that started it; when that ends, however it ends, this one
saves and stops. How it went is the last line of standard output, in JSON.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sys
import threading
import traceback
from typing import Any


def main() -> None:
    """Train, and say how it went."""
    asked = json.loads(sys.stdin.readline())
    threading.Thread(target=_stop_with_parent, daemon=True).start()
    answer, sys.stdout = sys.stdout, sys.stderr
    outcome = _train(asked)
    with contextlib.suppress(BrokenPipeError):  # whoever asked has died; the run folder says all the same
        print(json.dumps(outcome), file=answer, flush=True)
    os._exit(0)  # the thread above is still reading standard input, which ordinary leaving would wait for


def _train(asked: dict[str, Any]) -> dict[str, str]:
    from tintype import api
    from tintype.errors import TintypeError
    from tintype.recipe.load import parse_recipe

    try:
        finished = api.train(parse_recipe(asked["recipe"], "recipe"), asked["out"])
    except TintypeError as error:
        return {"outcome": "failed", "kind": type(error).__name__, "reason": " ".join(str(error).split())}
    except Exception as error:
        traceback.print_exc()
        reason = f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"
        return {"outcome": "failed", "kind": type(error).__name__, "reason": reason}
    return {"outcome": "finished" if finished else "stopped"}


def _stop_with_parent() -> None:
    sys.stdin.read()
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    main()
