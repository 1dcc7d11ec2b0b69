# make demo: train the small CycleGAN of the README and translate with it.  make test: all tests.
# make bench: seconds and memory beside the usual implementations of the same methods.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
MINUTES ?= 5
THREADS ?= 1

.PHONY: demo test bench lint types format hooks clean

demo: $(VENV)/ready
	$(BIN)/python examples/demo.py --minutes $(MINUTES)

test: $(VENV)/ready
	OMP_NUM_THREADS=1 $(BIN)/pytest -n auto

bench: $(VENV)/ready
	$(BIN)/python -m benchmarks all --threads $(THREADS)

lint: $(VENV)/ready
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/ready
	$(BIN)/pyright

format: $(VENV)/ready
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

hooks: $(VENV)/ready
	$(BIN)/prek install

$(VENV)/ready: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --constraint constraints.txt --editable '.[dev]'
	touch $@

clean:
	rm -rf $(VENV) demo
