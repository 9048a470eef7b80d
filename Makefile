# econt: from sensor data to a bit-accuracy verdict and a report.  `make help` lists every target.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DELETE_ON_ERROR:
.SUFFIXES:
MAKEFLAGS += --no-builtin-rules

MODEL   ?= 8x8_c8_S2_qK## model of the zoo (models/zoo/*.yaml), or a path to such a YAML file
TARGET  ?= econ_t## hardware target (hw/targets/*.yaml), or a path to such a YAML file
DATA    ?=## CSV file or folder of real data; empty: generated data
EPOCHS  ?= 10## most training epochs (early stopping may end sooner)
EVENTS  ?= 500000## modules to generate where DATA is empty
VECTORS ?= 100000## least number of modules in each simulation
SEED    ?= 1## seed of generator, split, training and stimulus
EVALUATE ?=## options of make evaluate, such as --full or --skipPlot
VENDOR  ?=## options of make vendor, such as --synthesis or --no-cosim
COMPARE ?=## options of make compare, such as --fail-on-regression or --all
MODELS  ?=## models for compare, comma between them; the first is the base
BUILD   ?= build## folder for all results
PYTHON  ?= python3## interpreter that makes .venv (3.11 to 3.13)

PY    := .venv/bin/python
FLOWS := $(PY) -m flows
comma := ,
name   = $(patsubst %.yaml,%,$(notdir $(1)))

DATASET  := $(BUILD)/data/$(if $(DATA),$(notdir $(abspath $(DATA))),generated)
DESIGN   := $(BUILD)/$(call name,$(MODEL))
IMPLEMENTATION := $(DESIGN)/$(call name,$(TARGET))
CSV      := $(if $(DATA),$(DATA),$(DATASET)/modules.csv)

DATA_METRICS       := $(DATASET)/metrics.json
TRAIN_METRICS      := $(DESIGN)/train/metrics.json
EVALUATE_METRICS   := $(DESIGN)/evaluate/metrics.json
COMPLEXITY_METRICS := $(DESIGN)/complexity/metrics.json
GRAPH_METRICS      := $(DESIGN)/graph/metrics.json
EMD_CNN_METRICS    := $(BUILD)/emd_cnn/$(call name,$(MODEL))/metrics.json
HLS_METRICS        := $(IMPLEMENTATION)/hls_metrics.json
CSIM_METRICS       := $(IMPLEMENTATION)/csim/metrics.json
RTL_METRICS        := $(IMPLEMENTATION)/rtl_metrics.json
RTLSIM_METRICS     := $(IMPLEMENTATION)/rtlsim/metrics.json
RECONFIGURABLE_METRICS := $(IMPLEMENTATION)/rtlsim-reconfigurable/metrics.json
GATESIM_RECONFIGURABLE := $(IMPLEMENTATION)/gatesim-reconfigurable/metrics.json
SYNTH_METRICS      := $(IMPLEMENTATION)/synth_metrics.json
TIMING_METRICS     := $(IMPLEMENTATION)/timing/metrics.json
GATESIM_METRICS    := $(IMPLEMENTATION)/gatesim/metrics.json
ECP5_METRICS       := $(IMPLEMENTATION)/ecp5/metrics.json
EQUIVALENCE_METRICS := $(IMPLEMENTATION)/equivalence/metrics.json
RECONFIGURABLE_TIMING := $(BUILD)/.reconfigurable/timing/$(call name,$(TARGET)).json
RECONFIGURABLE_EQUIVALENCE := $(BUILD)/.reconfigurable/equivalence/$(call name,$(TARGET)).json
RECONFIGURABLE_SYNTH := $(BUILD)/.reconfigurable/synth_metrics/$(call name,$(TARGET)).json
VENDOR_METRICS     := $(IMPLEMENTATION)/vendor_metrics.json
SUMMARY            := $(IMPLEMENTATION)/summary.json

