"""The physical generator: statistics of the real data, showers, reproducibility, and its CSV."""

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flows.__main__ import main
from flows.layout import DataLayout
from hw.foundation.errors import InputError
from models.data.correlations import correlations, log_charge, places
from models.data.dataset import ModuleData, load_modules
from models.data.distributions import NAMES, PUBLISHED, distributions, quantities, total_variation
from models.data.generator import (
    BLOCK,
    COLUMNS,
    Latents,
    generate_modules,
    load_prior,
    simulate,
    write_csv,
)
from models.data.generator_calibration import discrepancy, fit_latents, write_prior
from models.data.geometry import ARRANGEMENTS, cell_distances
from models.data.normalisation import normalise
from models.data.readout import through_4e3m
from models.data.showers import Lateral, Showers, electromagnetic_mips, spread
from models.data.wafers import Sensor, module_frame, wafer_map
from models.quality.emd import emd
from reports.metrics import read_metrics

REAL = Path(__file__).resolve().parents[3] / "shared" / "econt" / "nElinks_5"
LIMIT = 0.05


@pytest.fixture(scope="module")
def sample() -> ModuleData:
    return generate_modules(100_000, seed=5)


# --- statistics of the real data ----------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
def test_distributions_are_those_of_the_real_data(sample: ModuleData, name: str) -> None:
    found, real = distributions(sample.calq)[name], PUBLISHED[name]
    assert total_variation(found.counts, real.counts) < LIMIT
    assert total_variation(found.all_modules(), real.all_modules()) < LIMIT


@pytest.mark.parametrize(
    ("name", "mean", "deviation", "tolerance"),
    [
        ("occ_all", 15.95, 14.34, 0.8),
        ("occ_1MT", 2.83, 4.63, 0.35),
        ("maxQ", 0.076, 0.554, 0.03),
        ("sumQ", 0.442, 0.704, 0.03),
    ],
)
def test_moments_are_those_of_the_real_data(
    sample: ModuleData, name: str, mean: float, deviation: float, tolerance: float
) -> None:
    """They also cover modules with too little charge for the histograms."""
    values = quantities(sample.calq)[name]
    assert values.mean() == pytest.approx(mean, abs=tolerance)
    assert values.std() == pytest.approx(deviation, abs=tolerance)


def of_places(sample: ModuleData, least: float, most: float) -> ModuleData:
    """Modules of the places whose mean number of cells with charge is within bounds."""
    place = places(sample)
    occupancy = np.count_nonzero(sample.calq, axis=1)
    mean = np.bincount(place, weights=occupancy) / np.bincount(place)
    return sample.select((mean[place] >= least) & (mean[place] < most))


def test_charges_of_neighbours_correlate_as_in_one_real_module(sample: ModuleData) -> None:
    """Real, without threshold: 0.106 at one pitch, 0.063 at two, 0.028 beyond three."""
    dense = of_places(sample, 44, 48)
    assert len(dense) > 2000
    found = correlations(log_charge(dense.calq), places(dense))
    assert 0.06 < found.one_pitch < 0.18
    assert 0.03 < found.two_pitches < 0.10
    assert 0.00 < found.far < 0.06
    assert found.one_pitch > found.two_pitches > found.far


def test_occupied_cells_cluster_as_in_one_real_module(sample: ModuleData) -> None:
    """Real, with threshold, 15 cells of 48: 0.10 at one pitch."""
    sparse = of_places(sample, 12, 18)
    assert len(sparse) > 2000
    found = correlations((sparse.calq > 0).astype(np.float32), places(sparse))
    assert 0.05 < found.one_pitch < 0.20
    assert found.one_pitch > found.two_pitches > found.far > 0


@pytest.mark.shared
def test_the_measure_of_correlation_on_a_real_module() -> None:
    if not REAL.is_dir():
        pytest.skip(f"{REAL} is absent")
    real = load_modules(REAL)
    found = correlations(log_charge(real.calq), places(real))
    assert found.one_pitch == pytest.approx(0.106, abs=0.012)
    assert found.two_pitches == pytest.approx(0.063, abs=0.006)
    assert found.far == pytest.approx(0.028, abs=0.006)


