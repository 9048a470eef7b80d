# econt: from sensor data to a bit-accuracy verdict and a report.  `make help` lists every target.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DELETE_ON_ERROR:
.SUFFIXES:
MAKEFLAGS += --no-builtin-rules
MODEL   ?= 4x4x3_dense_w5## model of the zoo (models/zoo/*.yaml), or a path to such a YAML file
TARGET  ?= econ_t## hardware target (hw/targets/*.yaml), or a path to such a YAML file
DATA    ?=## CSV file or folder of real data; empty: generated data
EPOCHS  ?=## most training epochs; empty: as the model's recipe says, else 10
EVENTS  ?= 500000## modules to generate where DATA is empty
VECTORS ?= 100000## least number of modules in each simulation
SEED    ?= 1## seed of generator, split, training and stimulus
EVALUATE ?=## options of make evaluate, such as --full or --skipPlot
REPORT  ?=## options of make report, such as --junit FILE or --skipPlot
VENDOR  ?=## options of make vendor, such as --synthesis or --no-cosim
COMPARE ?=## options of make compare, such as --fail-on-regression or --all
MODELS  ?=## models for compare, comma between them; the first is the base
SPACE   ?= hard_wired## search space (flows/search/spaces/*.yaml), or a path to such a YAML file
SEARCH  ?=## options of make search, such as --minutes 60 or --trials 50
BUILD   ?= build## folder for all results
PYTHON  ?= python3## interpreter that makes .venv (3.11 to 3.13)
PY    := .venv/bin/python
FLOWS := $(PY) -m flows
comma := ,
# what make, the shell or a tool would take apart is refused before anything runs
ODD := ' " ` $$ ; & | < > * ? ! \ % = { } [ ] ~ ^ : \#
space := $(subst ,, )
odd = $(strip $(foreach c,$(ODD),$(findstring $c,$1)) $(if $(findstring $(space),$1),blank))
$(foreach v,MODEL TARGET DATA BUILD MODELS EPOCHS EVENTS VECTORS SEED,$(if $(call odd,$(value $v)),$(error $v='$(value $v)' has $(call odd,$(value $v)) in it; choose another name)))
$(foreach v,MODEL TARGET BUILD,$(if $(value $v),,$(error $v is empty; leave it out for the default)))
name   = $(patsubst %.yml,%,$(patsubst %.yaml,%,$(notdir $(1))))
# where results lie: <place>/<stage>/metrics.json, of the data, model, target and chip's own RTL
D := $(BUILD)/data/$(if $(DATA),$(notdir $(or $(realpath $(DATA)),$(abspath $(DATA)))),generated)
M := $(BUILD)/$(call name,$(MODEL))
T := $(M)/$(call name,$(TARGET))
R := $(BUILD)/.reconfigurable/$(call name,$(TARGET))
CSV         := $(if $(DATA),$(DATA),$(D)/modules.csv)
MODEL_FILE  := $(wildcard models/zoo/$(MODEL).yaml $(MODEL))
TARGET_FILE := $(wildcard hw/targets/$(TARGET).yaml $(TARGET))
RTL_SOURCES := $(wildcard hw/rtl/*.sv)
TRAIN_EPOCHS = $(or $(EPOCHS),$(if $(shell grep -s '^epochs:' $(MODEL_FILE)),,10))
OF_MODEL  := emd-cnn evaluate flops upsets graph
OF_TARGET := hls csim rtl rtlsim synth timing gatesim equivalence energy ecp5 rtlsim-reconfigurable gatesim-reconfigurable gateupsets gateupsets-reconfigurable protection
OF_CHIP   := $(foreach form,reconfigurable chip chip-tripled,synth-$(form) timing-$(form) equivalence-$(form))
DESIGN    := --build $(BUILD) --model $(MODEL) --target $(TARGET)
# stages run side by side, two at a time; what has been asked to be removed goes first, alone
STAGES := $(filter-out help doctor status runtimes environment compare lint bench conformance search test% clean% distclean .venv/%,$(or $(MAKECMDGOALS),all))
ifneq ($(filter clean% distclean,$(MAKECMDGOALS)),)
.NOTPARALLEL:
else ifneq ($(if $(filter -j% --jobserver%,$(MAKEFLAGS)),,$(STAGES)),)
MAKEFLAGS += -j2
endif
.PHONY: all help doctor status runtimes environment data train $(OF_MODEL) $(OF_TARGET) $(OF_CHIP) vendor report compare search
.PHONY: test test-rtl test-fast test-faults test-random test-networks lint bench conformance clean distclean FORCE
all: report  ## the main job: from data to the report of MODEL on TARGET
help:  ## list targets and variables
	@echo "Targets:"
	@sed -nE 's/^(\$$\([A-Z]\)\/)?([a-z][a-z0-9-]*)(\/metrics\.json)?:[^#]*##[ ]*(.*)/  \2\t\4/p' $(MAKEFILE_LIST) | expand -t 30
	@printf '  %-28s%s\n' 'clean-<stage>' 'remove the results of one stage: clean-train, clean-csim, ...'
	@echo "Variables (make NAME=value):"
	@sed -nE 's/^([A-Z]+) *\?= *([^#]*)##[ ]*(.*)/  \1\t\2\t\3/p' $(MAKEFILE_LIST) | expand -t 12,28
# --- environment -------------------------------------------------------------------------------
PIP := $(PY) -m pip install --quiet --disable-pip-version-check
environment: .venv/.installed  ## make .venv from pyproject.toml and constraints.txt
.venv/.installed: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' || { echo "error: Python 3.11 to 3.13 is needed, $(PYTHON) is $$($(PYTHON) --version 2>&1); use: make PYTHON=python3.12" >&2; exit 2; }
	@echo "installing the Python environment into .venv (about a minute; where only pip can, three)"
	@test -x $(PY) || $(PYTHON) -m venv .venv
	@$(PY) -c 'import tomllib; p = tomllib.load(open("pyproject.toml", "rb"))["project"]; \
	print(*p["dependencies"], *p["optional-dependencies"]["test"], sep="\n")' > .venv/requirements.txt
	@$(PIP) uv && .venv/bin/uv pip install --quiet --compile-bytecode --python $(PY) -c constraints.txt -r .venv/requirements.txt || $(PIP) -c constraints.txt -r .venv/requirements.txt
	@touch $@
doctor: .venv/.installed ; @$(FLOWS) doctor  ## name each tool found or missing, with version and remedy
# --- settings: a stamp of options (looked at even by make -n) changes with its text -----------------
STAMP_data     = EVENTS=$(if $(DATA),,$(EVENTS)) SEED=$(SEED) DATA=$(DATA)
STAMP_train    = EPOCHS=$(TRAIN_EPOCHS) SEED=$(SEED) DATA=$(DATA)
STAMP_evaluate = EVALUATE=$(EVALUATE)
STAMP_stimulus = VECTORS=$(VECTORS) SEED=$(SEED)
STAMP_vendor   = VENDOR=$(VENDOR) SEED=$(SEED)
%.settings: FORCE
	+@mkdir -p $(@D) && { echo '$(STAMP_$(*F))' | cmp -s - $@ || echo '$(STAMP_$(*F))' > $@; }
# --- stages: what each needs; the recipes stand below ------------------------------------------------
# Make goes by dates; what has another content than its results are of is made anew whatever its date
ifneq ($(and $(STAGES),$(shell [ .venv/.installed -nt pyproject.toml -a .venv/.installed -nt constraints.txt ] && echo yes)),)
STALE := $(shell $(FLOWS) status $(DESIGN) $(if $(DATA),--data $(DATA)) --stale)
$(if $(filter-out 0,$(.SHELLSTATUS)),$(error nothing was done))
$(STALE:%=$(BUILD)/%): FORCE
endif
data: $(D)/metrics.json  ## generate modules, or inspect DATA, and compare with the published distributions
$(D)/metrics.json: $(D)/data.settings $(wildcard $(DATA) $(DATA)/*.csv)
IMPORTED := $(shell grep -sE '"model": null|"new_decoder": [{]' $(M)/train/settings.json)# it is as it came: nothing makes it anew
train: $(M)/train/metrics.json  ## train MODEL on DATA for EPOCHS (resumes after an interruption)
$(M)/train/metrics.json: $(if $(IMPORTED),,$(D)/metrics.json $(M)/train.settings $(MODEL_FILE))
$(M)/emd-cnn/metrics.json: $(M)/train/metrics.json  ## teach a network the earth mover's distance, for use as a loss (minutes)
$(M)/evaluate/metrics.json: $(M)/train/metrics.json $(M)/evaluate.settings  ## measure the compression quality on the validation modules
$(M)/flops/metrics.json: $(M)/train/metrics.json  ## count FLOPs, MACs, BOPs, parameters and weight bits
$(M)/upsets/metrics.json: $(M)/train/metrics.json  ## flip each stored weight bit of the encoder and measure the damage (minutes)
$(M)/graph/metrics.json: $(M)/train/metrics.json  ## write encoder and decoder as TensorFlow graphs, SavedModels and ONNX
$(T)/hls/metrics.json: $(M)/train/metrics.json $(TARGET_FILE) $(wildcard hw/econ_t/*)  ## make an HLS C++ project of the encoder for TARGET
$(T)/csim/metrics.json: $(T)/hls/metrics.json $(T)/stimulus.settings $(wildcard testbench/simulators/csim* testbench/econ_t/block_*)  ## compile the C++ and compare its integer codes with Keras: 0 mismatches
$(T)/rtl/metrics.json: $(T)/hls/metrics.json $(wildcard hw/generated/*.py hw/generated/adders/*)  ## make Verilog of the encoder for TARGET, its weights wired in
$(T)/rtlsim/metrics.json: $(T)/rtl/metrics.json $(T)/stimulus.settings $(wildcard testbench/simulators/rtl*)  ## simulate that Verilog and compare its integer codes with Keras: 0 mismatches
$(T)/synth/metrics.json: $(T)/rtl/metrics.json $(wildcard hw/synthesis/*)  ## map the Verilog to FPGA cells and to cells of a library, and count them
$(T)/timing/metrics.json: $(T)/synth/metrics.json  ## critical path of the netlist of library cells
$(T)/gatesim/metrics.json: $(T)/synth/metrics.json $(T)/stimulus.settings  ## simulate that netlist and compare its integer codes with Keras: 0 mismatches
$(T)/equivalence/metrics.json: $(T)/synth/metrics.json  ## prove that the netlist equals the RTL
$(T)/energy/metrics.json: $(T)/synth/metrics.json  ## energy per module of that netlist from its switching on real modules, and its power
$(T)/ecp5/metrics.json: $(T)/rtl/metrics.json  ## place and route the Verilog on a Lattice ECP5: its clock frequency (minutes)
$(T)/rtlsim-reconfigurable/metrics.json: $(M)/train/metrics.json $(T)/stimulus.settings $(RTL_SOURCES) $(TARGET_FILE)  ## simulate the chip's own RTL with the weights of an econ_t model (minutes)
$(R)/synth-reconfigurable/metrics.json: $(RTL_SOURCES) $(wildcard hw/synthesis/*) $(TARGET_FILE)  ## map the chip's own RTL, once for all models (minutes)
$(R)/timing-reconfigurable/metrics.json: $(R)/synth-reconfigurable/metrics.json  ## critical path of the chip's own RTL, mapped
$(T)/gatesim-reconfigurable/metrics.json: $(R)/synth-reconfigurable/metrics.json $(M)/train/metrics.json $(T)/stimulus.settings  ## simulate that netlist with the weights of an econ_t model (minutes)
$(R)/equivalence-reconfigurable/metrics.json: $(R)/synth-reconfigurable/metrics.json  ## prove that it equals its RTL, module by module (minutes)
$(R)/synth-chip/metrics.json: $(RTL_SOURCES) $(wildcard hw/synthesis/*) $(TARGET_FILE)  ## map the whole chip path, from input links to output links (minutes)
$(R)/timing-chip/metrics.json: $(R)/synth-chip/metrics.json  ## critical path of the whole chip path, mapped
$(R)/equivalence-chip/metrics.json: $(R)/synth-chip/metrics.json  ## prove that the mapped whole chip path equals its RTL (many minutes)
$(R)/synth-chip-tripled/metrics.json: $(RTL_SOURCES) $(wildcard hw/synthesis/*) $(TARGET_FILE)  ## the same with all registers tripled (minutes)
$(R)/timing-chip-tripled/metrics.json: $(R)/synth-chip-tripled/metrics.json  ## critical path of that
$(R)/equivalence-chip-tripled/metrics.json: $(R)/synth-chip-tripled/metrics.json  ## prove that it equals its RTL (many minutes)
$(T)/gateupsets/metrics.json: $(T)/synth/metrics.json  ## upset each flip-flop of that netlist in simulation
$(T)/gateupsets-reconfigurable/metrics.json: $(R)/synth-reconfigurable/metrics.json $(M)/train/metrics.json  ## upset each flip-flop of the chip's own netlist (minutes)
$(T)/protection/metrics.json: $(M)/upsets/metrics.json $(RTL_SOURCES) $(wildcard hw/synthesis/*) $(TARGET_FILE)  ## triple the weight registers that matter, with the cost and the proof (minutes)
vendor: $(T)/vendor/metrics.json  ## run Vitis HLS or Catapult on the HLS project (minutes to hours)
$(T)/vendor/metrics.json: $(T)/hls/metrics.json $(T)/vendor.settings
# --- recipes: a report records a stage that cannot be done, or that failed, with its reason
# (--or-skip), and gives the verdict at its end; a stage asked for by name must be done and passed
$(D)/metrics.json: | .venv/.installed
	$(FLOWS) data --build $(BUILD) $(if $(DATA),--data $(DATA),--events $(EVENTS)) --seed $(SEED)
$(M)/train/metrics.json: | .venv/.installed
	$(FLOWS) train -i $(CSV) -o $(BUILD) --models $(MODEL) $(TRAIN_EPOCHS:%=--epochs %) --seed $(SEED) --nrowsPerFile 0 --overrideInput --trainOnly
	@touch $@
OPTIONS_emd-cnn = --data $(CSV) --seed $(SEED)
OPTIONS_evaluate = $(EVALUATE)
$(OF_MODEL): %: $(M)/%/metrics.json
$(OF_MODEL:%=$(M)/%/metrics.json): $(M)/%/metrics.json: | .venv/.installed
	$(FLOWS) $* --build $(BUILD) --model $(MODEL) $(OPTIONS_$*)
OPTIONS = $(if $(filter csim rtlsim% gatesim%,$*),--vectors $(VECTORS)) $(if $(filter csim rtlsim% gatesim% equivalence%,$*),--seed $(SEED))
STEP = $(FLOWS) $* $(DESIGN) $(OPTIONS) --or-skip
REQUIRE = @$(FLOWS) status $(DESIGN) --require $@
$(OF_TARGET): %: $(T)/%/metrics.json ; $(REQUIRE)
$(OF_CHIP): %: $(R)/%/metrics.json ; $(REQUIRE)
$(OF_TARGET:%=$(T)/%/metrics.json): $(T)/%/metrics.json: | .venv/.installed ; $(STEP)
$(OF_CHIP:%=$(R)/%/metrics.json): $(R)/%/metrics.json: | .venv/.installed ; $(STEP)
$(T)/vendor/metrics.json: | .venv/.installed
	$(FLOWS) vendor $(DESIGN) --seed $(SEED) $(VENDOR)
report: $(D)/metrics.json $(patsubst %,$(M)/%/metrics.json,evaluate flops) $(patsubst %,$(T)/%/metrics.json,csim rtlsim synth timing gatesim equivalence)  ## gather all numbers and the verdict: report.html, report.md, summary.json
	$(FLOWS) report $(DESIGN) $(if $(DATA),--data $(DATA)) $(REPORT)
compare: .venv/.installed  ## compare reported MODELS on TARGET: table, Markdown and overlays
	$(FLOWS) compare --build $(BUILD) --models '$(MODELS)' --target $(TARGET) --output '$(BUILD)/compare/$(subst $(comma),_,$(MODELS))/$(call name,$(TARGET))' $(COMPARE)
search: .venv/.installed  ## search SPACE for networks, synthesis in the loop (hours; goes on where it was)
	$(FLOWS) search --build $(BUILD) $(SPACE) $(SEARCH)
status: .venv/.installed ; @$(FLOWS) status $(DESIGN) $(if $(DATA),--data $(DATA))  ## which stages of MODEL on TARGET are done
runtimes: .venv/.installed ; @$(FLOWS) status $(DESIGN) $(if $(DATA),--data $(DATA)) --runtimes  ## how long each stage took when it last ran
# --- checks ------------------------------------------------------------------------------------
RTL_TESTS := $(wildcard tests/testbench/test_rtl_*.py)
PYTEST := $(PY) -m pytest -q
test test-rtl test-fast test-faults test-random test-networks lint bench conformance: .venv/.installed
test:  ## all tests but test-rtl's and test-faults', the end-to-end run included (minutes)
	$(PYTEST) -n 2 --dist loadfile -m 'not faults' $(RTL_TESTS:%=--ignore=%)
test-rtl:  ## tests of the chip's own RTL: Verilator builds of many minutes
	$(PYTEST) -n 2 --dist loadfile $(RTL_TESTS)
test-faults:  ## damage to every file of a design, stages killed, the recipes for CI (many minutes)
	$(PYTEST) -n 2 --dist loadfile tests/flows/test_faults.py tests/flows/test_ci.py
test-fast:  ## only the tests that take seconds
	$(PYTEST) -m 'not slow and not faults'
test-random:  ## the property tests on new random examples
	$(PYTEST) -m 'not slow' --hypothesis-profile random $(shell grep -l '^@given' -r tests)
test-networks:  ## 2,000 random networks: their C++, Verilog and integers agree (many hours; resumes)
	$(PY) -m tests.random_forms --results $(BUILD)/random_networks.jsonl
lint:  ## style, types and who may import whom
	.venv/bin/ruff check . && .venv/bin/ruff format --check . && .venv/bin/mypy && .venv/bin/lint-imports
bench:  ## speed ratios against the reference's methods, both figures shown
	set -e; for one in emd evaluation csv_loading exact_training loss_step generated_rtl logic_cost search_workers; do $(PY) -m benchmarks.$$one; done
conformance:  ## ECON-T golden model against the emulator's public vectors (../shared)
	$(FLOWS) conformance ../shared/econt/vectors
# --- cleaning ----------------------------------------------------------------------------------
CLEAN := $(patsubst %,clean-%,data train $(OF_MODEL) $(OF_TARGET) $(OF_CHIP) vendor)
.PHONY: $(CLEAN)
REMOVE := @$(or $(wildcard $(PY)),$(PYTHON)) -m flows.cleaning --build $(BUILD) --model $(MODEL) --target $(TARGET) $(if $(DATA),--data $(DATA))
$(CLEAN): clean-%: ; $(REMOVE) $*
clean:  ## remove the results of MODEL (all targets)
	$(REMOVE) model
distclean:  ## remove all results and the environment
	$(REMOVE) all --environment .venv
