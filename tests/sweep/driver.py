"""Runs a sweep with the stand-in for training: `python driver.py OUT STORAGE|- RECIPE [SETTING ...]`."""

import sys
from pathlib import Path

import tintype.sweep.store
import tintype.sweep.trial
from tintype.console import Reporter
from tintype.sweep.definition import read_definition
from tintype.sweep.run import Sweep

tintype.sweep.trial.COMMAND = [sys.executable, str(Path(__file__).with_name("fake_child.py"))]
tintype.sweep.store.BEAT_S, tintype.sweep.store.LEASE_S = 0.5, 5.0
out, storage, recipe, *settings = sys.argv[1:]
sweep = Sweep(read_definition(recipe, settings), Path(out), storage=None if storage == "-" else storage, say=Reporter())
sys.exit(0 if sweep.run() else 130)
