"""The keys that never reached the model."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from pydantic import ConfigDict, ValidationError

from ired.negatives.adversarial import AdversarialSettings
from ired.training.objective import Contrast

# What the record set for mining, under the names it used.
MINING_KEYS = {
    "opt_steps": 5,
    "noise_scale": 1.5,
    "use_cd_loss": True,
    "use_langevin": True,
    "langevin_sigma_multiplier": 0.5,
    "energy_loss_weight": 0.05,
    "use_replay_buffer": True,
    "replay_buffer_size": 5000,
    "replay_buffer_buckets": 8,
    "replay_sample_prob": 0.9,
    "use_residual_filter": True,
    "residual_filter_quantile": 0.2,
    "use_energy_schedule": True,
    "energy_loss_warmup_steps": 100,
    "use_timestep_range": True,
}


def check_every_key_acts_or_is_refused(settings_class: type[AdversarialSettings]) -> None:
    """Each of the record's keys either changes the settings or is an error."""
    default = settings_class().model_dump()
    for name, value in MINING_KEYS.items():
        try:
            taken = settings_class.model_validate({name: value})
        except ValidationError as error:
            assert "extra" in str(error)
        else:
            assert taken.model_dump() != default, f"{name} is swallowed"


def test_issue_12_no_key_is_swallowed(repository: Path) -> None:
    """Claim: 12 of 15 mining keys never reached the model. Verdict: true. Here a key that nobody reads is an
    error, every key changes something (tests/unit/test_liveness.py), and every name of the record has a
    successor in docs/parameters.md."""
    check_every_key_acts_or_is_refused(AdversarialSettings)

    class Lenient(AdversarialSettings):
        model_config = ConfigDict(extra="ignore")

    with pytest.raises(AssertionError, match="swallowed"):
        check_every_key_acts_or_is_refused(Lenient)
    documented = re.findall(r"^\| `(\w+)`", (repository / "docs/parameters.md").read_text(), re.MULTILINE)
    assert set(MINING_KEYS) <= set(documented)


def test_the_contrast_refuses_the_records_flat_keys() -> None:
    """Keys of the energy term, too, are errors where the term does not have them."""
    for name in MINING_KEYS:
        with pytest.raises(ValidationError):
            Contrast.model_validate({name: MINING_KEYS[name]})
