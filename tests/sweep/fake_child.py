"""Stands in for `tintype.sweep.child` in tests of everything around it: the same talk, and no training.

It "trains" a step every few milliseconds, keeps the step in its checkpoint, and writes every step that it does into
ledger.txt in the folder of trials. The learning rate decides the validation score; seed 13 diverges, seed 14 dies.
"""

import json
import os
import signal
import sys
import threading
import time
from pathlib import Path

STEP_S = float(os.environ.get("FAKE_STEP_S", "0.005"))


def main():
    asked = json.loads(sys.stdin.readline())
    threading.Thread(target=stop_with_parent, daemon=True).start()
    recipe, folder = asked["recipe"], Path(asked["out"])
    stopping = []
    signal.signal(signal.SIGTERM, lambda *_: stopping.append(True))
    (folder / "checkpoints").mkdir(parents=True, exist_ok=True)
    (folder / "recipe.yaml").write_text(json.dumps(recipe))
    seed, rate, last = recipe["training"]["seed"], recipe["optimiser"]["lr"], folder / "checkpoints" / "last.pt"
    step = int(last.read_text()) if last.exists() else 0
    answer = {"outcome": "finished"}
    while step < recipe["training"]["steps"]:
        if stopping:
            answer = {"outcome": "stopped"}
            break
        if seed == 13 and step == 3:
            answer = {"outcome": "failed", "kind": "NonFiniteLossError", "reason": "g/l1 is nan"}
            break
        if seed == 14 and step == 3:
            os.kill(os.getpid(), signal.SIGKILL)
        step += 1
        with (folder.parent / "ledger.txt").open("a") as ledger:
            ledger.write(f"{folder.name} {step}\n")
        with (folder / "events.jsonl").open("a") as events:
            scores = {"psnr": 20 - abs(rate - 1e-3) * 100 + step / 100}
            events.write(json.dumps({"event": "validation", "step": step, "scores": scores}) + "\n")
        last.write_text(str(step))
        time.sleep(STEP_S)
    if answer["outcome"] == "finished":
        mean = {"mean": 19.0}
        row = {"name": "model", "colourfulness_ratio": 0.5} | dict.fromkeys(("psnr", "gain", "ssim", "ciede2000"), mean)
        copy = {"name": "grey copy", "psnr": {"mean": 27.0}}
        (folder / "scores.json").write_text(json.dumps({"rows": [row, copy]}))
    print(json.dumps(answer), flush=True)  # noqa: T201
    os._exit(0)


def stop_with_parent():
    sys.stdin.read()
    os.kill(os.getpid(), signal.SIGTERM)


main()