# A report records a stage that cannot be done, or that failed, with its reason (--or-skip) and
# gives the verdict at its end; a stage asked for by name must have been done and passed (REQUIRE).
REQUIRE = @$(FLOWS) status --build $(BUILD) --model $(MODEL) --target $(TARGET) --require

.PHONY: all help doctor status environment data train evaluate flops graph emd-cnn hls csim rtl rtlsim vendor report
.PHONY: rtlsim-reconfigurable synth synth-reconfigurable compare
.PHONY: timing gatesim equivalence ecp5 timing-reconfigurable gatesim-reconfigurable equivalence-reconfigurable
.PHONY: test test-rtl test-fast test-random lint bench conformance clean distclean FORCE
all: report  ## the main job: from data to the report of MODEL on TARGET

help:  ## list targets and variables
	@echo "Targets:"
	@sed -nE 's/^([a-z][a-z0-9-]*):[^#]*##[ ]*(.*)/  \1\t\2/p' $(MAKEFILE_LIST) | expand -t 26
	@printf '  %-24s%s\n' 'clean-<stage>' 'remove the results of one stage: clean-train, clean-csim, ...'
	@echo "Variables (make NAME=value):"
	@sed -nE 's/^([A-Z]+) *\?= *([^#]*)##[ ]*(.*)/  \1\t\2\t\3/p' $(MAKEFILE_LIST) | expand -t 12,28

# --- environment -------------------------------------------------------------------------------
environment: .venv/.installed  ## make .venv from pyproject.toml and constraints.txt
.venv/.installed: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' || \
	  { echo "error: Python 3.11 to 3.13 is needed, $(PYTHON) is $$($(PYTHON) --version 2>&1); \
	use: make PYTHON=python3.12" >&2; exit 2; }
	@echo "installing the Python environment into .venv (about two minutes)"
	@test -x $(PY) || $(PYTHON) -m venv .venv
	@$(PY) -m pip install --quiet --disable-pip-version-check -c constraints.txt \
	  -r <($(PY) -c 'import tomllib; p = tomllib.load(open("pyproject.toml", "rb"))["project"]; \
	print(*p["dependencies"], *p["optional-dependencies"]["test"], sep="\n")')
	@touch $@

doctor: .venv/.installed  ## name each tool found or missing, with version and remedy
	@$(FLOWS) doctor

# --- stages: one line each; a stamp of settings (looked at even by make -n) changes with its text -
stamp = mkdir -p $(@D) && { echo '$(1)' | cmp -s - $@ || echo '$(1)' > $@; }
%/data.settings: FORCE
	+@$(call stamp,EVENTS=$(if $(DATA),,$(EVENTS)) SEED=$(SEED) DATA=$(DATA))
%/train.settings: FORCE
	+@$(call stamp,EPOCHS=$(EPOCHS) SEED=$(SEED) DATA=$(DATA))
%/evaluate.settings: FORCE
	+@$(call stamp,EVALUATE=$(EVALUATE))
%/csim.settings: FORCE
	+@$(call stamp,VECTORS=$(VECTORS) SEED=$(SEED))
%/rtlsim.settings: FORCE
	+@$(call stamp,VECTORS=$(VECTORS) SEED=$(SEED))
%/vendor.settings: FORCE
	+@$(call stamp,VENDOR=$(VENDOR) SEED=$(SEED))