def test_correlation_by_hand() -> None:
    noise = np.random.default_rng(0).standard_normal((20_000, 48)).astype(np.float32)
    place = np.arange(len(noise)) % 2
    independent = correlations(noise + 5 * place[:, None].astype(np.float32), place)
    assert abs(independent.one_pitch) < 0.01  # the difference between places is taken off
    common = correlations(noise + noise[:, :1], np.zeros(len(noise), dtype=np.int64))
    assert common.far == pytest.approx(0.5, abs=0.05)
    constant = correlations(np.zeros((5, 48), dtype=np.float32), np.zeros(5, dtype=np.int64))
    assert np.isnan(constant.one_pitch)


@pytest.mark.slow
@pytest.mark.shared
def test_published_encoder_compresses_them_as_well_as_the_real_data() -> None:
    """EMD of its autoencoder on the real ttbar nElinks_5 data: mean 1.312, deviation 0.362."""
    from models.networks.network_files import load_foreign  # TensorFlow: only where it is needed

    folder = REAL.parent / "published_encoder"
    if not folder.is_dir():
        pytest.skip(f"{folder} is absent")
    encoder, decoder = (
        load_foreign(folder / f"{part}.json", folder / f"{part}.hdf5")
        for part in ("encoder_8x8_c8_S2_tele_qK_6bit", "decoder_8x8_c8_S2_tele_qK_6bit")
    )
    calq = generate_modules(4000, seed=11).calq
    arrangement = ARRANGEMENTS["8x8"]
    images = arrangement.to_images(normalise(calq)[0])
    output = decoder.predict(encoder.predict(images, verbose=0), verbose=0)
    distance = emd(calq, np.maximum(arrangement.to_cells(np.asarray(output)), 0))
    assert np.nanmean(distance) == pytest.approx(1.312, abs=0.04)
    assert np.nanstd(distance) == pytest.approx(0.362, abs=0.03)


# --- what a module looks like -------------------------------------------------------------------


def test_modules_are_physical(sample: ModuleData) -> None:
    assert sample.calq.shape == (100_000, 48)
    assert sample.calq.dtype == np.float32
    assert np.array_equal(sample.calq, np.rint(sample.calq))
    assert sample.calq.min() == 0
    assert sample.calq.max() < 2**22
    assert sample.calq.sum(axis=1).min() > 0
    assert sample.eta is not None
    assert sample.phi is not None
    assert sample.eta.min() > 1.5
    assert sample.eta.max() < 3.0
    assert -np.pi < sample.phi.min() < -3
    assert 3 < sample.phi.max() <= np.float32(np.pi)
    assert tuple(sample.columns) == COLUMNS
    assert set(sample.columns["layer"]) == {9}
    assert (sample.columns["SimEnergyTotal"] > 0).all()
    assert (sample.columns["SimEnergyFraction"] < 1).all()


def test_occupancy_rises_towards_the_beam(sample: ModuleData) -> None:
    occupancy = np.count_nonzero(sample.calq, axis=1)
    low, middle, high = (
        occupancy[(sample.eta > a) & (sample.eta <= b)].mean()
        for a, b in ((1.5, 1.7), (1.9, 2.1), (2.5, 3.0))
    )
    assert low < 0.6 * middle < 0.3 * high


def test_places_of_the_layer() -> None:
    wafers = wafer_map()
    assert len(set(zip(wafers.u.tolist(), wafers.v.tolist(), strict=True))) == len(wafers.u) == 258
    counts = np.bincount(wafers.sensor).tolist()
    assert counts == [60, 120, 78]  # FI, FM, FO
    distance = np.linalg.norm(wafers.xy[:, None] - wafers.xy[None], axis=2)
    np.fill_diagonal(distance, np.inf)
    assert distance.min() == pytest.approx(16.744)  # neighbours, one wafer pitch apart
    assert wafers.xy.sum(axis=0) == pytest.approx([0, 0], abs=1e-9)


def test_hard_shower_shows_about_its_impact_point() -> None:
    """A 100 GeV shower at the module's centre: most charge in the cells nearest to it."""
    prior = load_prior()
    hard = next(i for i, s in enumerate(prior.hard_showers) if s.kind == "electromagnetic")
    wafer = int(np.flatnonzero(wafer_map().sensor == Sensor.FO)[0])
    many = np.zeros(400, dtype=np.int64)
    latents = Latents(many + wafer, many + 1.0, many + hard, many + 100.0)
    calq, soft, energetic = simulate(latents, prior, np.random.default_rng(1))
    assert energetic.mean() > 20 * soft.mean()
    brightest = calq.argmax(axis=1)
    share = np.array(
        [
            row[cell_distances()[cell] < 4.2].sum() / row.sum()
            for row, cell in zip(calq, brightest, strict=True)
        ]
    )
    assert np.median(share) > 0.85
    assert len(set(brightest)) > 40  # impact points all over the module


