"""How the measures of compression quality are written at an axis."""

_LABELS = {
    "emd": "EMD [half pitch]",
    "emd_threshold": "EMD of the larger cells [half pitch]",
    "mean_difference": "Shift of the mean [half pitch]",
    "rms_difference": r"RMS$_\mathrm{in}$ $-$ RMS$_\mathrm{out}$ [half pitch]",
    "rms_difference_absolute": r"|RMS$_\mathrm{in}$ $-$ RMS$_\mathrm{out}$| [half pitch]",
    "rms_reference_difference": r"RMS$_\mathrm{in}$ $-$ RMS$_\mathrm{out}$ (FastML)",
    "rms_reference_difference_absolute": r"|RMS$_\mathrm{in}$ $-$ RMS$_\mathrm{out}$| (FastML)",
    "cross_correlation": "Cross-correlation",
    "squared_difference": "Sum of squared differences",
    "zero_fraction": "Fraction come back empty",
    "charge_response": "Charge out / charge in",
    "telescope": "Telescope loss",
}


def label(measure: str) -> str:
    """Words and unit of a measure."""
    return _LABELS.get(measure, measure)


def known_measures(names: object) -> list[str]:
    """Those of `names` that are measures, in the order in which they are shown."""
    return [name for name in _LABELS if name in names]  # type: ignore[operator]
