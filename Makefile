# Set-up and daily work. `make` alone lists what there is.
.DEFAULT_GOAL := help
.PHONY: help setup demo serve test lint format requirements

BIN := .venv/bin
CODE := app.py mlops_copilot.py pages copilot tests benchmarks
ARGS ?=
# Without compiled bytecode each process compiles the libraries again: 6 s more for every import of MLflow.
unexport PYTHONDONTWRITEBYTECODE

help: ## list these commands
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## /make \1\t/' | expand -t 20

setup: .venv/.setup-all ## system libraries, .venv, the pinned requirements, the project itself

demo: setup ## train the demo's models (the first time) and open the dashboard on them
	@$(BIN)/mlops-copilot demo $(ARGS)

serve: setup ## start the dashboard on your own MLflow runs
	@$(BIN)/mlops-copilot dashboard $(ARGS)

test: .venv/.setup-dev ## run every test; one of them: make test ARGS="tests/test_imports.py"
	@$(BIN)/python -m pytest --numprocesses=3 --dist=worksteal $(ARGS)

lint: .venv/.setup-dev ## check style and formatting
	@$(BIN)/ruff check $(CODE)
	@$(BIN)/ruff format --check $(CODE)

format: .venv/.setup-dev ## mend style and formatting
	@$(BIN)/ruff check --fix $(CODE)
	@$(BIN)/ruff format $(CODE)

COMPILE = $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	--no-emit-index-url --no-emit-find-links --no-header

requirements: .venv/.setup-dev ## compile requirements/*.txt again; newer versions: make requirements ARGS=--upgrade
	@$(COMPILE) $(ARGS) pyproject.toml --extra dev -o requirements/dev.txt
	@$(COMPILE) $(ARGS) pyproject.toml --extra all -c requirements/dev.txt -o requirements/all.txt
	@$(COMPILE) $(ARGS) requirements/build.in -c requirements/dev.txt -o requirements/build.txt
	@for file in requirements/mlflow-[0-9]*.in; do \
		$(COMPILE) $(ARGS) $$file --override requirements/mlflow-unused.in -o $${file%.in}.txt || exit; \
	done
	@! grep -n '://' requirements/*.txt

.venv/.setup-%: scripts/setup.sh pyproject.toml requirements/build.txt requirements/%.txt
	@scripts/setup.sh $*
