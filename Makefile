# Two commands: `make demo` does the main job on real pictures, `make test` checks everything. Both set themselves up.

PYTHON ?= python3
BIN := .venv/bin
READY := .venv/.ready

.PHONY: demo test lint bench clean

demo: $(READY)
	$(BIN)/tintype demo --out demo

test: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python -m pytest -n 2 --dist worksteal -q

bench: $(READY)
	$(BIN)/python benchmarks/train_step.py
	$(BIN)/python benchmarks/kill_and_resume.py
	$(BIN)/python benchmarks/batch.py
	$(BIN)/python benchmarks/large_pictures.py
	$(BIN)/python benchmarks/round_trips.py

# torch first and by its exact version: that is the build without CUDA where there is one
$(READY): pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit("Tintype needs Python 3.11 or newer, this is " + sys.version.split()[0] if sys.version_info < (3, 11) else 0)'
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt torch
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[train,dev]'
	touch $@

clean:
	rm -rf .venv demo build dist src/*.egg-info .pytest_cache .ruff_cache .mypy_cache .hypothesis