def test_lateral_shapes_hold_their_energy() -> None:
    centre = np.zeros(3)
    mips = np.full(3, 100.0, dtype=np.float32)
    one_each = Showers(np.arange(3), np.array(list(Lateral)), centre, centre, mips)
    soft, electromagnetic, hadronic = spread(one_each, 3).sum(axis=1)
    assert 90 < soft < 100.1
    assert 90 < electromagnetic < 100.1
    assert 60 < hadronic < 90  # its halo leaves the module

    beside = module_frame()[12][0] + 2.5  # right of the rightmost cells
    outside = spread(Showers(*(np.zeros(1, int),) * 2, np.array([beside]), centre[:1], mips[:1]), 1)
    assert 0 < outside.sum() < 20


def test_longitudinal_profile_has_the_scale_of_35_gev_electrons() -> None:
    mips = electromagnetic_mips(np.full(20_000, 35.0), np.random.default_rng(0))
    assert mips.mean() == pytest.approx(455, rel=0.15)  # 41 MeV of silicon, 85 to 90 keV a MIP
    soft = electromagnetic_mips(np.full(20_000, 0.1), np.random.default_rng(0))
    assert soft.mean() / 0.1 < 0.6 * mips.mean() / 35  # dies before layer 9


def test_compression_by_hand() -> None:
    charges = np.array([0, 7, 8, 65, 66, 130, 255, 272, 300])
    high = [4, 4, 12, 68, 68, 136, 248, 272, 304]
    assert through_4e3m(charges, 3).tolist() == high  # high density: 3 bits dropped
    low = [1, 7, 9, 68, 68, 136, 248, 272, 304]
    assert through_4e3m(charges, 1).tolist() == low


@given(st.integers(0, 2**17), st.sampled_from([1, 3]))
def test_compression_error_is_below_a_sixteenth(charge: int, dropped: int) -> None:
    decoded = int(through_4e3m(np.array([charge]), dropped)[0])
    assert abs(decoded - charge) <= max(charge / 16, 2 ** (dropped - 1))


def test_compression_saturates() -> None:
    top = through_4e3m(np.array([2**19, 2**21]), 1)
    assert top[0] == top[1]


# --- reproducibility ----------------------------------------------------------------------------


def test_same_seed_same_modules_and_prefix() -> None:
    long = generate_modules(BLOCK + 300, seed=3)
    for count in (7, BLOCK, BLOCK + 1):
        short = generate_modules(count, seed=3)
        first = long.select(slice(count))
        assert len(short) == count
        assert np.array_equal(short.calq, first.calq)
        assert np.array_equal(short.eta, first.eta)
        assert np.array_equal(short.phi, first.phi)
        assert all(np.array_equal(short.columns[k], first.columns[k]) for k in COLUMNS)
    assert generate_modules(7, 3).content_hash == generate_modules(7, 3).content_hash
    assert not np.array_equal(generate_modules(7, seed=4).calq, long.calq[:7])
    assert not np.array_equal(long.calq[:300], long.calq[BLOCK:])  # blocks differ


@pytest.mark.parametrize(("count", "seed", "told"), [(0, 1, "at least 1"), (5, -1, "negative")])
def test_senseless_requests_are_refused(count: int, seed: int, told: str) -> None:
    with pytest.raises(InputError, match=told):
        generate_modules(count, seed)


def test_progress_counts_every_module() -> None:
    steps: list[int] = []
    generate_modules(BLOCK + 5, 0, progress=steps.append)
    assert steps == [BLOCK, 5]


# --- calibration --------------------------------------------------------------------------------


def test_prior_survives_its_file(tmp_path: Path) -> None:
    write_prior(load_prior(), tmp_path / "prior.yaml")
    assert load_prior(tmp_path / "prior.yaml") == load_prior()


@pytest.mark.slow
def test_calibration_finds_the_density_again() -> None:
    right = load_prior()
    wrong = right.model_copy(
        update={
            "rings": tuple(
                ring.model_copy(update={"mean": ring.mean + 0.5, "width": 0.3})
                for ring in right.rings
            )
        }
    )
    assert discrepancy(wrong, 1) > 0.08
    assert discrepancy(fit_latents(wrong, 1), 1) < 0.045