data: $(DATA_METRICS)  ## generate modules, or inspect DATA, and compare with the published distributions
$(DATA_METRICS): $(DATASET)/data.settings $(wildcard $(DATA) $(DATA)/*.csv) | .venv/.installed
	$(FLOWS) data --build $(BUILD) $(if $(DATA),--data $(DATA),--events $(EVENTS)) --seed $(SEED)

train: $(TRAIN_METRICS)  ## train MODEL on DATA for EPOCHS (resumes after an interruption)
# (an imported encoder is as it came: nothing makes it anew)
IMPORTED := $(shell grep -s '"model": null' $(DESIGN)/train/settings.json)
$(TRAIN_METRICS): $(if $(IMPORTED),,$(DATA_METRICS) $(DESIGN)/train.settings $(wildcard models/zoo/$(MODEL).yaml $(MODEL)))
	$(FLOWS) train -i $(CSV) -o $(BUILD) --models $(MODEL) \
	  --epochs $(EPOCHS) --seed $(SEED) --nrowsPerFile 0 --overrideInput --trainOnly
	@touch $@

emd-cnn: $(EMD_CNN_METRICS)  ## teach a network the earth mover's distance, for use as a loss (minutes)
$(EMD_CNN_METRICS): $(TRAIN_METRICS)
	$(FLOWS) emd-cnn --build $(BUILD) --model $(MODEL) --data $(CSV) --seed $(SEED)

evaluate: $(EVALUATE_METRICS)  ## measure the compression quality on the validation modules
$(EVALUATE_METRICS): $(TRAIN_METRICS) $(DESIGN)/evaluate.settings
	$(FLOWS) evaluate --build $(BUILD) --model $(MODEL) $(EVALUATE)

flops: $(COMPLEXITY_METRICS)  ## count FLOPs, MACs, BOPs, parameters and weight bits
$(COMPLEXITY_METRICS): $(TRAIN_METRICS)
	$(FLOWS) flops --build $(BUILD) --model $(MODEL)

graph: $(GRAPH_METRICS)  ## write encoder and decoder as TensorFlow graphs, SavedModels and ONNX
$(GRAPH_METRICS): $(TRAIN_METRICS)
	$(FLOWS) graph --build $(BUILD) --model $(MODEL)

hls: $(HLS_METRICS)  ## make an HLS C++ project of the encoder for TARGET
	$(REQUIRE) hls
$(HLS_METRICS): $(TRAIN_METRICS) $(wildcard hw/targets/$(TARGET).yaml $(TARGET))
	$(FLOWS) hls --build $(BUILD) --model $(MODEL) --target $(TARGET) --or-skip

csim: $(CSIM_METRICS)  ## compile the C++ and compare its integer codes with Keras: 0 mismatches
	$(REQUIRE) csim
$(CSIM_METRICS): $(HLS_METRICS) $(IMPLEMENTATION)/csim.settings
	$(FLOWS) csim --build $(BUILD) --model $(MODEL) --target $(TARGET) --vectors $(VECTORS) --seed $(SEED) --or-skip

rtl: $(RTL_METRICS)  ## make Verilog of the encoder for TARGET, its weights wired in
	$(REQUIRE) rtl
$(RTL_METRICS): $(HLS_METRICS) $(wildcard hw/generated/adders/*)
	$(FLOWS) rtl --build $(BUILD) --model $(MODEL) --target $(TARGET) --or-skip

rtlsim: $(RTLSIM_METRICS)  ## simulate the Verilog and compare its integer codes with Keras: 0 mismatches
	$(REQUIRE) rtlsim
$(RTLSIM_METRICS): $(RTL_METRICS) $(IMPLEMENTATION)/rtlsim.settings
	$(FLOWS) rtlsim --build $(BUILD) --model $(MODEL) --target $(TARGET) --vectors $(VECTORS) --seed $(SEED) --or-skip

synth: $(SYNTH_METRICS)  ## map the Verilog to FPGA cells and to a cell library, and count them
	$(REQUIRE) synth
$(SYNTH_METRICS): $(RTL_METRICS) $(wildcard hw/synthesis/*)
	$(FLOWS) synth --build $(BUILD) --model $(MODEL) --target $(TARGET) --or-skip

timing: $(TIMING_METRICS)  ## critical path and slack of the netlist mapped to the cell library
	$(REQUIRE) timing
$(TIMING_METRICS): $(SYNTH_METRICS)
	$(FLOWS) timing --build $(BUILD) --model $(MODEL) --target $(TARGET) --or-skip

gatesim: $(GATESIM_METRICS)  ## simulate that netlist and compare its integer codes with Keras: 0 mismatches
	$(REQUIRE) gatesim
$(GATESIM_METRICS): $(SYNTH_METRICS) $(IMPLEMENTATION)/rtlsim.settings
	$(FLOWS) gatesim --build $(BUILD) --model $(MODEL) --target $(TARGET) --vectors $(VECTORS) --seed $(SEED) --or-skip

equivalence: $(EQUIVALENCE_METRICS)  ## prove that the netlist equals the RTL
	$(REQUIRE) equivalence
$(EQUIVALENCE_METRICS): $(SYNTH_METRICS)
	$(FLOWS) equivalence --build $(BUILD) --model $(MODEL) --target $(TARGET) --seed $(SEED) --or-skip

ecp5: $(ECP5_METRICS)  ## place and route the Verilog on a Lattice ECP5: its clock frequency (minutes)
	$(REQUIRE) ecp5
$(ECP5_METRICS): $(RTL_METRICS)
	$(FLOWS) ecp5 --build $(BUILD) --model $(MODEL) --target $(TARGET) --or-skip

rtlsim-reconfigurable: $(RECONFIGURABLE_METRICS)  ## simulate the chip's own RTL with the weights of an econ_t model (minutes)
	$(REQUIRE) rtlsim-reconfigurable
$(RECONFIGURABLE_METRICS): $(TRAIN_METRICS) $(IMPLEMENTATION)/rtlsim.settings $(wildcard hw/rtl/*.sv hw/targets/$(TARGET).yaml $(TARGET))
	$(FLOWS) rtlsim-reconfigurable --build $(BUILD) --model $(MODEL) --target $(TARGET) --vectors $(VECTORS) --seed $(SEED) --or-skip

synth-reconfigurable: $(RECONFIGURABLE_SYNTH)  ## map the chip's own RTL, once for all models (minutes)
	$(REQUIRE) synth-reconfigurable
$(RECONFIGURABLE_SYNTH): .venv/.installed $(wildcard hw/rtl/*.sv hw/synthesis/* hw/targets/$(TARGET).yaml $(TARGET))
	$(FLOWS) synth --build $(BUILD) --target $(TARGET) --reconfigurable

timing-reconfigurable: $(RECONFIGURABLE_TIMING)  ## critical path of the chip's own RTL, mapped
	$(REQUIRE) timing-reconfigurable
$(RECONFIGURABLE_TIMING): $(RECONFIGURABLE_SYNTH)
	$(FLOWS) timing --build $(BUILD) --target $(TARGET) --reconfigurable

gatesim-reconfigurable: $(GATESIM_RECONFIGURABLE)  ## simulate that netlist with the weights of an econ_t model (minutes)
	$(REQUIRE) gatesim-reconfigurable
$(GATESIM_RECONFIGURABLE): $(RECONFIGURABLE_SYNTH) $(TRAIN_METRICS) $(IMPLEMENTATION)/rtlsim.settings
	$(FLOWS) gatesim-reconfigurable --build $(BUILD) --model $(MODEL) --target $(TARGET) --vectors $(VECTORS) --seed $(SEED) --or-skip

equivalence-reconfigurable: $(RECONFIGURABLE_EQUIVALENCE)  ## prove that it equals its RTL, module by module (minutes)
	$(REQUIRE) equivalence-reconfigurable
$(RECONFIGURABLE_EQUIVALENCE): $(RECONFIGURABLE_SYNTH)
	$(FLOWS) equivalence --build $(BUILD) --target $(TARGET) --seed $(SEED) --reconfigurable --or-skip

vendor: $(VENDOR_METRICS)  ## run Vitis HLS or Catapult on the HLS project (minutes to hours)
$(VENDOR_METRICS): $(HLS_METRICS) $(IMPLEMENTATION)/vendor.settings
	$(FLOWS) vendor --build $(BUILD) --model $(MODEL) --target $(TARGET) --seed $(SEED) $(VENDOR)

report: $(DATA_METRICS) $(EVALUATE_METRICS) $(COMPLEXITY_METRICS) $(CSIM_METRICS) $(RTLSIM_METRICS) $(SYNTH_METRICS) $(TIMING_METRICS) $(GATESIM_METRICS) $(EQUIVALENCE_METRICS)  ## gather all numbers and the verdict: report.html, report.md, summary.json
	$(FLOWS) report --build $(BUILD) --model $(MODEL) --target $(TARGET) $(if $(DATA),--data $(DATA))

compare: .venv/.installed  ## compare reported MODELS on TARGET: table, Markdown and overlays
	$(FLOWS) compare --build $(BUILD) --models '$(MODELS)' --target $(TARGET) \
	  --output '$(BUILD)/compare/$(subst $(comma),_,$(MODELS))/$(call name,$(TARGET))' $(COMPARE)

status: .venv/.installed  ## which stages of MODEL on TARGET are done
	@$(FLOWS) status --build $(BUILD) --model $(MODEL) --target $(TARGET) $(if $(DATA),--data $(DATA))

# --- checks ------------------------------------------------------------------------------------
RTL_TESTS := $(wildcard tests/testbench/test_rtl_*.py)
test: .venv/.installed  ## all tests but test-rtl's, the end-to-end run included (minutes)
	$(PY) -m pytest -n 2 --dist loadfile -q $(RTL_TESTS:%=--ignore=%)

test-rtl: .venv/.installed  ## tests of the chip's own RTL: Verilator builds of many minutes
	$(PY) -m pytest -n 2 --dist loadfile -q $(RTL_TESTS)

test-fast: .venv/.installed  ## only the tests that take seconds
	$(PY) -m pytest -m 'not slow' -q

test-random: .venv/.installed  ## the property tests on new random examples
	$(PY) -m pytest -m 'not slow' -q --hypothesis-profile random $(shell grep -l '^@given' -r tests)

lint: .venv/.installed  ## style and types
	.venv/bin/ruff check . && .venv/bin/ruff format --check . && .venv/bin/mypy

bench: .venv/.installed  ## speed ratios against the reference's methods, both figures shown
	$(PY) -m benchmarks.emd && $(PY) -m benchmarks.evaluation && $(PY) -m benchmarks.csv_loading && $(PY) -m benchmarks.exact_training && $(PY) -m benchmarks.generated_rtl

conformance: .venv/.installed  ## ECON-T golden model against the emulator's public vectors (../shared)
	$(FLOWS) conformance ../shared/econt/vectors

# --- cleaning ----------------------------------------------------------------------------------
STAGES := data train emd-cnn evaluate flops graph hls csim rtl rtlsim synth timing gatesim \
          equivalence ecp5 rtlsim-reconfigurable synth-reconfigurable timing-reconfigurable \
          gatesim-reconfigurable equivalence-reconfigurable vendor
results = $(DESIGN)/$(1) $(IMPLEMENTATION)/$(1) $(IMPLEMENTATION)/$(1)_metrics.json
RESULTS_data    := $(DATASET)
RESULTS_emd-cnn := $(dir $(EMD_CNN_METRICS))
RESULTS_flops   := $(dir $(COMPLEXITY_METRICS))
RESULTS_timing-reconfigurable := $(dir $(RECONFIGURABLE_TIMING))
RESULTS_equivalence-reconfigurable := $(dir $(RECONFIGURABLE_EQUIVALENCE))
RESULTS_synth-reconfigurable := $(BUILD)/.reconfigurable/synth $(RECONFIGURABLE_SYNTH)
.PHONY: $(STAGES:%=clean-%)
$(STAGES:%=clean-%): clean-%:
	rm -rf $(or $(RESULTS_$*),$(call results,$*))

clean:  ## remove the results of MODEL (all targets)
	rm -rf $(DESIGN)

distclean:  ## remove all results and the environment
	rm -rf $(BUILD) .venv