# --- CSV and the data stage ----------------------------------------------------------------------


def test_csv_has_the_layout_of_the_real_files(tmp_path: Path) -> None:
    modules = generate_modules(200, seed=1)
    write_csv(modules, tmp_path / "modules.csv")
    rows = [line.split(",") for line in (tmp_path / "modules.csv").read_text().splitlines()]
    assert len(rows) == 200
    assert {len(row) for row in rows} == {57}
    assert all(field.isdigit() for row in rows for field in row[:48])
    for index, name in enumerate(COLUMNS, start=48):
        written = np.array([float(row[index]) for row in rows])
        assert written == pytest.approx(modules.columns[name], rel=1e-6)

    read = load_modules(tmp_path / "modules.csv", header=False)
    assert np.array_equal(read.calq, modules.calq)
    assert np.array_equal(read.eta, modules.eta)
    assert np.array_equal(read.phi, modules.phi)


def test_csv_refuses_what_the_layout_cannot_hold(tmp_path: Path) -> None:
    modules = generate_modules(3, seed=1)
    path = tmp_path / "modules.csv"
    with pytest.raises(InputError, match="SimEnergyTotal"):
        write_csv(ModuleData(modules.calq, modules.eta, modules.phi), path)
    halves = ModuleData(modules.calq / 2, modules.eta, modules.phi, modules.columns)
    with pytest.raises(InputError, match="integers"):
        write_csv(halves, path)
    assert not list(tmp_path.iterdir())


def test_step_generates_and_compares(tmp_path: Path) -> None:
    arguments = ["data", "--build", str(tmp_path), "--events", "20000", "--seed", "2"]
    assert main(arguments) == 0
    layout = DataLayout(tmp_path / "data" / "generated")
    metrics = {metric.name: metric for metric in read_metrics(layout.metrics)}
    assert metrics["data.modules"].value == 20_000
    assert metrics["data.empty"].value == 0
    for name in NAMES:
        metric = metrics[f"data.distance.{name}"]
        assert 0 < metric.value < LIMIT
        assert metric.better == "lower"
        assert metric.provenance.seed == 2
        assert metric.provenance.data_hash == load_modules(layout.generated_csv).content_hash
    assert 0 < metrics["data.correlation.far"].value < metrics["data.correlation.one_pitch"].value
    histograms = json.loads(layout.histograms.read_text())
    assert list(histograms) == list(NAMES)
    for name, histogram in histograms.items():
        assert len(histogram["edges"]) == len(histogram["counts"]) + 1 == 51
        assert sum(histogram["counts"]) + histogram["outside"] == 20_000
        assert histogram["published"] == PUBLISHED[name].counts.tolist()


def test_step_inspects_given_data(tmp_path: Path) -> None:
    data = tmp_path / "given.csv"
    write_csv(generate_modules(500, seed=1), data)
    with data.open("a") as file:
        file.write(",".join(["0"] * 57) + "\n")
    assert main(["data", "--build", str(tmp_path / "b"), "--data", str(data), "--noHeader"]) == 0
    layout = DataLayout(tmp_path / "b" / "data" / "given.csv")
    metrics = {metric.name: metric for metric in read_metrics(layout.metrics)}
    assert metrics["data.modules"].value == 501
    assert metrics["data.empty"].value == 1
    assert metrics["data.distance.occ_all"].provenance.seed is None
    assert sum(json.loads(layout.histograms.read_text())["occ_all"]["counts"]) == 500
    assert not layout.generated_csv.exists()


def test_step_refuses_bad_requests(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    empty = tmp_path / "empty.csv"
    empty.write_text(",".join(["0"] * 48) + "\n")
    build = ["--build", str(tmp_path / "b")]
    assert main(["data", *build, "--data", str(empty)]) == 2
    assert f"{empty}: no module has charge" in capsys.readouterr().err
    assert main(["data", *build, "--data", str(tmp_path / "absent.csv")]) == 2
    assert "absent.csv" in capsys.readouterr().err
    assert main(["data", *build, "--events", "0"]) == 2
    assert "at least 1" in capsys.readouterr().err
    assert not list((tmp_path / "b").rglob("metrics.json"))
